/**
 * Owns when two danmaku say the same: the key under which equals merge while they wait. Knows no lane.
 */
import type { Said } from './types.js';

const whiteSpace = /\s+/gu;
const simple = /^[!-@[-~]+(?: [!-@[-~]+)*$/;

/**
 * The key of what was said, or '' when it merges with nothing: no text, or `data` that would be lost.
 * Text is compared in NFKC (width and compatibility forms), lower case, white space collapsed.
 */
export function mergeKey(said: Said): string {
  if (said.text === undefined || said.data !== undefined) return '';
  const style = said.style;
  const look =
    style === undefined ? '' : `${style.mode ?? ''},${style.color ?? ''},${style.size ?? ''}`;
  return `${said.kind}\n${look === ',,' ? '' : look}\n${normalise(said.text)}`;
}

/** Equal results mean equal texts. */
export function normalise(text: string): string {
  if (simple.test(text)) return text;
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(whiteSpace, ' ').trim();
}
