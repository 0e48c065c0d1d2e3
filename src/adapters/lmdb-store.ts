/**
 * Owns the durable store of a single process, in one folder: LMDB beneath, group commit above it, so
 * that commits waiting together share one disk flush. Layout: src/adapters/store-keys.ts; why LMDB:
 * docs/adr/0002-embedded-store.md. Knows no room rules beyond the port's.
 */
import { join } from 'node:path';
import { BarrageError } from '../errors.js';
import { isShelf, type RoomId } from '../ids.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type {
  Fence,
  LogEntry,
  MemberGroup,
  RepliedKey,
  RoomChanges,
  Store,
  StoredRoom,
} from '../ports/store.js';
import { CommitGroup, readBounds, type KeptReply } from './commit-group.js';
import { CommitQueue } from './commit-queue.js';
import { folderError, lockFolder } from './folder-lock.js';
import { LeaseTable } from './lease-table.js';
import { LmdbEnv } from './lmdb-env.js';
import { flawOfFile } from './lmdb-header.js';
import { MemberTable } from './member-table.js';
import * as keys from './store-keys.js';

export interface EmbeddedStoreOptions {
  /** Created when missing; used by one process at a time. */
  readonly folder: string;
  readonly clock: Clock;
}

/** Expired keys are looked for at most this often, and so many forgotten at once. */
const SWEEP_EVERY_MS = 1000;
const SWEEP_KEYS_MAX = 256;

/** Rejects with BarrageError `data_folder` and one plain sentence when the folder cannot be used. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { folder, clock } = options;
  const lock = lockFolder(folder, clock);
  let env: LmdbEnv | undefined;
  try {
    const file = join(folder, 'barrage.mdb');
    const flaw = flawOfFile(file);
    if (flaw !== undefined) throw unusable(`data folder ${folder}: barrage.mdb ${flaw}`);
    env = new LmdbEnv(file);
    await checkLayout(env, folder);
    return new LmdbStore(env, lock, clock);
  } catch (error) {
    await env?.close().catch(() => undefined);
    lock.cancel();
    throw folderError(folder, error);
  }
}

async function checkLayout(env: LmdbEnv, folder: string): Promise<void> {
  const found = env.get(keys.LAYOUT_KEY);
  if (found === keys.LAYOUT) return;
  if (found === undefined) {
    await env.write([[keys.LAYOUT_KEY, keys.LAYOUT]]);
    return;
  }
  throw unusable(`data folder ${folder} was written with another layout: ${found.slice(0, 80)}`);
}

function unusable(sentence: string): BarrageError {
  return new BarrageError('data_folder', sentence, { field: 'dataFolder' });
}

class LmdbStore implements Store {
  readonly #env: LmdbEnv;
  readonly #lock: Cancel;
  readonly #clock: Clock;
  readonly #leases = new LeaseTable();
  readonly #members = new MemberTable();
  readonly #queue: CommitQueue<CommitGroup>;
  #sweepAt = 0;
  #closing: Promise<void> | undefined;

  constructor(env: LmdbEnv, lock: Cancel, clock: Clock) {
    this.#env = env;
    this.#lock = lock;
    this.#clock = clock;
    // The folder is ours alone, so whoever held a shard is gone: only the epochs live on.
    for (const [key, epoch] of env.range(keys.shardKeys)) {
      this.#leases.recall(Number(keys.afterParts(key, 1)), Number(epoch));
    }
    this.#queue = new CommitQueue<CommitGroup>(
      () => this.#newGroup(),
      (group) => env.write(group.writes),
    );
  }

  async acquire(shard: number, owner: string, ttlMs: number): Promise<number | undefined> {
    this.#checkOpen();
    const epoch = this.#leases.acquire(shard, owner, ttlMs, this.#clock.now());
    if (epoch === undefined) return undefined;
    try {
      await this.#queue.add((group) => group.set(keys.shardKey(shard), String(epoch)), {
        bytes: 0,
        alone: false,
      });
    } catch (error) {
      this.#leases.release({ shard, epoch });
      throw error;
    }
    return epoch;
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
    const bounds = readBounds(this.#env, room);
    if (bounds === undefined) return undefined;
    const records = new Map<string, string>();
    for (const [key, value] of this.#env.range(keys.recordKeys(room))) {
      records.set(keys.afterParts(key, 2), value);
    }
    const { first, next, bytes } = bounds;
    return { records, firstOffset: first, nextOffset: next, logBytes: bytes };
  }

  async commit(room: RoomId, fence: Fence, changes: RoomChanges): Promise<void> {
    this.#checkOpen();
    this.#leases.check(fence);
    const bytes = sizeOf(changes);
    await this.#queue.add(
      (group) => {
        this.#leases.check(fence);
        group.apply(room, changes);
      },
      { bytes, alone: changes.remove === true },
    );
  }

  async readLog(room: RoomId, from: number, limit: number, bytes: number): Promise<LogEntry[]> {
    this.#checkOpen();
    const entries: LogEntry[] = [];
    const bounds = readBounds(this.#env, room);
    if (bounds === undefined || limit <= 0) return entries;
    let offset = Math.max(from, bounds.first);
    let left = bytes;
    for (const [, json] of this.#env.range(keys.logKeys(room, offset))) {
      left -= Buffer.byteLength(json);
      if (left < 0) break;
      entries.push({ offset: offset++, json });
      if (entries.length >= limit) break;
    }
    return entries;
  }

  async listRooms(after: string, limit: number): Promise<RoomId[]> {
    this.#checkOpen();
    const rooms: RoomId[] = [];
    if (limit <= 0) return rooms;
    for (const [key] of this.#env.range(keys.roomKeysAfter(after))) {
      const id = keys.afterParts(key, 1);
      if (isShelf(id)) continue;
      rooms.push(id as RoomId);
      if (rooms.length >= limit) break;
    }
    return rooms;
  }

  async findKey(room: RoomId, key: string, now: number): Promise<RepliedKey | undefined> {
    this.#checkOpen();
    const text = this.#env.get(keys.replyKey(room, key));
    if (text === undefined) return undefined;
    const kept = JSON.parse(text) as KeptReply;
    return kept.expiresAt > now ? { key, ...kept } : undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue.drain();
    try {
      await this.#env.close();
    } finally {
      this.#lock.cancel();
    }
  }

  #newGroup(): CommitGroup {
    const group = new CommitGroup(this.#env);
    const now = this.#clock.now();
    if (now >= this.#sweepAt) {
      this.#sweepAt = now + SWEEP_EVERY_MS;
      group.sweep(now, SWEEP_KEYS_MAX);
    }
    return group;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new BarrageError('store_failed', 'the store is closed');
  }
}

/** About what the changes weigh while they wait. */
function sizeOf(changes: RoomChanges): number {
  let bytes = 0;
  for (const json of changes.append?.json ?? []) bytes += json.length;
  for (const { json } of changes.rewrite ?? []) bytes += json.length;
  for (const [name, value] of changes.records ?? []) bytes += name.length + (value?.length ?? 0);
  for (const { key, reply } of changes.keys ?? []) bytes += key.length + reply.length;
  return bytes;
}
