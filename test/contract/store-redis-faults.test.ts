/** What Redis can do to its store: die, freeze, cut, fill up, fail over, forget. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import type { Fence, RoomChanges, Store } from '../../src/ports/store.js';
import { shardOf } from '../../src/shards.js';
import { Meter } from '../../src/telemetry/meter.js';
import { ManualClock } from '../kit/manual-clock.js';
import {
  startClusterReplica,
  startDurableRedis,
  startRedis,
  startRedisCluster,
  startReplica,
  startSentinels,
  until,
  type RedisServer,
} from '../kit/redis-server.js';
import { openStoreOn, sample } from '../kit/redis-store.js';
import { startSentinelDouble } from '../kit/sentinel-double.js';
import { codeOf, fenceOf, roomId } from './store-suite.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function kept<T extends RedisServer | readonly RedisServer[]>(servers: T): T {
  const all = Array.isArray(servers) ? (servers as RedisServer[]) : [servers as RedisServer];
  cleanups.push(() => Promise.all(all.map((server) => server.stop())));
  return servers;
}

const open: typeof openStoreOn = async (...args) => {
  const store = await openStoreOn(...args);
  cleanups.push(() => store.close());
  return store;
};

const room = roomId('room');

function entry(offset: number, more: Partial<RoomChanges> = {}): RoomChanges {
  const records = new Map([['meta', String(offset + 1)]]);
  return { append: { from: offset, json: [`{"id":"p${offset}"}`] }, records, ...more };
}

async function refusalOf(promise: Promise<unknown>): Promise<BarrageError> {
  const error: unknown = await promise.then(
    () => new Error('it was done'),
    (reason: unknown) => reason,
  );
  if (error instanceof BarrageError) return error;
  throw error;
}

/** The next offset, after checking that the log is whole and agrees with the record of its commit. */
async function checkedNext(store: Store, of: RoomId): Promise<number> {
  const loaded = await store.load(of);
  const next = loaded?.nextOffset ?? 1;
  expect(loaded?.records.get('meta') ?? '1').toBe(String(next));
  const entries = await store.readLog(of, 1, 1_000_000, 1 << 28);
  expect(entries).toEqual(
    Array.from({ length: next - 1 }, (_, i) => ({ offset: i + 1, json: `{"id":"p${i + 1}"}` })),
  );
  return next;
}

/** Appends one after another until a commit fails; answers the next offset acknowledged. */
async function writeOn(store: Store, of: RoomId, fence: Fence, from: number): Promise<number> {
  for (let next = from; ; next++) {
    try {
      await store.commit(of, fence, entry(next));
    } catch {
      return next;
    }
  }
}

it('S-REDIS-1 after kill -9 every acknowledged commit is there, whole, and writing goes on', async () => {
  const server = kept(await startDurableRedis());
  const meter = new Meter();
  const store = await open([server], {}, { meter });
  const rooms = ['a', 'b', 'c'].map(roomId);
  const fences = new Map<RoomId, Fence>();
  for (const each of rooms) fences.set(each, await fenceOf(store, each));
  const next = new Map(rooms.map((each) => [each, 1]));
  for (let round = 0; round < 3; round++) {
    const writing = rooms.map(async (each) => {
      next.set(each, await writeOn(store, each, fences.get(each)!, next.get(each)!));
    });
    await until(async () => (await checkedLength(store, rooms[2]!)) > 60 * (round + 1));
    await server.kill();
    await Promise.all(writing);
    await server.restart();
    await until(async () => (await store.load(rooms[0]!)) !== undefined);
    for (const each of rooms) {
      const there = await checkedNext(store, each);
      expect(there).toBeGreaterThanOrEqual(next.get(each)!);
      expect(there).toBeLessThanOrEqual(next.get(each)! + 1);
      next.set(each, there);
    }
  }
  expect(sample(meter, 'barrage_redis_reconnects_total')).toBe(3);
  expect(sample(meter, 'barrage_redis_went_back_total')).toBe(0);
});

async function checkedLength(store: Store, of: RoomId): Promise<number> {
  return ((await store.load(of))?.nextOffset ?? 1) - 1;
}

