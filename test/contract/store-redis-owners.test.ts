/** Who may write to the store in Redis, what it refuses at opening, and what it keeps for how long. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openRedisStore } from '../../src/adapters/redis-store.js';
import { BarrageError } from '../../src/errors.js';
import { silentLog } from '../../src/ports/log.js';
import type { Fence, Store } from '../../src/ports/store.js';
import { REDIS_DEFAULTS, type RedisStoreOptions } from '../../src/redis-settings.js';
import { pusherLease, shardOf } from '../../src/shards.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { Meter } from '../../src/telemetry/meter.js';
import { freePort } from '../kit/free-port.js';
import { ManualClock } from '../kit/manual-clock.js';
import { startDurableRedis, startRedis, type RedisServer } from '../kit/redis-server.js';
import { age, openStoreOn, sample } from '../kit/redis-store.js';
import { codeOf, fenceOf, roomId } from './store-suite.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.ask('FLUSHALL'));
const opened: Store[] = [];
afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));

const open: typeof openStoreOn = async (...args) => {
  const store = await openStoreOn(...args);
  opened.push(store);
  return store;
};

const room = roomId('room');
const shard = shardOf(room);

type Act = 'acquire' | 'commit' | 'renew' | 'release' | 'expire';
interface Step {
  readonly who: 0 | 1 | 2;
  readonly act: Act;
  /** Whether the next step waits for this one. */
  readonly wait: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  who: fc.constantFrom(0 as const, 1 as const, 2 as const),
  act: fc.constantFrom<Act>('acquire', 'acquire', 'commit', 'commit', 'renew', 'release', 'expire'),
  wait: fc.boolean(),
});

/** One process that wants the shard, and what it was told. */
class Owner {
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];
  fence: Fence | undefined;
  #commits = 0;

  constructor(
    readonly name: string,
    readonly store: Store,
    readonly epochs: Map<number, string>,
  ) {}

  async do(act: Act): Promise<void> {
    if (act === 'expire') return age([server], 60_000);
    if (act === 'acquire') return this.#acquire();
    if (this.fence === undefined) return;
    if (act === 'renew') await this.store.renew(this.fence, 60_000);
    if (act === 'release') await this.store.release(this.fence);
    if (act === 'commit') await this.#commit(this.fence);
  }

  async #acquire(): Promise<void> {
    const epoch = await this.store.acquire(shard, this.name, 60_000);
    if (epoch === undefined) return;
    expect(this.epochs.get(epoch), 'an epoch is given once').toBeUndefined();
    this.epochs.set(epoch, this.name);
    if (epoch > (this.fence?.epoch ?? 0)) this.fence = { shard, epoch };
  }

  async #commit(fence: Fence): Promise<void> {
    const from = (await this.store.load(room))?.nextOffset ?? 1;
    const newest = Math.max(...this.epochs.keys());
    const id = `${this.name}.${++this.#commits}`;
    const json = JSON.stringify({ id, epoch: fence.epoch });
    const code = await codeOf(this.store.commit(room, fence, { append: { from, json: [json] } }));
    if (code === 'none') this.acknowledged.push(id);
    else this.refused.push(id);
    expect(
      fence.epoch < newest ? ['fenced', 'conflict'] : ['none', 'fenced', 'conflict'],
    ).toContain(code);
  }
}

it('S-REDIS-7 of owners that race only the newest epoch writes, however their steps fall', async () => {
  const stores = await Promise.all([0, 1, 2].map(() => open([server])));
  const body = async (steps: readonly Step[]): Promise<void> => {
    await server.ask('FLUSHALL');
    const epochs = new Map<number, string>();
    const owners = stores.map((store, index) => new Owner(`o${index}`, store, epochs));
    const running: Promise<void>[] = [];
    for (const { who, act, wait } of steps) {
      running.push(owners[who]!.do(act));
      if (wait) await running.at(-1);
    }
    await Promise.all(running);
    const entries = await stores[0]!.readLog(room, 1, 1000, 1 << 20);
    const log = entries.map(({ json }) => JSON.parse(json) as { id: string; epoch: number });
    const order = log.map(({ epoch }) => epoch);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(log.map(({ id }) => id).sort()).toEqual(owners.flatMap((o) => o.acknowledged).sort());
    for (const { id, epoch } of log) expect(id).toContain(epochs.get(epoch)!);
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), body),
    { numRuns: 150 },
  );
});

