/** Both stores keep the contract, and agree on whatever is done to them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openEmbeddedStore } from '../../src/adapters/lmdb-store.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { RoomChanges, Store } from '../../src/ports/store.js';
import { ManualClock } from '../kit/manual-clock.js';
import { codeOf, roomId, storeContract, type OpenedStore } from './store-suite.js';

async function openMemory(): Promise<OpenedStore> {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  return { store, clock, close: () => store.close() };
}

async function openEmbedded(): Promise<OpenedStore> {
  const clock = new ManualClock();
  const folder = await mkdtemp(join(tmpdir(), 'barrage-store-'));
  let store = await openEmbeddedStore({ folder, clock });
  return {
    store,
    clock,
    reopen: async () => {
      await store.close();
      store = await openEmbeddedStore({ folder, clock });
      return store;
    },
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

storeContract('MemoryStore', openMemory);
storeContract('the embedded store', openEmbedded);

const rooms = ['a', 'b'].map(roomId);
const text = fc.string({ maxLength: 20, unit: 'grapheme' });
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
      },
      { requiredKeys: [] },
    ),
  },
);
/** An append aimed near the true next offset, so that many succeed. */
const step = fc.record({ room: fc.constantFrom(...rooms), changes, aim: fc.boolean() });

async function look(store: Store): Promise<unknown[]> {
  const seen: unknown[] = [await store.listRooms('', 10)];
  for (const room of rooms) {
    seen.push(await store.load(room), await store.readLog(room, 0, 100, 1 << 20));
  }
  return seen;
}

it('S-1 the two stores agree after any sequence of commits, also across a reopening', async () => {
  const opened = await openEmbedded();
  const reopen = opened.reopen!;
  let embedded = opened.store;
  try {
    const body = async (
      steps: readonly { room: ReturnType<typeof roomId>; changes: RoomChanges; aim: boolean }[],
    ) => {
      const memory = new MemoryStore(opened.clock);
      const fences = {
        m: (await memory.acquire(0, 'x', 1))!,
        e: (await embedded.acquire(0, 'x', 1))!,
      };
      for (const room of rooms)
        await embedded.commit(room, { shard: 0, epoch: fences.e }, { remove: true });
      for (const { room, changes: drawn, aim } of steps) {
        const next = (await memory.load(room))?.nextOffset ?? 1;
        const aimed =
          aim && drawn.append !== undefined
            ? { ...drawn, append: { ...drawn.append, from: next } }
            : drawn;
        const codes = [
          await codeOf(memory.commit(room, { shard: 0, epoch: fences.m }, aimed)),
          await codeOf(embedded.commit(room, { shard: 0, epoch: fences.e }, aimed)),
        ];
        expect(codes[1]).toBe(codes[0]);
      }
      embedded = await reopen();
      expect(await look(embedded)).toEqual(await look(memory));
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), body), { numRuns: 60 });
  } finally {
    await opened.close();
  }
});