it('S-REDIS-2 a server that stops answering fails commands in time, and is used again when it answers', async () => {
  const server = kept(await startRedis());
  const meter = new Meter();
  const store = await open([server], { commandTimeoutMs: 250 }, { meter });
  const fence = await fenceOf(store, room);
  await store.commit(room, fence, entry(1));
  server.freeze();
  const started = performance.now();
  const refused = await refusalOf(store.commit(room, fence, entry(2)));
  expect(performance.now() - started).toBeLessThan(2000);
  expect(refused).toMatchObject({ code: 'store_failed', retryAfterMs: expect.any(Number) });
  expect(refused.message).toContain('not known');
  expect(sample(meter, 'barrage_redis_failures_total', 'timeout')).toBe(1);
  // Silent for long: the connection is given up, and commands fail at once.
  await until(() => sample(meter, 'barrage_redis_connected') === 0);
  expect((await refusalOf(store.load(room))).message).toContain('down');
  server.resume();
  await until(async () => (await codeOf(store.load(room))) === 'none');
  const next = await checkedNext(store, room);
  expect([2, 3]).toContain(next);
  await store.commit(room, fence, entry(next));
});

it('S-REDIS-2 a commit that arrives after a later one of its shard is not done', async () => {
  const server = kept(await startRedis());
  const store = await open([server], { commandTimeoutMs: 200 });
  const fence = await fenceOf(store, room);
  const set = (value: string): RoomChanges => ({ records: new Map([['m', value]]) });
  await store.commit(room, fence, set('first'));
  const key = ((await server.ask('KEYS', '*:lease')) as string[])[0]!;
  for (let round = 1; round <= 5; round++) {
    server.freeze();
    const unanswered = store.commit(room, fence, set(`late ${round}`));
    expect(await codeOf(unanswered)).toBe('store_failed');
    server.resume();
    await until(async () => (await codeOf(store.commit(room, fence, set('new')))) === 'none');
    expect((await store.load(room))!.records.get('m')).toBe('new');
  }
  // As if one more had gone first, whichever way the network took.
  const before = (await server.ask('HINCRBY', key, 'seq', 5)) as number;
  const late = await refusalOf(store.commit(room, fence, set('late')));
  expect(late).toMatchObject({ code: 'store_failed', retryAfterMs: expect.any(Number) });
  expect((await store.load(room))!.records.get('m')).toBe('new');
  await until(async () => (await codeOf(store.commit(room, fence, set('newer')))) === 'none');
  expect(Number(await server.ask('HGET', key, 'seq'))).toBeGreaterThan(before);
});

it('S-REDIS-3 without a connection commands fail at once, and it comes back by itself', async () => {
  const server = kept(await startDurableRedis());
  // A clock that stands still: nothing here ends by a deadline.
  const clock = new ManualClock(Date.now());
  const meter = new Meter();
  const store = await open([server], {}, { clock, meter });
  const fence = await fenceOf(store, room);
  await store.commit(room, fence, entry(1));
  await server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => sample(meter, 'barrage_redis_reconnects_total') === 1);
  await store.commit(room, fence, entry(2));
  await server.kill();
  await until(() => sample(meter, 'barrage_redis_connected') === 0);
  for (const command of [
    store.load(room),
    store.commit(room, fence, entry(3)),
    store.renew(fence, 1),
  ]) {
    const refused = await refusalOf(command);
    expect(refused).toMatchObject({ code: 'store_failed', retryAfterMs: expect.any(Number) });
  }
  expect(sample(meter, 'barrage_redis_failures_total', 'down')).toBe(3);
  await server.restart();
  await until(() => sample(meter, 'barrage_redis_connected') === 1);
  expect(await store.renew(fence, 60_000)).toBe(true);
  await store.commit(room, fence, entry(3));
  expect(await checkedNext(store, room)).toBe(4);
});

it('S-REDIS-3 commands under way when the connection is cut are failed, none is sent twice', async () => {
  const server = kept(await startRedis());
  const store = await open([server]);
  const fence = await fenceOf(store, room);
  for (let round = 0; round < 5; round++) {
    const from = await checkedNext(store, room);
    server.freeze();
    const codes = [0, 1, 2].map((i) => codeOf(store.commit(room, fence, entry(from + i))));
    server.resume();
    await server.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const acknowledged = (await Promise.all(codes)).filter((code) => code === 'none').length;
    await until(async () => (await codeOf(store.load(room))) === 'none');
    expect(await checkedNext(store, room)).toBeGreaterThanOrEqual(from + acknowledged);
  }
});

