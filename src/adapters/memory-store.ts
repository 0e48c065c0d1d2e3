/**
 * Owns the store that forgets with the process: for tests, benches and rooms nobody wants kept.
 * Keeps every rule of the port except outliving the process.
 */
import { BarrageError } from '../errors.js';
import { isShelf, type RoomId } from '../ids.js';
import type { Clock } from '../ports/clock.js';
import type {
  Fence,
  LogEntry,
  MemberGroup,
  RepliedKey,
  RoomChanges,
  Store,
  StoredRoom,
} from '../ports/store.js';
import { LeaseTable } from './lease-table.js';
import { checkChanges, EMPTY_LOG, trimBound, type LogBounds } from './log-bounds.js';
import { MemberTable } from './member-table.js';

interface Room {
  bounds: LogBounds;
  readonly log: Map<number, string>;
  readonly records: Map<string, string>;
  readonly keys: Map<string, RepliedKey>;
}

/** Expired keys forgotten at most in one commit of their room. */
const SWEEP_KEYS_MAX = 64;

export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #leases = new LeaseTable();
  readonly #members = new MemberTable();
  readonly #rooms = new Map<RoomId, Room>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async acquire(shard: number, owner: string, ttlMs: number): Promise<number | undefined> {
    this.#checkOpen();
    return this.#leases.acquire(shard, owner, ttlMs, this.#clock.now());
  }

  async renew(fence: Fence, ttlMs: number): Promise<boolean> {
    this.#checkOpen();
    return this.#leases.renew(fence, ttlMs, this.#clock.now());
  }

  async release(fence: Fence): Promise<void> {
    this.#checkOpen();
    this.#leases.release(fence);
  }

  async enlist(group: MemberGroup, member: string, ttlMs: number): Promise<readonly string[]> {
    this.#checkOpen();
    return this.#members.enlist(group, member, ttlMs, this.#clock.now());
  }

  async delist(group: MemberGroup, member: string): Promise<void> {
    this.#checkOpen();
    this.#members.delist(group, member);
  }

  async load(room: RoomId): Promise<StoredRoom | undefined> {
    this.#checkOpen();
    const kept = this.#rooms.get(room);
    if (kept === undefined) return undefined;
    const { first, next, bytes } = kept.bounds;
    const records = new Map(kept.records);
    return { records, firstOffset: first, nextOffset: next, logBytes: bytes };
  }

  async commit(room: RoomId, fence: Fence, changes: RoomChanges): Promise<void> {
    this.#checkOpen();
    this.#leases.check(fence);
    const kept = this.#rooms.get(room);
    checkChanges(changes, kept?.bounds ?? EMPTY_LOG);
    if (changes.remove === true) {
      this.#rooms.delete(room);
      return;
    }
    const into = kept ?? { bounds: EMPTY_LOG, log: new Map(), records: new Map(), keys: new Map() };
    this.#rooms.set(room, into);
    applyLog(into, changes);
    for (const [name, value] of changes.records ?? []) {
      if (value === null) into.records.delete(name);
      else into.records.set(name, value);
    }
    sweepKeys(into.keys, this.#clock.now());
    for (const key of changes.keys ?? []) {
      into.keys.delete(key.key);
      into.keys.set(key.key, { ...key });
    }
  }

  async readLog(room: RoomId, from: number, limit: number, bytes: number): Promise<LogEntry[]> {
    this.#checkOpen();
    const kept = this.#rooms.get(room);
    const entries: LogEntry[] = [];
    if (kept === undefined) return entries;
    let left = bytes;
    for (let at = Math.max(from, kept.bounds.first); entries.length < limit; at++) {
      const json = kept.log.get(at);
      left -= json === undefined ? 0 : Buffer.byteLength(json);
      if (json === undefined || left < 0) break;
      entries.push({ offset: at, json });
    }
    return entries;
  }

  async listRooms(after: string, limit: number): Promise<RoomId[]> {
    this.#checkOpen();
    const later = [...this.#rooms.keys()].filter((room) => room > after && !isShelf(room));
    return later.sort().slice(0, limit);
  }

  async findKey(room: RoomId, key: string, now: number): Promise<RepliedKey | undefined> {
    this.#checkOpen();
    const found = this.#rooms.get(room)?.keys.get(key);
    return found !== undefined && found.expiresAt > now ? found : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new BarrageError('store_failed', 'the store is closed');
  }
}

function applyLog(room: Room, { append, rewrite, trimBelow }: RoomChanges): void {
  let { first, next, bytes } = room.bounds;
  for (const json of append?.json ?? []) {
    room.log.set(next++, json);
    bytes += Buffer.byteLength(json);
  }
  for (const { offset, json } of rewrite ?? []) {
    const before = room.log.get(offset);
    if (before === undefined) continue;
    room.log.set(offset, json);
    bytes += Buffer.byteLength(json) - Buffer.byteLength(before);
  }
  for (const bound = trimBound({ first, next, bytes }, trimBelow); first < bound; first++) {
    bytes -= Buffer.byteLength(room.log.get(first) ?? '');
    room.log.delete(first);
  }
  room.bounds = { first, next, bytes };
}

/** Keys are in order of their setting, which is about that of their end. */
function sweepKeys(keys: Map<string, RepliedKey>, now: number): void {
  let looked = 0;
  for (const [key, { expiresAt }] of keys) {
    if (looked++ >= SWEEP_KEYS_MAX) return;
    if (expiresAt <= now) keys.delete(key);
  }
}