it('S-REDIS-7 a room is written under a lease of its own shard only, that of its pusher too', async () => {
  const store = await open([server]);
  const elsewhere = (shard + 1) % 64;
  const epoch = (await store.acquire(elsewhere, 'one', 60_000))!;
  const foreign = store.commit(room, { shard: elsewhere, epoch }, { records: new Map() });
  expect(await codeOf(foreign)).toBe('invalid');
  const lease = pusherLease(shard);
  const pusher = { shard: lease, epoch: (await store.acquire(lease, 'one', 60_000))! };
  await store.commit(room, pusher, { append: { from: 1, json: ['{}'] } });
  expect((await store.load(room))?.nextOffset).toBe(2);
});

it('S-REDIS-7 all keys of a shard lie in one slot, behind the prefix', async () => {
  const store = await open([server], { prefix: 'tv-1' });
  const fence = await fenceOf(store, room);
  const key = { key: 'k', fingerprint: 'f', reply: '{}', expiresAt: Date.now() + 1000 };
  const records = new Map([['m', '1']]);
  await store.commit(room, fence, { append: { from: 1, json: ['{}'] }, records, keys: [key] });
  await store.acquire(pusherLease(shard), 'one', 60_000);
  const keys = (await server.ask('KEYS', '*')) as string[];
  const ours = keys.filter((name) => name !== 'tv-1:layout');
  expect(ours).toHaveLength(8);
  for (const name of ours) expect(name).toMatch(new RegExp(`^tv-1:\\{${shard}\\}:`));
});

async function refusalOf(options: Partial<RedisStoreOptions>): Promise<BarrageError> {
  const parts = { clock: new SystemClock(), log: silentLog, meter: new Meter() };
  const error: unknown = await openRedisStore({ ...REDIS_DEFAULTS, ...options }, parts).then(
    (store) => store.close().then(() => new Error('it opened')),
    (reason: unknown) => reason,
  );
  if (error instanceof BarrageError) return error;
  throw error;
}

it('S-REDIS-10 a server that cannot be reached, or lets nobody in, is refused in one sentence', async () => {
  const absent = `127.0.0.1:${await freePort()}`;
  for (const mode of ['single', 'sentinel', 'cluster'] as const) {
    const refused = await refusalOf({ mode, addresses: [absent], connectTimeoutMs: 300 });
    expect(refused).toMatchObject({ code: 'store_failed', field: 'redis.addresses' });
    expect(refused.message).toMatch(/^Redis at 127\.0\.0\.1:\d+ cannot be used: [^\n]+$/);
  }
  const plain = { addresses: [server.address], tls: true, connectTimeoutMs: 300 };
  expect((await refusalOf(plain)).message).toMatch(/cannot be used: .+/);
  const unread = await refusalOf({ ...plain, tlsAuthority: '/dev/null/ca.pem' });
  expect(unread).toMatchObject({ code: 'config', field: 'redis.tlsAuthority' });
  const locked = await startRedis(['--requirepass', 'open-sesame-1']);
  try {
    const options = { addresses: [locked.address], connectTimeoutMs: 500 };
    const wrong = await refusalOf({ ...options, password: 'hunter2-hunter2' });
    expect(wrong.message).toContain('WRONGPASS');
    expect(wrong.message).not.toContain('hunter2');
    expect((await refusalOf(options)).message).toContain('NOAUTH');
    const store = await open([locked], { password: 'open-sesame-1' });
    await fenceOf(store, room);
  } finally {
    await locked.stop();
  }
});

it('S-REDIS-10 keys of another layout are refused and left as they were', async () => {
  await (await open([server])).close();
  await server.ask('SET', 'barrage:layout', '{"layout":99}');
  const refused = await refusalOf({ addresses: [server.address] });
  expect(refused).toMatchObject({ code: 'store_failed', field: 'redis.prefix' });
  expect(refused.message).toContain('another layout: {"layout":99}');
  expect(await server.ask('GET', 'barrage:layout')).toBe('{"layout":99}');
  await open([server], { prefix: 'other' });
});

it('S-REDIS-12 idempotency keys that ended go with commits, those of a silent room by themselves', async () => {
  const clock = new ManualClock(Date.now());
  const store = await open([server], {}, { clock });
  const fence = await fenceOf(store, room);
  const keys = Array.from({ length: 150 }, (_, i) => ({
    ...{ key: `k${i}`, fingerprint: 'f', reply: '{}', expiresAt: clock.now() + 1000 + i },
  }));
  await store.commit(room, fence, { keys });
  const name = `barrage:{${shard}}:replies:room`;
  const left = () => server.ask('HLEN', name);
  const ttl = Number(await server.ask('PTTL', name));
  expect(ttl).toBeGreaterThan(30_000);
  expect(ttl).toBeLessThan(70_000);
  expect(await server.ask('PTTL', `barrage:{${shard}}:ends:room`)).toBeGreaterThan(30_000);
  clock.advance(2000);
  const counts: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    await store.commit(room, fence, {});
    counts.push(await left());
  }
  expect(counts).toEqual([86, 22, 0]);
});