it('S-REDIS-4 what waits for Redis is bounded in number and bytes; more is refused', async () => {
  const server = kept(await startRedis());
  const meter = new Meter();
  const clock = new ManualClock(Date.now());
  const store = await open([server], { pendingCount: 10, pendingBytes: 20_000 }, { meter, clock });
  const fence = await fenceOf(store, room);
  server.freeze();
  const waiting = Array.from({ length: 10 }, () => codeOf(store.load(room)));
  expect((await refusalOf(store.load(room))).message).toContain('too many');
  expect(sample(meter, 'barrage_redis_pending')).toBe(10);
  server.resume();
  expect(await Promise.all(waiting)).toEqual(new Array(10).fill('none'));
  server.freeze();
  const large = (size: number): RoomChanges => ({ records: new Map([['m', 'x'.repeat(size)]]) });
  const first = codeOf(store.commit(room, fence, large(50_000)));
  expect(await codeOf(store.commit(room, fence, large(1)))).toBe('store_failed');
  expect(sample(meter, 'barrage_redis_failures_total', 'busy')).toBe(2);
  server.resume();
  expect(await first).toBe('none');
  expect(sample(meter, 'barrage_redis_pending_bytes')).toBe(0);
});

it('S-REDIS-5 a failover by sentinels takes seconds, and with WAIT loses nothing acknowledged', async () => {
  const master = kept(await startRedis());
  const replicas = await Promise.all([startReplica(master), startReplica(master)]);
  replicas.forEach(kept);
  const sentinels = kept(await startSentinels(master, 'barrage'));
  const options = { mode: 'sentinel', waitReplicas: 1, commandTimeoutMs: 800 } as const;
  const store = await open(sentinels, options);
  const fence = await fenceOf(store, room);
  const writing = writeOn(store, room, fence, 1);
  await until(async () => (await checkedLength(store, room)) > 100);
  await master.kill();
  const acknowledged = await writing;
  const isMaster = async (server: RedisServer) =>
    String(await server.ask('INFO', 'replication')).includes('role:master');
  // How long the sentinels take to agree is theirs; what follows is ours.
  await until(async () => (await Promise.all(replicas.map(isMaster))).includes(true), 40_000);
  const promoted = performance.now();
  await until(async () => (await codeOf(store.load(room))) === 'none');
  const next = await checkedNext(store, room);
  expect(next).toBeGreaterThanOrEqual(acknowledged);
  await until(async () => (await codeOf(store.renew(fence, 60_000))) === 'none');
  expect(await store.renew(fence, 60_000)).toBe(true);
  await until(async () => {
    const from = await checkedNext(store, room);
    return (await codeOf(store.commit(room, fence, entry(from)))) === 'none';
  });
  expect(performance.now() - promoted).toBeLessThan(8000);
}, 80_000);

it('S-REDIS-5 a failover told of just while it connects does not end it', async () => {
  const server = kept(await startRedis());
  const sentinel = await startSentinelDouble(server.port);
  cleanups.push(async () => sentinel.stop());
  const store = await open([{ ...server, address: sentinel.address }], { mode: 'sentinel' });
  await until(() => sentinel.listeners() > 0);
  const asked = sentinel.asked();
  sentinel.answerAfter(300);
  await server.ask('CLIENT', 'KILL', 'TYPE', 'normal');
  await until(() => sentinel.asked() > asked);
  sentinel.tellSwitch();
  sentinel.answerAfter(0);
  await until(async () => (await codeOf(store.load(room))) !== 'none');
  await until(async () => (await codeOf(store.load(room))) === 'none', 3000);
});

it('S-REDIS-5 what too few replicas have is not acknowledged', async () => {
  const server = kept(await startRedis());
  const meter = new Meter();
  // A second wait, as after a script that has to be told first, would be over the time of a command.
  const options = { waitReplicas: 1, waitMs: 600, commandTimeoutMs: 1000 };
  const store = await open([server], options, { meter });
  const fence = await fenceOf(store, room);
  const refused = await refusalOf(store.commit(room, fence, entry(1)));
  expect(refused).toMatchObject({ code: 'store_failed', retryAfterMs: expect.any(Number) });
  expect(sample(meter, 'barrage_redis_failures_total', 'replicas')).toBe(1);
  // It was written all the same, and is not taken for kept by reading it either.
  expect(await refusalOf(store.load(room))).toMatchObject({ code: 'store_failed' });
  expect(await refusalOf(store.findKey(room, 'key', 0))).toMatchObject({ code: 'store_failed' });
  expect(sample(meter, 'barrage_redis_failures_total', 'replicas')).toBe(3);
  kept(await startReplica(server));
  // The room looks again, as after any conflict.
  expect(await codeOf(store.commit(room, fence, entry(1)))).toBe('conflict');
  await store.commit(room, fence, entry(await checkedNext(store, room)));
  await server.ask('SCRIPT', 'FLUSH');
  const more = [3, 4, 5].map((offset) => store.commit(room, fence, entry(offset)));
  await Promise.all(more);
  expect(await checkedNext(store, room)).toBe(6);
});

