/**
 * Owns what edges and owners of shards say to each other about who is in which room: changes in
 * micro-batches, a digest now and then that shows what was lost, lists and numbers on request.
 */
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../ids.js';
import type { Speaker } from '../words.js';
import { decodeJson } from './internal.js';

/** Changes of a shard's rooms wait at most this long at the edge. */
export const PRESENCE_BATCH_MS = 100;
/** Users in one report at most. */
export const PRESENCE_USERS_MAX = 500;
/** Rooms in one part of a digest at most. */
export const PRESENCE_ROOMS_MAX = 2000;
/** Between two digests of an edge: a change lost with its hole is repaired within this. */
export const PRESENCE_DIGEST_MS = 10_000;
/** Between two numbers of a room of which no list is kept. */
export const PRESENCE_COUNTS_MS = 1000;

/** Whether a room's owner keeps a list of its users, or only their number. */
export type Kept = 'list' | 'counts';

/** A user's connections to a room at one edge, 0 when the last has gone; then what is known of it. */
export type PresentUser = readonly [
  user: UserId,
  connections: number,
  name?: string | null,
  level?: number | null,
  badge?: string | null,
];

/** One edge's news of one shard; the parts are applied in the order of the fields. */
export interface PresenceReport {
  readonly edge: string;
  /** Higher with each start of the edge. */
  readonly run: number;
  /** Running number within the run and shard; a hole is a loss on the bus. */
  readonly seq: number;
  /** The newest state of users that changed. */
  readonly changes?: readonly (readonly [room: RoomId, users: readonly PresentUser[]])[];
  /** Rooms of which only numbers are kept; `sketch` holds the users seen (src/sketch), base64. */
  readonly counts?: readonly (readonly [room: RoomId, users: number, sketch?: string])[];
  /** All users of a room here, in parts that follow each other. */
  readonly list?: {
    readonly room: RoomId;
    readonly part: number;
    readonly parts: number;
    readonly users: readonly PresentUser[];
  };
  /** Every room with users here, in parts; a digest is empty where only numbers are kept. */
  readonly digest?: {
    readonly part: number;
    readonly parts: number;
    readonly rooms: readonly (readonly [room: RoomId, users: number, digest: string])[];
  };
}

/** The owner of a shard to an edge. */
export interface PresenceAsk {
  readonly shard: number;
  /** A digest of all rooms of the shard is wanted now. */
  readonly digest?: boolean;
  /** What is kept of these rooms from now on; the list or the number is wanted now. */
  readonly rooms?: readonly (readonly [room: RoomId, kept: Kept])[];
}

/** The user as reports carry it. */
export function presentUser(user: Speaker, connections: number): PresentUser {
  const { id, name, level, badge } = user;
  if (connections === 0 || (name === undefined && level === undefined && badge === undefined)) {
    return [id, connections];
  }
  return [id, connections, name ?? null, level ?? null, badge ?? null];
}

/** Who a report's row is about. */
export function speakerOf([id, , name, level, badge]: PresentUser): Speaker {
  return {
    id,
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof level === 'number' ? { level } : {}),
    ...(typeof badge === 'string' ? { badge } : {}),
  };
}

/** The report, or undefined when the bytes hold none. */
export function decodePresenceReport(bytes: Uint8Array): PresenceReport | undefined {
  const report = readObject<PresenceReport>(bytes);
  if (report === undefined || typeof report.edge !== 'string' || report.edge === '')
    return undefined;
  if (!isCount(report.run) || !isCount(report.seq)) return undefined;
  const { changes = [], counts = [], list, digest } = report;
  const isSound =
    isRows(changes, ([, users]) => isUsers(users)) &&
    isRows(counts, ([, n, sketch]) => isCount(n) && (sketch === undefined || isText(sketch))) &&
    (list === undefined || isList(list)) &&
    (digest === undefined || isDigest(digest));
  return isSound ? report : undefined;
}

/** The question, or undefined when the bytes hold none. */
export function decodePresenceAsk(bytes: Uint8Array): PresenceAsk | undefined {
  const ask = readObject<PresenceAsk>(bytes);
  if (ask === undefined || !isCount(ask.shard)) return undefined;
  const isSound = isRows(ask.rooms ?? [], ([, kept]) => kept === 'list' || kept === 'counts');
  return isSound ? ask : undefined;
}

function readObject<T>(bytes: Uint8Array): T | undefined {
  try {
    const value = decodeJson<T | null>(bytes);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRows(rows: unknown, isRest: (row: readonly unknown[]) => boolean): boolean {
  if (!Array.isArray(rows)) return false;
  return rows.every(
    (row) => Array.isArray(row) && parseRoomId(row[0]) !== undefined && isRest(row),
  );
}

function isUsers(users: unknown): boolean {
  if (!Array.isArray(users)) return false;
  return users.every(
    (row) => Array.isArray(row) && parseUserId(row[0]) !== undefined && isCount(row[1]),
  );
}

function isList(list: NonNullable<PresenceReport['list']>): boolean {
  return (
    list !== null && parseRoomId(list.room) !== undefined && isPart(list) && isUsers(list.users)
  );
}

function isDigest(digest: NonNullable<PresenceReport['digest']>): boolean {
  return (
    digest !== null &&
    isPart(digest) &&
    isRows(digest.rooms, ([, n, text]) => isCount(n) && isText(text))
  );
}

function isPart({ part, parts }: { readonly part: number; readonly parts: number }): boolean {
  return isCount(part) && isCount(parts) && part < parts;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