it('S-REDIS-12 a room keeps a bounded number of idempotency keys; those that end first go, counted', async () => {
  const meter = new Meter();
  const store = await open([server], { pendingBytes: 1 << 30, commandTimeoutMs: 9000 }, { meter });
  const fence = await fenceOf(store, room);
  const now = Date.now();
  for (let from = 0; from < 101_000; from += 20_200) {
    const keys = Array.from({ length: 20_200 }, (_, i) => ({
      ...{
        key: `k${from + i}`,
        fingerprint: 'f',
        reply: '{}',
        expiresAt: now + 600_000 + from + i,
      },
    }));
    await store.commit(room, fence, { keys });
  }
  expect(await server.ask('HLEN', `barrage:{${shard}}:replies:room`)).toBe(100_000);
  expect(sample(meter, 'barrage_redis_keys_forgotten_total')).toBe(1000);
  expect(await store.findKey(room, 'k999', now)).toBeUndefined();
  expect(await store.findKey(room, 'k1000', now)).toBeDefined();
});

it('S-REDIS-12 what was replaced in the log is gone from it, and a large trim is done in one commit', async () => {
  const server2 = await startDurableRedis();
  try {
    const store = await open([server2]);
    const fence = await fenceOf(store, room);
    const json = Array.from({ length: 5000 }, (_, i) => `{"id":"p${i + 1}","text":"secret-${i}"}`);
    await store.commit(room, fence, { append: { from: 1, json } });
    await store.commit(room, fence, { rewrite: [{ offset: 4999, json: '{"kind":"recalled"}' }] });
    const log = `barrage:{${shard}}:log:room`;
    expect(((await server2.ask('HVALS', log)) as string[]).join()).not.toContain('secret-4998"');
    await store.commit(room, fence, { trimBelow: 4901 });
    expect(await server2.ask('HLEN', log)).toBe(100);
    const bytes = Buffer.byteLength(((await server2.ask('HVALS', log)) as string[]).join(''));
    expect(await store.load(room)).toMatchObject({ firstOffset: 4901, logBytes: bytes });
  } finally {
    await server2.stop();
  }
});

it('S-REDIS-11 deploy/redis.conf starts a server that keeps what it acknowledged over kill -9', async () => {
  const config = fileURLToPath(new URL('../../deploy/redis.conf', import.meta.url));
  const tuned = await startRedis([], config);
  try {
    const has = async (name: string) => ((await tuned.ask('CONFIG', 'GET', name)) as string[])[1];
    expect(await has('appendfsync')).toBe('always');
    expect(await has('maxmemory-policy')).toBe('noeviction');
    expect(await has('no-appendfsync-on-rewrite')).toBe('no');
    const store = await open([tuned]);
    const fence = await fenceOf(store, room);
    for (let from = 1; from <= 50; from++) {
      await store.commit(room, fence, { append: { from, json: [`{"id":"${from}"}`] } });
    }
    await tuned.kill();
    await tuned.restart();
    const again = await open([tuned]);
    expect((await again.load(room))?.nextOffset).toBe(51);
  } finally {
    await tuned.stop();
  }
});

it('S-REDIS-11 the user deploy/redis.conf suggests may do all the store does, and no more', async () => {
  const text = readFileSync(new URL('../../deploy/redis.conf', import.meta.url), 'utf8');
  const rule = /^# {3}(user barrage .*)$/m.exec(text)![1]!;
  const words = rule.replace('user ', 'SETUSER ').split(' ');
  await server.ask('ACL', ...words);
  const store = await open([server], { user: 'barrage', password: 'a-long-password' });
  const fence = await fenceOf(store, room);
  await store.commit(room, fence, { append: { from: 1, json: ['{}'] } });
  await store.commit(room, fence, { remove: true });
  expect(await store.listRooms('', 10)).toEqual([]);
  expect(await store.enlist('rooms', 'one', 1000)).toEqual(['one']);
  const foreign = await refusalOf({
    ...{ addresses: [server.address], user: 'barrage', password: 'a-long-password' },
    prefix: 'foreign',
  });
  expect(foreign.message).toContain('NOPERM');
  await server.ask('ACL', 'DELUSER', 'barrage');
});