it('S-REDIS-5 a replica that comes after the writing does not count, whatever Redis says', async () => {
  const server = kept(await startRedis());
  const meter = new Meter();
  const options = { waitReplicas: 1, waitMs: 4000, commandTimeoutMs: 6000 };
  const store = await open([server], options, { meter });
  const fence = await fenceOf(store, room);
  const before = Number(await server.ask('DBSIZE'));
  const refusing = refusalOf(store.commit(room, fence, entry(1)));
  await until(async () => Number(await server.ask('DBSIZE')) > before);
  kept(await startReplica(server));
  expect(await refusing).toMatchObject({ code: 'store_failed' });
  expect(sample(meter, 'barrage_redis_failures_total', 'replicas')).toBe(1);
  const next = await checkedNext(store, room);
  await store.commit(room, fence, entry(next));
  expect(await checkedNext(store, room)).toBe(next + 1);
});

it('S-REDIS-6 out of memory is store_full with nothing half written; what takes away goes on', async () => {
  const server = kept(await startRedis(['--maxmemory-policy', 'noeviction']));
  const store = await open([server]);
  const fence = await fenceOf(store, room);
  await server.ask('CONFIG', 'SET', 'maxmemory', String(4 << 20));
  const big = 'x'.repeat(100_000);
  let refused: BarrageError | undefined;
  let next = 1;
  while (refused === undefined) {
    const changes = entry(next, { keys: [keyOf(next)], trimBelow: 1 });
    const records = new Map([...changes.records!, [`r${next}`, big] as const]);
    try {
      await store.commit(room, fence, { ...changes, records });
      next++;
    } catch (error) {
      refused = error as BarrageError;
    }
  }
  expect(refused).toMatchObject({ code: 'store_full', retryAfterMs: expect.any(Number) });
  expect(next).toBeGreaterThan(5);
  expect(await checkedNext(store, room)).toBe(next);
  expect((await store.load(room))!.records.has(`r${next}`)).toBe(false);
  expect(await store.findKey(room, `k${next}`, 0)).toBeUndefined();
  expect(await store.findKey(room, `k${next - 1}`, 0)).toBeDefined();
  expect(await store.renew(fence, 60_000)).toBe(true);
  expect(await store.enlist('rooms', 'one', 60_000)).toEqual(['one']);
  const away = new Map(Array.from({ length: 3 }, (_, i) => [`r${i + 1}`, null] as const));
  await store.commit(room, fence, { records: away, trimBelow: 1 });
  await store.commit(room, fence, entry(next));
  await store.commit(room, fence, { remove: true });
  expect(await store.load(room)).toBeUndefined();
});

function keyOf(n: number) {
  return { key: `k${n}`, fingerprint: 'f', reply: '{}', expiresAt: Date.now() + 60_000 };
}

