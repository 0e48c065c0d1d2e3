/**
 * Owns the store that many processes share: each commit one script in Redis, fenced by the epoch of
 * its shard's lease, told by Redis' clock alone. Keys: redis-keys.ts; scripts: redis-scripts.ts; why
 * so, and what Redis may lose: docs/adr/0017-redis-store.md, docs/redis.md.
 */
import { BarrageError } from '../errors.js';
import type { RoomId } from '../ids.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type {
  Fence,
  LogEntry,
  MemberGroup,
  RepliedKey,
  RoomChanges,
  Store,
  StoredRoom,
} from '../ports/store.js';
import { randomId } from '../random.js';
import { SHARD_COUNT, shardOfLog } from '../shards.js';
import type { Meter } from '../telemetry/meter.js';
import type { KeptReply } from './commit-group.js';
import { checkChanges, EMPTY_LOG } from './log-bounds.js';
import { argumentsOf, onlyShrinks } from './redis-changes.js';
import { RedisCommands, type Done } from './redis-commands.js';
import { failure } from './redis-failure.js';
import { LAYOUT, RedisKeys } from './redis-keys.js';
import type { RedisStoreOptions } from '../redis-settings.js';
import * as scripts from './redis-scripts.js';

export interface RedisStoreParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** What this process knows of a lease it took. */
interface Term {
  readonly epoch: number;
  /** Commits of this epoch handed out so far, and the highest known to be done. */
  seq: number;
  done: number;
}

/** Rejects with `store_failed` and one sentence when Redis cannot be reached or used. */
export async function openRedisStore(
  options: RedisStoreOptions,
  parts: RedisStoreParts,
): Promise<Store> {
  const commands = new RedisCommands(options, parts);
  try {
    await commands.ready();
    const keys = [new RedisKeys(options.prefix).layout];
    const found = await commands.run({ script: scripts.LAYOUT_SCRIPT, keys, args: [LAYOUT] });
    if (found !== LAYOUT) {
      const layout = String(found).slice(0, 80);
      const sentence = `the keys ${options.prefix}: in Redis are of another layout: ${layout}`;
      throw new BarrageError('store_failed', sentence, { field: 'redis.prefix' });
    }
    return new RedisStore(options, commands, parts);
  } catch (error) {
    await commands.close();
    throw error;
  }
}

class RedisStore implements Store {
  readonly #options: RedisStoreOptions;
  readonly #commands: RedisCommands;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keys: RedisKeys;
  /** Two processes could hold the same epoch after Redis lost some: this tells them apart. */
  readonly #writer = randomId();
  readonly #terms = new Map<number, Term>();

  constructor(options: RedisStoreOptions, commands: RedisCommands, parts: RedisStoreParts) {
    this.#options = options;
    this.#commands = commands;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#keys = new RedisKeys(options.prefix);
  }

