/**
 * Owns when two danmaku say the same: the key under which equals merge while they wait. Knows no lane.
 */
import type { RoomSettings } from '../../src/room-settings.js';
import type { Said } from './types.js';

type Loose = Pick<RoomSettings, 'mergeLoose'>;

const whiteSpace = /\s+/gu;
/** Three and more of the same; zeros are part of a number. */
const runs = /([^0])\1{2,}/gu;
/** Presentation forms and skin tones of emoji. */
const variations = /[\uFE0E\uFE0F\u{1F3FB}-\u{1F3FF}]/gu;
const endMarks = /[\p{P}~\s]+$/u;
const simple = /^[!-@[-~]+(?: [!-@[-~]+)*$/;

/**
 * The key of what was said, or '' when it merges with nothing: no text, or `data` that would be lost.
 * Text is compared in NFKC (width and compatibility forms), lower case, white space collapsed.
 */
export function mergeKey(said: Said, settings: Loose): string {
  if (said.text === undefined || said.data !== undefined) return '';
  // What is meant for some says nothing to the others.
  if ('to' in said && said.to !== undefined) return '';
  const style = said.style;
  const look =
    style === undefined ? '' : `${style.mode ?? ''},${style.color ?? ''},${style.size ?? ''}`;
  return `${said.kind}\n${look === ',,' ? '' : look}\n${normalFor(settings, said.text)}`;
}

/** As the room wants it: equal results mean equal texts. */
export function normalFor(settings: Loose, text: string): string {
  return settings.mergeLoose ? loosen(normalise(text)) : normalise(text);
}

/** Without the play of a crowd: runs become two, variations of emoji and marks at the end go. */
export function loosen(normal: string): string {
  const plain = normal.replace(variations, '').replace(runs, '$1$1');
  const bare = plain.replace(endMarks, '');
  return bare === '' ? plain : bare;
}

/** Equal results mean equal texts. */
export function normalise(text: string): string {
  if (simple.test(text)) return text;
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(whiteSpace, ' ').trim();
}