it('S-REDIS-6 a server that cannot write its disk is store_full, until it can', async () => {
  const server = kept(await startRedis(['--save', '3600', '1']));
  const store = await open([server]);
  const fence = await fenceOf(store, room);
  await store.commit(room, fence, entry(1));
  const obstacle = join(server.folder, 'dump.rdb');
  rmSync(obstacle, { force: true });
  mkdirSync(obstacle);
  writeFileSync(join(obstacle, 'in-the-way'), '');
  const saved = async (status: string) =>
    String(await server.ask('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${status}`);
  await server.ask('BGSAVE');
  await until(() => saved('err'));
  expect(await codeOf(store.commit(room, fence, entry(2)))).toBe('store_full');
  expect(await checkedNext(store, room)).toBe(2);
  rmSync(obstacle, { recursive: true });
  await server.ask('BGSAVE');
  await until(() => saved('ok'));
  await store.commit(room, fence, entry(2));
});

it('S-REDIS-8 a server that lost commits it had acknowledged fences the epoch they were made under', async () => {
  const server = kept(await startRedis(['--save', '3600', '1000000']));
  const meter = new Meter();
  const store = await open([server], {}, { meter });
  const fence = await fenceOf(store, room);
  for (let next = 1; next <= 3; next++) await store.commit(room, fence, entry(next));
  await server.ask('SAVE');
  for (let next = 4; next <= 6; next++) await store.commit(room, fence, entry(next));
  await server.kill();
  await server.restart();
  await until(async () => (await codeOf(store.load(room))) === 'none');
  // Going on under the same epoch would give offsets away that viewers have seen.
  expect(await codeOf(store.commit(room, fence, entry(4)))).toBe('fenced');
  expect(await store.renew(fence, 60_000)).toBe(false);
  expect(sample(meter, 'barrage_redis_went_back_total')).toBe(2);
  const anew = await fenceOf(store, room);
  expect(anew.epoch).toBeGreaterThan(fence.epoch);
  expect(await checkedNext(store, room)).toBe(4);
  await store.commit(room, anew, entry(4));
});

it('S-REDIS-8 an epoch Redis forgot writes nothing, though it is newer, or the same given twice', async () => {
  const server = kept(await startRedis());
  const [one, two] = [await open([server]), await open([server])];
  const fence = await fenceOf(one, room);
  await server.ask('FLUSHALL');
  expect(await codeOf(one.commit(room, fence, entry(1)))).toBe('fenced');
  expect(await one.renew(fence, 60_000)).toBe(false);
  // Another takes it with the epoch the first has, as it may within the same second.
  const lease = `barrage:{${fence.shard}}:lease`;
  await server.ask('HSET', lease, 'epoch', fence.epoch - 1, 'owner', '');
  const again = await fenceOf(two, room, 'two');
  await server.ask('HSET', lease, 'epoch', fence.epoch);
  expect(again.epoch).toBeGreaterThanOrEqual(fence.epoch);
  expect(await codeOf(one.commit(room, fence, entry(1)))).toBe('fenced');
  expect(await one.renew(fence, 60_000)).toBe(false);
  await one.release(fence);
  expect(await one.acquire(fence.shard, 'one', 60_000)).toBeUndefined();
});

it('S-REDIS-9 the loss of a node of a cluster costs the other shards nothing, and it is used again', async () => {
  const nodes = kept(await startRedisCluster());
  const store = await open(nodes.slice(0, 2), { mode: 'cluster', commandTimeoutMs: 400 });
  const lost = nodes[2]!;
  const rooms = Array.from({ length: 12 }, (_, i) => roomId(`r${i}`));
  const fences = new Map<RoomId, Fence>();
  for (const each of rooms) {
    fences.set(each, await fenceOf(store, each));
    await store.commit(each, fences.get(each)!, entry(1));
  }
  const there = ((await lost.ask('KEYS', '*:room:*')) as string[]).map((key) =>
    key.split(':').at(-1)!,
  );
  expect(there.length).toBeGreaterThan(0);
  expect(there.length).toBeLessThan(rooms.length);
  const elsewhere = rooms.find((each) => !there.includes(each))!;
  for (const node of nodes) await node.ask('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
  await lost.kill();
  expect(await codeOf(store.load(there[0] as RoomId))).toBe('store_failed');
  await store.commit(elsewhere, fences.get(elsewhere)!, entry(2));
  await lost.restart();
  const back = roomId(there[0]!);
  await until(async () => (await codeOf(store.load(back))) === 'none');
  await store.commit(back, await fenceOf(store, back), entry(1));
});

it.each([0, 1])(
  'S-REDIS-9 a shard that moves to another node is followed (replicas %i)',
  async (n) => {
    const nodes = kept(await startRedisCluster());
    const replicas = await Promise.all(nodes.map((node) => startClusterReplica(node)));
    kept(replicas);
    const store = await open(nodes, { mode: 'cluster', waitReplicas: n, waitMs: 300 });
    const [before] = nodes;
    const hasReplica = async () =>
      String(await before!.ask('INFO', 'replication')).includes('state=online');
    await until(hasReplica);
    const each = roomId('moving');
    const shard = shardOf(each);
    const slot = Number(await before!.ask('CLUSTER', 'KEYSLOT', `barrage:{${shard}}:lease`));
    const owner = nodes[Math.floor((slot * 3) / 16_384)]!;
    const to = nodes.find((node) => node !== owner)!;
    const fence = await fenceOf(store, each);
    await until(async () => (await codeOf(store.commit(each, fence, entry(1)))) !== 'store_failed');
    const id = String(await to.ask('CLUSTER', 'MYID'));
    await to.ask(
      'CLUSTER',
      'SETSLOT',
      slot,
      'IMPORTING',
      String(await owner.ask('CLUSTER', 'MYID')),
    );
    await owner.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', id);
    const keys = (await owner.ask('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
    await owner.ask('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    for (const node of [to, owner, ...nodes])
      await node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', id);
    await until(async () => (await codeOf(store.commit(each, fence, entry(2)))) !== 'store_failed');
    expect(await checkedNext(store, each)).toBe(3);
    expect(await to.ask('EXISTS', `barrage:{${shard}}:lease`)).toBe(1);
  },
  30_000,
);
