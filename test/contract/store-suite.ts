/** What every store must do, whatever is beneath it: the port's comments and the S rules as tests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BarrageError, type ErrorCode } from '../../src/errors.js';
import { parseRoomId, shelfOf, type RoomId } from '../../src/ids.js';
import type { Fence, RoomChanges, Store } from '../../src/ports/store.js';
import { pusherLease, shardOf, wakeListOf } from '../../src/shards.js';
import type { ManualClock } from '../kit/manual-clock.js';

export interface OpenedStore {
  readonly store: Store;
  readonly clock: ManualClock;
  /** Lets time pass for the store; where its clock is its own, what it holds ages instead. */
  readonly pass?: (ms: number) => Promise<void>;
  /** The store's own time, unix milliseconds; that of `clock` unless it has its own. */
  readonly time?: () => number;
  /** Closes and opens again what is beneath; absent where nothing outlives the store. */
  readonly reopen?: () => Promise<Store>;
  readonly close: () => Promise<void>;
}

const TTL_MS = 60_000;
/** Short of the end by more than a slow machine takes for a test. */
const ALMOST_MS = TTL_MS - 20_000;

export function roomId(text: string): RoomId {
  const room = parseRoomId(text);
  if (room === undefined) throw new Error(`bad room id ${text}`);
  return room;
}

/** Takes the room's shard. */
export async function fenceOf(store: Store, room: RoomId, owner = 'one'): Promise<Fence> {
  const shard = shardOf(room);
  const epoch = await store.acquire(shard, owner, TTL_MS);
  if (epoch === undefined) throw new Error('the shard is taken');
  return { shard, epoch };
}

export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (error instanceof BarrageError) return error.code;
    throw error;
  }
}

