/** Owns the style of a Bilibili comment: its mode, size and colour in the words used here. Pure. */
import type { Style } from '../words.js';
import type { BilibiliComment } from './bilibili-xml.js';

const SIZE_MIN = 12;
const SIZE_MAX = 64;

/** 1-3 and 6 scroll, 5 top, 4 bottom; 7 and up have no place of their own here and scroll. */
export function styleOf({ mode, size, color }: BilibiliComment): Style {
  return {
    mode: mode === 5 ? 'top' : mode === 4 ? 'bottom' : 'scroll',
    color: `#${color.toString(16).padStart(6, '0')}`,
    size: Math.min(SIZE_MAX, Math.max(SIZE_MIN, size)),
  };
}
