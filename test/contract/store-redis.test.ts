/** The store in Redis keeps the contract on one server, under sentinels and in a cluster. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { RedisStoreOptions } from '../../src/redis-settings.js';
import { parseRoomId, type RoomId } from '../../src/ids.js';
import type { Fence, RoomChanges, Store } from '../../src/ports/store.js';
import { shardOf } from '../../src/shards.js';
import { ManualClock } from '../kit/manual-clock.js';
import {
  startRedis,
  startRedisCluster,
  startReplica,
  startSentinels,
} from '../kit/redis-server.js';
import type { RedisServer } from '../kit/redis-server.js';
import { age, openStoreOn } from '../kit/redis-store.js';
import { codeOf, storeContract, type OpenedStore } from './store-suite.js';

interface Setup {
  /** Where the store is told to look. */
  readonly known: readonly RedisServer[];
  /** Where the data is. */
  readonly masters: readonly RedisServer[];
  readonly all: readonly RedisServer[];
  readonly options: Partial<RedisStoreOptions>;
}

async function single(): Promise<Setup> {
  const server = await startRedis();
  return { known: [server], masters: [server], all: [server], options: {} };
}

async function sentinel(): Promise<Setup> {
  const master = await startRedis();
  const replica = await startReplica(master);
  const sentinels = await startSentinels(master, 'barrage');
  return {
    known: sentinels,
    masters: [master],
    all: [master, replica, ...sentinels],
    options: { mode: 'sentinel', waitReplicas: 1 },
  };
}

async function cluster(): Promise<Setup> {
  const nodes = await startRedisCluster();
  const options = { mode: 'cluster' } as const;
  return { known: nodes.slice(0, 1), masters: nodes, all: nodes, options };
}

describe.each([
  ['Redis', single],
  ['Redis under sentinels, waiting for its replica', sentinel],
  ['Redis as a cluster', cluster],
])('%s', (name, start) => {
  let setup: Setup;
  beforeAll(async () => {
    setup = await start();
  });
  afterAll(() => Promise.all(setup.all.map((server) => server.stop())));

  storeContract(name, async (): Promise<OpenedStore> => {
    await Promise.all(setup.masters.map((master) => master.ask('FLUSHALL')));
    const clock = new ManualClock(Date.now());
    const openStore = () => openStoreOn(setup.known, setup.options, { clock });
    let store = await openStore();
    return {
      store,
      clock,
      time: () => Date.now(),
      pass: (ms) => age(setup.masters, ms),
      reopen: async () => {
        await store.close();
        store = await openStore();
        // Who held a lease before is another process: it would have to run out.
        await age(setup.masters, 60_000);
        return store;
      },
      close: () => store.close(),
    };
  });

  it('S-1 it agrees with the store in memory after any sequence of commits', async () => {
    await Promise.all(setup.masters.map((master) => master.ask('FLUSHALL')));
    await agree(await openStoreOn(setup.known, setup.options));
  });
});

const text = fc.string({ maxLength: 20, unit: 'grapheme' });
const key = fc.record({
  key: fc.constantFrom('k', 'l'),
  fingerprint: text,
  reply: text,
  expiresAt: fc.constantFrom(50, 5_000_000_000_000),
});
const changes: fc.Arbitrary<RoomChanges> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ remove: true }) },
  {
    weight: 12,
    arbitrary: fc.record(
      {
        append: fc.record({ from: fc.integer({ min: 1, max: 9 }), json: fc.array(text) }),
        rewrite: fc.array(fc.record({ offset: fc.integer({ min: 0, max: 12 }), json: text })),
        trimBelow: fc.integer({ min: 0, max: 14 }),
        records: fc
          .array(fc.tuple(fc.constantFrom('m', 'n', 'm!'), fc.option(text)))
          .map((pairs) => new Map(pairs)),
        keys: fc.array(key, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
);
const rooms = ['a', 'b'].map((room) => parseRoomId(room)!);
const step = fc.record({ room: fc.constantFrom(...rooms), changes, aim: fc.boolean() });

async function look(store: Store): Promise<unknown[]> {
  const seen: unknown[] = [await store.listRooms('', 10)];
  for (const room of rooms) {
    seen.push(await store.load(room), await store.readLog(room, 0, 100, 1 << 20));
    seen.push(await store.readLog(room, 3, 2, 30), await store.findKey(room, 'k', 1000));
  }
  return seen;
}

async function fencesOf(store: Store): Promise<Map<RoomId, Fence>> {
  const fences = new Map<RoomId, Fence>();
  for (const room of rooms) {
    const shard = shardOf(room);
    fences.set(room, { shard, epoch: (await store.acquire(shard, 'x', 60_000))! });
    await store.commit(room, fences.get(room)!, { remove: true });
  }
  return fences;
}

async function agree(redis: Store): Promise<void> {
  const body = async (
    steps: readonly { room: RoomId; changes: RoomChanges; aim: boolean }[],
  ): Promise<void> => {
    const memory = new MemoryStore(new ManualClock());
    const fences = [await fencesOf(memory), await fencesOf(redis)] as const;
    for (const { room, changes: drawn, aim } of steps) {
      const from = (await memory.load(room))?.nextOffset ?? 1;
      const aimed =
        aim && drawn.append !== undefined ? { ...drawn, append: { ...drawn.append, from } } : drawn;
      const expected = await codeOf(memory.commit(room, fences[0].get(room)!, aimed));
      expect(await codeOf(redis.commit(room, fences[1].get(room)!, aimed))).toBe(expected);
    }
    expect(await look(redis)).toEqual(await look(memory));
  };
  try {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), body), { numRuns: 60 });
  } finally {
    await redis.close();
  }
}
