/**
 * Port Store: what must outlive a process. Rooms are kept as named records and one log of keepable
 * publications; ownership as leases with an epoch. Every commit is one transaction, fenced by epoch.
 */
import type { RoomId } from '../ids.js';

/** Processes that share shards among them. */
export type MemberGroup = 'rooms' | 'pushers';

/** The right under which a commit is made; the store refuses an epoch older than the shard's. */
export interface Fence {
  readonly shard: number;
  readonly epoch: number;
}

export interface LogEntry {
  readonly offset: number;
  /** The publication as JSON text, as it went out. */
  readonly json: string;
}

export interface StoredRoom {
  /** Name to JSON text: `meta`, `settings`, `mute:<user>`, `ban:<user>`, … (room/records.ts). */
  readonly records: ReadonlyMap<string, string>;
  /** Offset of the oldest entry still in the log; `nextOffset` when the log is empty. */
  readonly firstOffset: number;
  /** Offset the next appended publication gets; 1 for a new log. Offsets rise by one. */
  readonly nextOffset: number;
  /** Bytes of the JSON texts in the log; what `logBytes` of the room's settings bounds. */
  readonly logBytes: number;
}

export interface RepliedKey {
  readonly key: string;
  /** Digest of the request the key was first used with. */
  readonly fingerprint: string;
  /** JSON text of the answer it got. */
  readonly reply: string;
  /** Unix milliseconds after which the key may be forgotten. */
  readonly expiresAt: number;
}

/** All parts are applied, or none, in the order in which they are listed here. */
export interface RoomChanges {
  /** Appended at `from`, `from + 1`, …; refused as `conflict` when `from` is not the next offset. */
  readonly append?: { readonly from: number; readonly json: readonly string[] };
  /** Replaces entries still in the log (a recall leaves a tombstone); others are passed over. */
  readonly rewrite?: readonly LogEntry[];
  /** Drops entries below this offset; at most all of them, and `nextOffset` stays. */
  readonly trimBelow?: number;
  /** Sets records; a null value deletes. */
  readonly records?: ReadonlyMap<string, string | null>;
  readonly keys?: readonly RepliedKey[];
  /** Deletes the room whole: records, log and keys. Refused as `invalid` next to other parts. */
  readonly remove?: boolean;
}

/**
 * Failures are BarrageError: `fenced` (an older epoch; the caller has lost the shard), `conflict`,
 * `store_full` (no room on the disk; nothing was written, try later), `store_failed` (anything else).
 */
export interface Store {
  /**
   * Takes a shard that is free, expired or already this owner's; a higher epoch each time.
   * Undefined while another owner has it. The first epoch is the time in unix seconds, so that a
   * store that was wiped does not give out old epochs again.
   */
  acquire(shard: number, owner: string, ttlMs: number): Promise<number | undefined>;
  /** Prolongs; false when the lease was lost. One that ran out but was not taken can be prolonged. */
  renew(fence: Fence, ttlMs: number): Promise<boolean>;
  /** Gives the shard up so that another may take it at once. */
  release(fence: Fence): Promise<void>;
  /**
   * Says that a process lives for `ttlMs` more, by the store's own time, and answers with the names
   * of all of its group that live, itself included, in order of their code units.
   */
  enlist(group: MemberGroup, member: string, ttlMs: number): Promise<readonly string[]>;
  /** Takes the process off its group's list at once. */
  delist(group: MemberGroup, member: string): Promise<void>;
  /** A room's records and the bounds of its log; undefined when it does not exist. */
  load(room: RoomId): Promise<StoredRoom | undefined>;
  /** Resolves only when the changes would survive the loss of the process. */
  commit(room: RoomId, fence: Fence, changes: RoomChanges): Promise<void>;
  /** Up to `limit` entries from `from` on, oldest first, stopping before `bytes` is passed. */
  readLog(room: RoomId, from: number, limit: number, bytes: number): Promise<LogEntry[]>;
  /** Room ids after `after` in order of their code units; further logs of rooms (`shelfOf`) are none. */
  listRooms(after: string, limit: number): Promise<RoomId[]>;
  /** A key still remembered for the room. */
  findKey(room: RoomId, key: string, now: number): Promise<RepliedKey | undefined>;
  close(): Promise<void>;
}