  async acquire(shard: number, owner: string, ttlMs: number): Promise<number | undefined> {
    const args = [owner, this.#writer, String(ttlMs)];
    const epoch = await this.#run(scripts.ACQUIRE, [this.#keys.lease(shard)], args);
    if (typeof epoch !== 'number') return undefined;
    const before = this.#terms.get(shard);
    if (before === undefined || before.epoch < epoch) {
      this.#terms.set(shard, { epoch, seq: 0, done: 0 });
    }
    return epoch;
  }

  async renew(fence: Fence, ttlMs: number): Promise<boolean> {
    const { epoch, done } = this.#termOf(fence) ?? { epoch: fence.epoch, done: 0 };
    const args = [epoch, this.#writer, done, ttlMs].map(String);
    const renewed = await this.#run(scripts.RENEW, [this.#keys.lease(fence.shard)], args);
    if (renewed === -1) this.#wentBack(fence);
    return renewed === 1;
  }

  async release({ shard, epoch }: Fence): Promise<void> {
    await this.#run(scripts.RELEASE, [this.#keys.lease(shard)], [String(epoch), this.#writer]);
  }

  async enlist(group: MemberGroup, member: string, ttlMs: number): Promise<readonly string[]> {
    const args = [member, String(ttlMs)];
    const names = (await this.#run(scripts.ENLIST, [this.#keys.members(group)], args)) as string[];
    return names.sort();
  }

  async delist(group: MemberGroup, member: string): Promise<void> {
    await this.#run(scripts.DELIST, [this.#keys.members(group)], [member]);
  }

  async load(room: RoomId): Promise<StoredRoom | undefined> {
    const shard = shardOfLog(room);
    const keys = this.#keys.ofRoom(room);
    const found = await this.#commands.read(
      { script: scripts.LOAD, keys: [this.#keys.lease(shard), keys.room, keys.records], args: [] },
      this.#lineOf(shard),
    );
    if (!Array.isArray(found)) return undefined;
    const [lease, bounds, pairs] = found as [(string | null)[], string[], string[]];
    this.#seen(shard, lease);
    const records = new Map<string, string>();
    for (let i = 0; i < pairs.length; i += 2) records.set(pairs[i]!, pairs[i + 1]!);
    const [firstOffset = 1, nextOffset = 1, logBytes = 0] = bounds.map(Number);
    return { records, firstOffset, nextOffset, logBytes };
  }

  async commit(room: RoomId, fence: Fence, changes: RoomChanges): Promise<void> {
    // What only the log can tell, the script looks at.
    checkChanges(changes, { ...EMPTY_LOG, next: changes.append?.from ?? EMPTY_LOG.next });
    const shard = shardOfLog(room);
    if (fence.shard % SHARD_COUNT !== shard) {
      const detail = { field: 'fence', rule: `shard ${shard}` };
      throw new BarrageError('invalid', `room ${room} is of shard ${shard}`, detail);
    }
    const term = this.#termOf(fence);
    if (term === undefined) throw fenced(fence, 'it was not taken here, or given anew');
    const right = { ...term, writer: this.#writer, seq: ++term.seq };
    const keys = this.#keys.ofRoom(room);
    const call = {
      script: onlyShrinks(changes) ? scripts.SHRINK : scripts.COMMIT,
      keys: [this.#keys.lease(fence.shard), ...Object.values(keys), this.#keys.rooms(shard)],
      args: argumentsOf(room, changes, right, this.#clock.now()),
    };
    const done = await this.#commands.commit(call, this.#lineOf(shard));
    this.#settle(done, fence, term, right.seq);
  }

  async readLog(room: RoomId, from: number, limit: number, bytes: number): Promise<LogEntry[]> {
    const keys = this.#keys.ofRoom(room);
    const args = [from, limit, bytes].map(String);
    const found = (await this.#run(scripts.READ, [keys.room, keys.log], args)) as [
      number,
      ...string[],
    ];
    const [first, ...texts] = found;
    return texts.map((json, index) => ({ offset: first + index, json }));
  }

  async listRooms(after: string, limit: number): Promise<RoomId[]> {
    if (limit <= 0) return [];
    const args = [after === '' ? '-' : `(${after}`, String(limit)];
    const shards = Array.from({ length: SHARD_COUNT }, (_, shard) => this.#keys.rooms(shard));
    const lists = await Promise.all(shards.map((key) => this.#run(scripts.LIST, [key], args)));
    return (lists as RoomId[][]).flat().sort().slice(0, limit);
  }

  async findKey(room: RoomId, key: string, now: number): Promise<RepliedKey | undefined> {
    const call = { script: scripts.FIND, keys: [this.#keys.ofRoom(room).replies], args: [key] };
    const text = await this.#commands.read(call, this.#lineOf(shardOfLog(room)));
    if (typeof text !== 'string') return undefined;
    const kept = JSON.parse(text) as KeptReply;
    return kept.expiresAt > now ? { key, ...kept } : undefined;
  }

  close(): Promise<void> {
    return this.#commands.close();
  }

  #run(script: scripts.Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.#commands.run({ script, keys, args });
  }

  /** Commits of one line go to one server, one after another. */
  #lineOf(shard: number): number {
    return this.#options.mode === 'cluster' ? shard : 0;
  }

  #termOf({ shard, epoch }: Fence): Term | undefined {
    const term = this.#terms.get(shard);
    return term?.epoch === epoch ? term : undefined;
  }

  /** What a reader saw counts as done: whoever relies on it must hear when it is gone. */
  #seen(shard: number, [epoch, writer, seq]: readonly (string | null)[]): void {
    const term = this.#terms.get(shard);
    if (term === undefined || writer !== this.#writer || Number(epoch) !== term.epoch) return;
    term.done = Math.max(term.done, Number(seq));
  }

  #settle({ reply, replicas }: Done, fence: Fence, term: Term, seq: number): void {
    const [word, detail] = reply as [string, string | number];
    if (word === 'fenced') throw fenced(fence, detail === '' ? 'nobody has it' : `it is ${detail}`);
    if (word === 'back') {
      this.#wentBack(fence);
      throw fenced(fence, 'Redis lost commits of this epoch');
    }
    if (word === 'late') throw failure('refused', 'a later commit of the shard went first').error;
    if (word === 'conflict') {
      throw new BarrageError('conflict', `the next offset is ${detail}`);
    }
    term.done = Math.max(term.done, seq);
    this.#commands.meters.keysForgotten.add(Number(detail));
    this.#commands.checkReplicas(replicas);
  }

  #wentBack({ shard, epoch }: Fence): void {
    this.#commands.meters.wentBack.add();
    this.#log.error('Redis lost commits it had acknowledged; the shard is taken anew', {
      ...{ shard, epoch },
    });
  }
}

function fenced({ shard, epoch }: Fence, why: string): BarrageError {
  return new BarrageError('fenced', `shard ${shard}, epoch ${epoch}: ${why}`);
}
