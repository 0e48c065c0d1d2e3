/** Owns how long a danmaku's text may be. Form (control characters, blanks) was judged at the edge. */
import type { RoomSettings } from '../../src/room-settings.js';

/** Characters are Unicode code points, bytes are UTF-8. Counts only when a cheap bound is passed. */
export function isTextTooLong(text: string, settings: RoomSettings): boolean {
  const { textCharacters, textBytes } = settings;
  if (text.length > 2 * textCharacters) return true;
  if (text.length > textCharacters && countCharacters(text) > textCharacters) return true;
  return text.length * 3 > textBytes && Buffer.byteLength(text) > textBytes;
}

function countCharacters(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const isPair = unit >= 0xd800 && unit <= 0xdbff && i + 1 < text.length;
    if (isPair && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i += 1;
    count += 1;
  }
  return count;
}
