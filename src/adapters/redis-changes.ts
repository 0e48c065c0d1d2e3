/** Owns how changes of a room become the arguments of the commit script. Knows no connection. */
import { isShelf, type RoomId } from '../ids.js';
import type { RoomChanges } from '../ports/store.js';
import type { KeptReply } from './commit-group.js';

export interface CommitRight {
  readonly epoch: number;
  /** Who took the epoch: two processes can hold the same one after Redis lost some. */
  readonly writer: string;
  /** This commit's number within the epoch, and the highest one known to be done. */
  readonly seq: number;
  readonly done: number;
}

/** In the order the script reads them: fourteen of a fixed place, then five runs of parts. */
export function argumentsOf(
  room: RoomId,
  changes: RoomChanges,
  right: CommitRight,
  now: number,
): string[] {
  const { append, rewrite = [], trimBelow, keys = [], remove } = changes;
  const records = [...(changes.records ?? [])];
  const set = records.filter((each): each is [string, string] => each[1] !== null);
  const deleted = records.filter(([, value]) => value === null);
  const parts = [
    ...(append?.json ?? []),
    ...rewrite.flatMap(({ offset, json }) => [String(offset), json]),
    ...set.flat(),
    ...deleted.map(([name]) => name),
    ...keys.flatMap(({ key, fingerprint, reply, expiresAt }) => {
      const kept: KeptReply = { fingerprint, reply, expiresAt };
      return [key, String(expiresAt), JSON.stringify(kept)];
    }),
  ];
  const counts = [
    append?.json.length ?? 0,
    rewrite.length,
    set.length,
    deleted.length,
    keys.length,
  ];
  return [
    ...[right.epoch, right.writer, right.seq, right.done, Math.floor(now)].map(String),
    isShelf(room) ? '' : room,
    remove === true ? '1' : '',
    String(append?.from ?? ''),
    String(trimBelow ?? ''),
    ...counts.map(String),
    ...parts,
  ];
}

/** Whether the changes only take away, so that a store out of memory may take them. */
export function onlyShrinks({ append, rewrite, records, keys }: RoomChanges): boolean {
  if (append !== undefined || rewrite !== undefined || keys !== undefined) return false;
  return [...(records?.values() ?? [])].every((value) => value === null);
}
