/**
 * Owns telling two settings apart, key by key, and which of the differences wait for a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import { HIDDEN } from './leaves.js';
import { LEAVES, type Settings } from './schema.js';
import { valueAt, withValues } from './load.js';

export interface Change {
  /** As in the file: `edge.heartbeat`. */
  readonly path: string;
  /** As the file would have it, secrets hidden. */
  readonly before: unknown;
  readonly after: unknown;
  /** True: the value before stays in force until the process starts again. */
  readonly needsRestart: boolean;
}

/** Every key whose value differs, in the order of the table. */
export function findChanges(before: Settings, after: Settings): readonly Change[] {
  return LEAVES.flatMap(({ path, leaf }) => {
    const [from, to] = [valueAt(before, path), valueAt(after, path)];
    if (isDeepStrictEqual(from, to)) return [];
    const [shownFrom, shownTo] = [leaf.show(from), leaf.show(to)];
    // Only a secret differs: both sides would read the same.
    const note = isDeepStrictEqual(shownFrom, shownTo) ? { after: `${HIDDEN}, another one` } : {};
    const needsRestart = leaf.restart === true;
    return [{ path, before: shownFrom, after: shownTo, needsRestart, ...note }];
  });
}

/** The newly written settings, with what needs a restart as it was. */
export function inForce(running: Settings, written: Settings): Settings {
  const waiting = LEAVES.filter(({ leaf }) => leaf.restart === true).map(({ path }) => path);
  return withValues(written, running, new Set(waiting));
}

/** `edge.heartbeat: 25s → 30s` */
export function changeLine({ path, before, after, needsRestart }: Change): string {
  const restart = needsRestart ? ' (after a restart)' : '';
  return `${path}: ${shown(before)} → ${shown(after)}${restart}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
