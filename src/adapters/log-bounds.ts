/**
 * Owns the rules a store applies to a room's log and changes, the same in every adapter: where an
 * append must begin, how far a trim may go, what excludes what. Knows no storage.
 */
import { BarrageError } from '../errors.js';
import type { RoomChanges } from '../ports/store.js';

/** Longest name of a record and longest key, bytes: what fits beside a room id in a storage key. */
export const NAME_BYTES_MAX = 1024;

export interface LogBounds {
  /** Oldest offset in the log; `next` when it is empty. */
  readonly first: number;
  readonly next: number;
  readonly bytes: number;
}

export const EMPTY_LOG: LogBounds = { first: 1, next: 1, bytes: 0 };

/** Throws BarrageError `conflict` or `invalid` for changes that cannot be applied whole. */
export function checkChanges(changes: RoomChanges, log: LogBounds): void {
  const { append, rewrite, trimBelow, records, keys, remove } = changes;
  if (append !== undefined && append.from !== log.next) {
    throw new BarrageError('conflict', `append at ${append.from}, the next is ${log.next}`);
  }
  if (remove === true && [append, rewrite, trimBelow, records, keys].some(isGiven)) {
    throw new BarrageError('invalid', 'a removal comes alone', { field: 'remove', rule: 'alone' });
  }
  for (const name of records?.keys() ?? []) checkName(name, 'records');
  for (const { key } of keys ?? []) checkName(key, 'keys');
}

/** The offset below which a trim drops entries, within what the log holds. */
export function trimBound(log: LogBounds, trimBelow: number | undefined): number {
  return Math.max(log.first, Math.min(trimBelow ?? log.first, log.next));
}

function isGiven(part: unknown): boolean {
  return part !== undefined;
}

function checkName(name: string, field: string): void {
  if (name.length > 0 && name.isWellFormed() && Buffer.byteLength(name) <= NAME_BYTES_MAX) return;
  const rule = `1-${NAME_BYTES_MAX} bytes of well-formed text`;
  throw new BarrageError('invalid', `${field}: a name must be ${rule}`, { field, rule });
}
