/**
 * Owns the four bounded queues: what an entry is, how one gets in or merges, who goes when a lane is
 * full, and how entries leave. Knows no user rule and no budget.
 */
import type { RoomSettings } from '../../src/room-settings.js';
import type { Lane } from '../../src/words.js';
import { mergeKey } from './equal-text.js';
import type { Ref, Said } from './types.js';

/** Danmaku one publication stands for at most; bounds the memory of an entry. */
export const ENTRY_REFS_MAX = 10_000;
/** Bytes of a publication's JSON apart from what was said: names, id, kind, lane, time. */
const ENTRY_BASE_BYTES = 160;

/** One publication to be, standing for the first who said it and the later equals. */
export interface Entry {
  /** Order of arrival and the publication's number; set when queued. */
  seq: number;
  /** Room's clock at admission, milliseconds. */
  readonly at: number;
  readonly said: Said;
  readonly bytes: number;
  readonly key: string;
  /** Senders merged into it, after the first. */
  more: Ref[] | undefined;
}

/**
 * A keepable lane is in order of arrival. A droppable one is a bag: sampling and shedding pick from
 * anywhere, and what leaves is put in order by `seq`.
 */
export interface LaneQueue {
  entries: Entry[];
  bytes: number;
  /** Danmaku the entries stand for. */
  refs: number;
  /** Danmaku a tick chose to keep and the shell has not settled. */
  planned: number;
  /** Publications of the lane's own share not used yet; a fraction is carried on. */
  credit: number;
  equals: Map<string, Entry> | undefined;
  /** True while the lane holds more than settings that shrank under it allow. */
  isExcused: boolean;
}

export type Lanes = Readonly<Record<Lane, LaneQueue>>;

export function emptyLane(): LaneQueue {
  return {
    entries: [],
    bytes: 0,
    refs: 0,
    planned: 0,
    credit: 0,
    equals: undefined,
    isExcused: false,
  };
}

export function newEntry(said: Said, settings: RoomSettings, now: number): Entry {
  const key = mergeKey(said, settings);
  return { seq: 0, at: now, said, bytes: bytesOf(said), key, more: undefined };
}

/** The entry waiting in the lane that says the same. */
export function twinOf(queue: LaneQueue, entry: Entry): Entry | undefined {
  return entry.key === '' ? undefined : queue.equals?.get(entry.key);
}

/** Adds a sender to an entry; false when the entry stands for as many as it may. */
export function mergeInto(queue: LaneQueue, twin: Entry, ref: Ref): boolean {
  if ((twin.more?.length ?? 0) + 1 >= ENTRY_REFS_MAX) return false;
  twin.more ??= [];
  twin.more.push(ref);
  queue.refs += 1;
  return true;
}

/** Whether adding `items` entries of `bytes` together would pass the lane's bounds. */
export function isFull(
  queue: LaneQueue,
  settings: RoomSettings['lanes'][Lane],
  items: number,
  bytes: number,
): boolean {
  return queue.entries.length + items > settings.depth || queue.bytes + bytes > settings.bytes;
}

export function pushEntry(queue: LaneQueue, entry: Entry): void {
  queue.entries.push(entry);
  queue.bytes += entry.bytes;
  queue.refs += refCount(entry);
  if (entry.key === '') return;
  queue.equals ??= new Map();
  queue.equals.set(entry.key, entry);
}

/** Takes the entry at `index` out of a bag by putting the last in its place. */
export function removeAt(queue: LaneQueue, index: number): Entry {
  const entry = queue.entries[index]!;
  const last = queue.entries.pop()!;
  if (last !== entry) queue.entries[index] = last;
  forget(queue, entry);
  return entry;
}

/** Takes the first `count` entries out. */
export function removeFirst(queue: LaneQueue, count: number): Entry[] {
  if (count === 0) return [];
  const taken = queue.entries.splice(0, count);
  for (const entry of taken) forget(queue, entry);
  return taken;
}

/** Takes out of a bag all that arrived at or before `until`. */
export function removeExpired(queue: LaneQueue, until: number): Entry[] {
  const entries = queue.entries;
  const expired: Entry[] = [];
  let kept = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (entry.at > until) entries[kept++] = entry;
    else expired.push(entry);
  }
  entries.length = kept;
  for (const entry of expired) forget(queue, entry);
  return expired;
}

export function refCount(entry: Entry): number {
  return 1 + (entry.more?.length ?? 0);
}

/** All senders, first sender first. */
export function refsOf(entry: Entry): Ref[] {
  return entry.more === undefined ? [entry.said.ref] : [entry.said.ref, ...entry.more];
}

function forget(queue: LaneQueue, entry: Entry): void {
  queue.bytes -= entry.bytes;
  queue.refs -= refCount(entry);
  if (entry.key === '' || queue.equals === undefined) return;
  queue.equals.delete(entry.key);
  if (queue.equals.size === 0) queue.equals = undefined;
}

/** About what the publication's JSON takes; what is measured here is what the lane's bytes bound. */
function bytesOf(said: Said): number {
  let bytes = ENTRY_BASE_BYTES + said.kind.length;
  if (said.text !== undefined) bytes += Buffer.byteLength(said.text);
  if (said.style !== undefined) bytes += 48;
  const user = said.user;
  if (user !== undefined) {
    bytes += Buffer.byteLength(user.id) + 32;
    if (user.name !== undefined) bytes += Buffer.byteLength(user.name);
    if (user.badge !== undefined) bytes += Buffer.byteLength(user.badge);
  }
  if (said.data !== undefined) bytes += Buffer.byteLength(JSON.stringify(said.data) ?? '');
  return bytes;
}
