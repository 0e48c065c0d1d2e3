/**
 * Owns the cutting of a tick's logged texts into what can go in one frame: runs meant for the same
 * viewers, and parts no larger than a socket takes. Knows no bus.
 */
import { splitLogged } from '../src/target.js';

export interface Run {
  /** Place of the first of `texts` among all. */
  readonly at: number;
  /** Publications' JSON texts. */
  readonly texts: readonly string[];
  /** Whom they are meant for, as JSON text; undefined: everyone. */
  readonly target: string | undefined;
}

/** Neighbours with the same target, in order. */
export function runsOf(logged: readonly string[]): readonly Run[] {
  if (!logged.some((text) => text.includes('\n'))) {
    return logged.length === 0 ? [] : [{ at: 0, texts: logged, target: undefined }];
  }
  const runs: { at: number; texts: string[]; target: string | undefined }[] = [];
  logged.forEach((text, at) => {
    const { json, target } = splitLogged(text);
    const last = runs.at(-1);
    if (last !== undefined && last.target === target) last.texts.push(json);
    else runs.push({ at, texts: [json], target });
  });
  return runs;
}

/** Cuts a run of texts into parts of at most `bytesMax` bytes each, one text at the least. */
export function splitTexts(texts: readonly string[], bytesMax: number): (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < texts.length; i++) {
    // Comma and the four bytes of the envelope's place table.
    const size = Buffer.byteLength(texts[i]!) + 5;
    if (i > from && bytes + size > bytesMax) {
      parts.push(texts.slice(from, i));
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (from === 0) return texts.length === 0 ? [] : [texts];
  parts.push(texts.slice(from));
  return parts;
}

/**
 * Offset of the newest publication for everyone among the newest logged ones, which end before
 * `next`; where none is left among them, of the one before. What follows is known to be for some.
 */
export function openOffsetIn(
  newest: readonly (readonly [offset: number, text: string])[],
  next: number,
): number {
  let open = next - 1;
  for (let i = newest.length - 1; i >= 0; i--) {
    const [offset, text] = newest[i]!;
    if (offset === 0) continue;
    if (offset !== open || !text.includes('\n')) break;
    open--;
  }
  return open;
}