function append(from: number, count: number): RoomChanges {
  const json = Array.from({ length: count }, (_, i) => `{"id":"p${from + i}","text":"弹幕"}`);
  return { append: { from, json } };
}

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} as a store`, () => {
    const room = roomId('a-room_1');
    const other = roomId('a-room_2');
    let opened: OpenedStore;
    let store: Store;
    let fence: Fence;
    let openedAt: number;
    const seconds = (): number => Math.floor((opened.time?.() ?? opened.clock.now()) / 1000);
    const pass = async (ms: number): Promise<void> => {
      opened.clock.advance(ms);
      await opened.pass?.(ms);
    };
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
      openedAt = seconds();
      fence = await fenceOf(store, room);
    });
    afterEach(() => opened.close());
    const offsets = async (from = 1, limit = 1000, bytes = 1 << 20): Promise<number[]> =>
      (await store.readLog(room, from, limit, bytes)).map(({ offset }) => offset);

    it('S-1 what was committed is read back, exactly', async () => {
      const json = ['{"id":"x","text":"弹幕 😀 \\u2028 \\" \\\\"}', '{"id":"\u2028😀"}'];
      const records = new Map([
        ['meta', '{"title":"夜"}'],
        ['ban:用户!😀', '{"until":0}'],
      ]);
      await store.commit(room, fence, { append: { from: 1, json }, records });
      const loaded = await store.load(room);
      expect(loaded?.records).toEqual(records);
      expect(loaded).toMatchObject({ firstOffset: 1, nextOffset: 3 });
      expect(loaded?.logBytes).toBe(Buffer.byteLength(json.join('')));
      expect(await store.readLog(room, 1, 10, 1 << 20)).toEqual([
        { offset: 1, json: json[0] },
        { offset: 2, json: json[1] },
      ]);
    });

    it('S-1 a refused commit changes nothing at all', async () => {
      await store.commit(room, fence, { ...append(1, 2), records: new Map([['meta', '1']]) });
      const refused: RoomChanges = {
        append: { from: 9, json: ['{}'] },
        rewrite: [{ offset: 1, json: '{"id":"gone"}' }],
        trimBelow: 2,
        records: new Map([['meta', '2']]),
        keys: [{ key: 'k', fingerprint: 'f', reply: '{}', expiresAt: opened.clock.now() + 1000 }],
      };
      expect(await codeOf(store.commit(room, fence, refused))).toBe('conflict');
      const loaded = await store.load(room);
      expect(loaded).toMatchObject({ firstOffset: 1, nextOffset: 3 });
      expect(loaded?.records.get('meta')).toBe('1');
      expect((await store.readLog(room, 1, 1, 1000))[0]?.json).toBe('{"id":"p1","text":"弹幕"}');
      expect(await store.findKey(room, 'k', opened.clock.now())).toBeUndefined();
    });

    it('S-1 commits handed over at once are all applied, in order', async () => {
      const all: Promise<void>[] = [];
      for (let i = 1; i <= 200; i++) all.push(store.commit(room, fence, append(i, 1)));
      await Promise.all(all);
      expect(await offsets()).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    });

    it('S-1 a commit refused among others handed over at once harms none of them', async () => {
      const results = await Promise.all([
        codeOf(store.commit(room, fence, append(1, 1))),
        codeOf(store.commit(room, fence, append(5, 1))),
        codeOf(store.commit(room, fence, append(2, 1))),
      ]);
      expect(results).toEqual(['none', 'conflict', 'none']);
      expect(await offsets()).toEqual([1, 2]);
    });

    it('S-1 records are set and deleted, and a room is deleted whole', async () => {
      await store.commit(room, fence, {
        ...append(1, 3),
        records: new Map([
          ['meta', '1'],
          ['mute:a', '2'],
        ]),
        keys: [{ key: 'k', fingerprint: 'f', reply: '{}', expiresAt: opened.clock.now() + 1000 }],
      });
      await store.commit(room, fence, { records: new Map([['mute:a', null]]) });
      expect([...(await store.load(room))!.records.keys()]).toEqual(['meta']);
      await store.commit(other, await fenceOf(store, other), append(1, 1));
      await store.commit(room, fence, { remove: true });
      expect(await store.load(room)).toBeUndefined();
      expect(await offsets()).toEqual([]);
      expect(await store.findKey(room, 'k', opened.clock.now())).toBeUndefined();
      expect(await store.listRooms('', 10)).toEqual([other]);
      await store.commit(room, fence, append(1, 1));
      expect((await store.load(room))?.records.size).toBe(0);
    });

    it('S-1 a removal next to other parts, and an unusable name, are refused', async () => {
      const removal = { remove: true, records: new Map([['meta', '1']]) };
      expect(await codeOf(store.commit(room, fence, removal))).toBe('invalid');
      for (const bad of ['', 'x'.repeat(1025), '\ud800']) {
        const changes = { records: new Map([[bad, '1']]) };
        expect(await codeOf(store.commit(room, fence, changes))).toBe('invalid');
      }
      expect(await store.load(room)).toBeUndefined();
    });

    it('S-1 a removal handed over together with other commits keeps its place', async () => {
      await store.commit(room, fence, append(1, 5));
      await Promise.all([
        store.commit(room, fence, append(6, 1)),
        store.commit(room, fence, { remove: true }),
        store.commit(room, fence, append(1, 2)),
      ]);
      expect(await offsets()).toEqual([1, 2]);
      expect(await store.load(room)).toMatchObject({ firstOffset: 1, nextOffset: 3 });
    });

    it('S-2 an epoch older than the shard’s, or never given, is refused', async () => {
      await store.commit(room, fence, append(1, 1));
      const newer = await fenceOf(store, room);
      expect(await codeOf(store.commit(room, fence, append(2, 1)))).toBe('fenced');
      const never = { shard: newer.shard, epoch: newer.epoch + 1 };
      expect(await codeOf(store.commit(room, never, append(2, 1)))).toBe('fenced');
      expect(await codeOf(store.commit(room, newer, append(2, 1)))).toBe('none');
      expect(await offsets()).toEqual([1, 2]);
    });

    it('S-2 a commit on its way when the shard changes hands is applied before or refused', async () => {
      const commit = codeOf(store.commit(room, fence, append(1, 1)));
      const next = store.acquire(fence.shard, 'one', TTL_MS);
      const [code, epoch] = await Promise.all([commit, next]);
      expect(epoch).toBeGreaterThan(fence.epoch);
      expect(await offsets()).toEqual(code === 'none' ? [1] : []);
      expect(['none', 'fenced']).toContain(code);
    });

    it('S-3 an append that does not begin at the next offset is refused', async () => {
      for (const from of [0, 2, 7]) {
        expect(await codeOf(store.commit(room, fence, append(from, 1)))).toBe('conflict');
      }
      await store.commit(room, fence, append(1, 2));
      for (const from of [1, 2, 4]) {
        expect(await codeOf(store.commit(room, fence, append(from, 1)))).toBe('conflict');
      }
      expect(await codeOf(store.commit(room, fence, append(3, 1)))).toBe('none');
    });

    it('S-5 a shard has one owner at a time, each term with a higher epoch', async () => {
      const { shard, epoch } = fence;
      expect(await store.acquire(shard, 'two', TTL_MS)).toBeUndefined();
      expect(await store.renew(fence, TTL_MS)).toBe(true);
      const again = await store.acquire(shard, 'one', TTL_MS);
      expect(again).toBeGreaterThan(epoch);
      expect(await store.renew(fence, TTL_MS)).toBe(false);
      await pass(ALMOST_MS);
      expect(await store.acquire(shard, 'two', TTL_MS)).toBeUndefined();
      await pass(TTL_MS - ALMOST_MS);
      const next = await store.acquire(shard, 'two', TTL_MS);
      expect(next).toBeGreaterThan(again!);
      expect(await store.renew({ shard, epoch: again! }, TTL_MS)).toBe(false);
      expect(await store.acquire(shard + 1, 'three', TTL_MS)).toBeDefined();
    });

    it('S-5 of many that want a free shard at once one gets it', async () => {
      const owners = ['a', 'b', 'c', 'd'];
      const got = await Promise.all(owners.map((owner) => store.acquire(63, owner, TTL_MS)));
      expect(got.filter((epoch) => epoch !== undefined)).toHaveLength(1);
    });

    it('S-5 a renewed lease lasts, a released one is free at once, a stale release frees nothing', async () => {
      const { shard } = fence;
      await pass(ALMOST_MS);
      expect(await store.renew(fence, TTL_MS)).toBe(true);
      await pass(ALMOST_MS);
      expect(await store.acquire(shard, 'two', TTL_MS)).toBeUndefined();
      await store.release(fence);
      expect(await store.renew(fence, TTL_MS)).toBe(false);
      const second = await store.acquire(shard, 'two', TTL_MS);
      expect(second).toBeGreaterThan(fence.epoch);
      await store.release(fence);
      expect(await store.acquire(shard, 'three', TTL_MS)).toBeUndefined();
    });

    it('S-5 the first epoch is the time in seconds, so a wiped store repeats none', () => {
      expect(fence.epoch).toBeGreaterThanOrEqual(openedAt);
      expect(fence.epoch).toBeLessThanOrEqual(seconds());
    });

    it('S-5 a lease that ran out and was not taken is prolonged, and still fences', async () => {
      await pass(TTL_MS + 1);
      expect(await codeOf(store.commit(room, fence, append(1, 1)))).toBe('none');
      expect(await store.renew(fence, TTL_MS)).toBe(true);
      expect(await store.acquire(fence.shard, 'two', TTL_MS)).toBeUndefined();
      await pass(TTL_MS + 1);
      const next = await store.acquire(fence.shard, 'two', TTL_MS);
      expect(next).toBeGreaterThan(fence.epoch);
      expect(await store.renew(fence, TTL_MS)).toBe(false);
      expect(await codeOf(store.commit(room, fence, append(2, 1)))).toBe('fenced');
    });

    it('S-5 leases of rooms and pushers are apart', async () => {
      const pushers = pusherLease(fence.shard);
      const epoch = await store.acquire(pushers, 'two', TTL_MS);
      expect(epoch).toBeDefined();
      expect(await store.acquire(pushers, 'one', TTL_MS)).toBeUndefined();
      expect(await store.renew(fence, TTL_MS)).toBe(true);
      await store.release({ shard: pushers, epoch: epoch! });
      expect(await store.acquire(fence.shard, 'two', TTL_MS)).toBeUndefined();
    });

    it('S-7 members are those who enlisted in time, in order of their code units', async () => {
      const bs = await store.enlist('rooms', 'b', TTL_MS);
      expect(bs).toEqual(['b']);
      expect(await store.enlist('rooms', 'a-1.x:2', TTL_MS)).toEqual(['a-1.x:2', 'b']);
      expect(await store.enlist('rooms', 'B', TTL_MS)).toEqual(['B', 'a-1.x:2', 'b']);
      expect(await store.enlist('pushers', 'p', TTL_MS)).toEqual(['p']);
      await store.delist('rooms', 'a-1.x:2');
      await store.delist('rooms', 'nobody');
      await pass(ALMOST_MS);
      expect(await store.enlist('rooms', 'b', TTL_MS)).toEqual(['B', 'b']);
      await pass(TTL_MS - ALMOST_MS + 1);
      expect(await store.enlist('rooms', 'c', TTL_MS)).toEqual(['b', 'c']);
      await store.delist('rooms', 'b');
      expect(await store.enlist('rooms', 'c', TTL_MS)).toEqual(['c']);
    });

    it('S-1 every shard keeps a list of its own under its own fence', async () => {
      for (const shard of [0, 5, 63]) {
        const epoch = await store.acquire(shard, 'one', TTL_MS);
        const records = new Map([['woken', '1']]);
        await store.commit(wakeListOf(shard), { shard, epoch: epoch! }, { records });
        expect((await store.load(wakeListOf(shard)))?.records).toEqual(records);
      }
      expect(await store.listRooms('', 10)).toEqual([]);
    });

    it('S-1 a further log of a room is beside it and on no list', async () => {
      const shelf = shelfOf(room, 'archive');
      await store.commit(shelf, fence, { ...append(1, 2), records: new Map([['x', '1']]) });
      expect(await store.load(room)).toBeUndefined();
      expect(await store.load(shelf)).toMatchObject({ nextOffset: 3 });
      expect(await store.readLog(shelf, 2, 9, 1 << 20)).toHaveLength(1);
      expect(await store.listRooms('', 10)).toEqual([]);
      await store.commit(shelf, fence, { remove: true });
      expect(await store.load(shelf)).toBeUndefined();
    });

    it('R-KEEP-7 a trim drops the oldest, its bytes are given back and offsets go on', async () => {
      await store.commit(room, fence, append(1, 10));
      const { logBytes } = (await store.load(room))!;
      await store.commit(room, fence, { trimBelow: 4 });
      expect(await offsets()).toEqual([4, 5, 6, 7, 8, 9, 10]);
      const entries = await store.readLog(room, 1, 100, 1 << 20);
      const bytes = entries.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0);
      expect((await store.load(room))?.logBytes).toBe(bytes);
      expect(bytes).toBeLessThan(logBytes);
      await store.commit(room, fence, { trimBelow: 2 });
      expect(await offsets()).toEqual([4, 5, 6, 7, 8, 9, 10]);
      await store.commit(room, fence, { ...append(11, 1), trimBelow: 9999 });
      expect(await store.load(room)).toMatchObject({
        firstOffset: 12,
        nextOffset: 12,
        logBytes: 0,
      });
      expect(await codeOf(store.commit(room, fence, append(1, 1)))).toBe('conflict');
      await store.commit(room, fence, append(12, 1));
      expect(await offsets()).toEqual([12]);
    });

    it('R-KEEP-6 a rewrite replaces what is in the log and passes over what is not', async () => {
      await store.commit(room, fence, append(1, 3));
      await store.commit(room, fence, { trimBelow: 2 });
      const json = '{"id":"p2","kind":"recalled"}';
      await store.commit(room, fence, {
        rewrite: [1, 2, 9].map((offset) => ({ offset, json })),
      });
      const entries = await store.readLog(room, 1, 10, 1 << 20);
      expect(entries.map(({ offset }) => offset)).toEqual([2, 3]);
      expect(entries[0]?.json).toBe(json);
      const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.json), 0);
      expect((await store.load(room))?.logBytes).toBe(bytes);
    });

    it('R-KEEP-2 the log is read from an offset, within a limit and within bytes', async () => {
      await store.commit(room, fence, append(1, 300));
      const size = Buffer.byteLength('{"id":"p10","text":"弹幕"}');
      expect(await offsets(10, 3)).toEqual([10, 11, 12]);
      expect(await offsets(10, 90, size * 4)).toEqual([10, 11, 12, 13]);
      expect(await offsets(10, 90, size * 4 - 1)).toEqual([10, 11, 12]);
      expect(await offsets(10, 90, size - 1)).toEqual([]);
      expect(await offsets(299, 90)).toEqual([299, 300]);
      expect(await offsets(301)).toEqual([]);
      expect(await offsets(1, 0)).toEqual([]);
      expect(await store.readLog(other, 1, 10, 1000)).toEqual([]);
    });

    it('R-KEEP-5 a key is remembered with its answer until its end, for its room', async () => {
      const now = opened.clock.now();
      const kept = { key: 'a!b 键', fingerprint: 'f1', reply: '{"id":"x"}', expiresAt: now + 1000 };
      await store.commit(room, fence, { keys: [kept] });
      expect(await store.findKey(room, 'a!b 键', now)).toEqual(kept);
      expect(await store.findKey(room, 'a!b 键', now + 999)).toEqual(kept);
      expect(await store.findKey(room, 'a!b 键', now + 1000)).toBeUndefined();
      expect(await store.findKey(other, 'a!b 键', now)).toBeUndefined();
      const anew = { ...kept, fingerprint: 'f2', expiresAt: now + 9000 };
      opened.clock.advance(2000);
      await store.commit(room, fence, { keys: [anew] });
      opened.clock.advance(2000);
      await store.commit(room, fence, {});
      await store.commit(room, fence, {});
      expect(await store.findKey(room, 'a!b 键', now + 4000)).toEqual(anew);
    });

    it('A-3 rooms are listed page by page in order of their code units', async () => {
      const names = ['b', 'B', 'a', 'a-', 'a_', 'aa', 'a0', '_', '-', '9', 'zz'];
      for (const each of names) {
        const listed = roomId(each);
        await store.commit(listed, await fenceOf(store, listed), append(1, 3));
      }
      const sorted = [...names].sort();
      expect(await store.listRooms('', 100)).toEqual(sorted);
      const pages: string[] = [];
      for (let after = ''; ; after = pages.at(-1)!) {
        const page = await store.listRooms(after, 4);
        pages.push(...page);
        if (page.length < 4) break;
      }
      expect(pages).toEqual(sorted);
      expect(await store.listRooms('a-~', 2)).toEqual(['a0', 'a_']);
      expect(await store.listRooms('', 0)).toEqual([]);
    });

    it('S-1 after close everything is refused', async () => {
      await store.close();
      expect(await codeOf(store.commit(room, fence, append(1, 1)))).toBe('store_failed');
      expect(await codeOf(store.load(room))).toBe('store_failed');
      expect(await codeOf(store.acquire(1, 'x', TTL_MS))).toBe('store_failed');
    });

    it('S-1 what was committed is there after reopening, where the store outlives the process', async () => {
      const now = opened.clock.now();
      const key = { key: 'k', fingerprint: 'f', reply: '{}', expiresAt: now + 60_000 };
      await store.commit(room, fence, {
        ...append(1, 5),
        records: new Map([['meta', '"m"']]),
        keys: [key],
      });
      await store.commit(room, fence, { trimBelow: 6 });
      const before = await store.load(room);
      if (opened.reopen !== undefined) store = await opened.reopen();
      expect(await store.load(room)).toEqual(before);
      expect(await store.findKey(room, 'k', now)).toEqual(key);
      const renewed = await fenceOf(store, room, opened.reopen === undefined ? 'one' : 'another');
      expect(renewed.epoch).toBeGreaterThan(fence.epoch);
      expect(await codeOf(store.commit(room, fence, append(6, 1)))).toBe('fenced');
      await store.commit(room, renewed, append(6, 1));
      expect(await offsets()).toEqual([6]);
    });
  });
}
