/** What is decided about calls between room services, without any of them. */
import { describe, expect, it } from 'vitest';
import { missOf } from '../../room/api/forward/asker.js';
import { splitBatch } from '../../room/api/forward/batch.js';
import { joinBroadcasts } from '../../room/api/forward/broadcast-join.js';
import { FORWARD_DEFAULTS } from '../../room/api/forward/cluster.js';
import { nextStep, type Attempt, type Miss } from '../../room/api/forward/next-step.js';
import { ofNewRoom, ofUsersKey, reachOf, shardOfCall } from '../../room/api/forward/reach.js';
import { Tickets } from '../../room/api/forward/tickets.js';
import { pack, unpackAsk, unpackTold } from '../../room/api/forward/wire.js';
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { API_BODY_BYTES_MAX } from '../../src/limits.js';
import { seededRandom } from '../../src/random.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';

const room = (id: string) => id as RoomId;

describe('whose call it is', () => {
  const call = (parts: object) => ({ params: {}, body: undefined, headers: {}, ...parts });

  it('A-FWD-1 a call of a room is its owner’s, others say whose they are', () => {
    const reach = reachOf({ url: '/v1/rooms/:room/stats' });
    expect(shardOfCall(reach, call({ params: { room: 'lobby' } }))).toBe(shardOf(room('lobby')));
    expect(reachOf({ url: '/v1/roomsy/:rooms' })).toBeUndefined();
    expect(reachOf({ url: '/v1/tokens', reach: 'here' })).toBe('here');
    expect(shardOfCall('all', call({}))).toBeUndefined();
    expect(shardOfCall(ofNewRoom, call({ body: { room: 'lobby' } }))).toBe(shardOf(room('lobby')));
  });

  it('A-FWD-9 keys of broadcasts to users are remembered in one place', () => {
    const headers = { 'idempotency-key': 'k' };
    const shard = shardOfCall(ofUsersKey, call({ headers, body: { to: { users: ['u'] } } }));
    expect(shard).toBeGreaterThanOrEqual(0);
    expect(shard).toBeLessThan(SHARD_COUNT);
    expect(shardOfCall(ofUsersKey, call({ headers, body: { to: { all: true } } }))).toBeUndefined();
    expect(shardOfCall(ofUsersKey, call({ body: { to: { users: ['u'] } } }))).toBeUndefined();
  });
});

describe('what is done after an attempt', () => {
  const at = (miss: Miss, more: Partial<Attempt> = {}): Attempt => ({
    ...{ miss, isRepeatable: false, before: 0, now: 1000, began: 1000, lastContact: 1000, ...more },
  });
  const step = (attempt: Attempt) => nextStep(attempt, FORWARD_DEFAULTS, seededRandom(3));

  it.each<[Miss, Partial<Attempt>, 'wait' | 'fail']>([
    ['nobody', {}, 'wait'],
    ['not_mine', { now: 3999 }, 'wait'],
    ['nobody', { now: 4000 }, 'fail'],
    // Looked for anew from the moment an owner was lost.
    ['nobody', { now: 6000, lastContact: 4000, isRepeatable: true }, 'wait'],
    ['busy', {}, 'fail'],
    ['full', { isRepeatable: true }, 'fail'],
    ['unknown', {}, 'fail'],
    ['unknown', { isRepeatable: true }, 'wait'],
    ['moved', { isRepeatable: true }, 'wait'],
    ['unknown', { isRepeatable: true, now: 11_000 }, 'fail'],
  ])('A-FWD-5, A-FWD-6 %s with %o: %s', (miss, more, todo) => {
    const next = step(at(miss, more));
    expect(next.do).toBe(todo);
    if (next.do === 'wait') return;
    expect(next.error).toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
    const isUncertain = miss === 'unknown' && more.isRepeatable !== true;
    expect(next.error.message.includes('may have been done')).toBe(isUncertain);
  });

  it.each<[BarrageError['code'], unknown, Miss]>([
    ['bus_down', undefined, 'nobody'],
    ['bus_down', { code: '503' }, 'nobody'],
    ['bus_down', { code: 'CONNECTION_CLOSED' }, 'unknown'],
    ['bus_full', undefined, 'full'],
    ['timeout', undefined, 'unknown'],
    ['internal', undefined, 'unknown'],
  ])('A-FWD-5, A-FWD-6 the bus says %s (%o): %s', (code, cause, miss) => {
    expect(missOf(new BarrageError(code, 'x', { cause }))).toBe(miss);
  });

  it('A-FWD-5 waits grow, are bounded, and differ', () => {
    const random = seededRandom(5);
    const waits = Array.from({ length: 40 }, (_, before) => {
      const next = nextStep(at('nobody', { before }), FORWARD_DEFAULTS, random);
      return next.do === 'wait' ? next.ms : 0;
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...waits)).toBeLessThanOrEqual(250);
    expect(new Set(waits.slice(5)).size).toBeGreaterThan(10);
  });
});

describe('batches and broadcasts', () => {
  it('A-FWD-8 a batch is split by shard in order; what is ours or broken stays', () => {
    const mine = shardOf(room('a'));
    const items = [{ room: 'a' }, { room: 'b', n: 1 }, { room: '!' }, null, { room: 'b', n: 2 }];
    const split = splitBatch(items, (shard) => shard === mine);
    expect([...split.keys()]).toEqual([shardOf(room('b'))]);
    expect(split.get(shardOf(room('b')))).toMatchObject([
      { places: [1, 4], items: [{ n: 1 }, { n: 2 }] },
    ]);
  });

  it('A-FWD-8 what would pass a body’s bound is cut in two', () => {
    const items = Array.from({ length: 90 }, (_, n) => ({ room: 'b', n, text: 'x'.repeat(4000) }));
    const batches = splitBatch(items, () => false).get(shardOf(room('b')))!;
    expect(batches.length).toBe(2);
    for (const batch of batches) {
      const body = JSON.stringify({ publications: batch.items });
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(API_BODY_BYTES_MAX);
    }
    expect(batches.flatMap(({ places }) => places)).toEqual(items.map((_, i) => i));
  });

  it('A-FWD-9 answers are summed up, lists in order of room', () => {
    const one = (name: string) => ({
      ...{ rooms: 2, verdicts: { published: 1 }, empty: 1, closed: 0, failed: 0, failures: [] },
      fates: [{ room: room(name), verdict: 'published' as const, id: name }],
    });
    const joined = joinBroadcasts([one('b'), one('a')], []);
    expect(joined).toMatchObject({ rooms: 4, verdicts: { published: 2 }, empty: 2 });
    expect(joined.fates.map((fate) => fate.room)).toEqual(['a', 'b']);
    expect('unreached' in joined).toBe(false);
    const lost = [{ member: 'm', shards: [1], code: 'timeout' }];
    expect(joinBroadcasts([one('a')], lost).unreached).toEqual(lost);
  });
});

describe('what is held and carried', () => {
  const held = (heldBytes: number) => {
    const what = { heldBytes, ended: 0, end: () => void what.ended++ };
    return what;
  };

  it('A-FWD-7 tickets are bounded in items, bytes and time', async () => {
    const tickets = new Tickets({ items: 2, bytes: 100, ms: 1000 });
    const [first, second] = [held(60), held(30)];
    const ticket = tickets.hold(first, 0)!;
    expect(tickets.hold(held(50), 0)).toBeUndefined();
    const other = tickets.hold(second, 500)!;
    expect(tickets.hold(held(0), 0)).toBeUndefined();
    const use = (name: string, last: boolean) =>
      tickets.use(
        name,
        () => 900,
        async () => ({ answer: 'yes', last }),
      );
    expect([await use(ticket, false), await use('none', false)]).toEqual(['yes', undefined]);
    expect([tickets.sweep(1500), first.ended, second.ended]).toEqual([1, 0, 1]);
    expect(await use(other, false)).toBeUndefined();
    expect([await use(ticket, true), tickets.size, first.ended]).toEqual(['yes', 0, 0]);
  });

  it('A-FWD-7 one request for a ticket at a time, and none after it failed', async () => {
    const tickets = new Tickets({ items: 2, bytes: 100, ms: 1000 });
    const what = held(0);
    const ticket = tickets.hold(what, 0)!;
    let fail = (_: Error): void => undefined;
    const running = tickets.use(
      ticket,
      () => 0,
      () => new Promise((_, reject) => (fail = reject)),
    );
    const second = tickets.use(
      ticket,
      () => 0,
      async () => ({ answer: 1, last: true }),
    );
    expect(await second).toBeUndefined();
    fail(new Error('broke'));
    await expect(running).rejects.toThrow('broke');
    expect([tickets.size, what.ended]).toEqual([0, 1]);
  });

  it('A-FWD-3 bytes are carried as they are; what is none of ours is undefined', () => {
    const bytes = Buffer.from([0, 10, 255, 10, 123]);
    const asked = unpackAsk(pack({ ask: 'send', ticket: 'a\nb', more: true }, bytes));
    expect(asked).toEqual({ head: { ask: 'send', ticket: 'a\nb', more: true }, bytes });
    for (const text of [
      '',
      '\n',
      '[]\n',
      '3\n',
      '{"ask":"sing"}\n',
      '{"ask":"take","ticket":1}\n',
    ]) {
      expect(unpackAsk(Buffer.from(text))).toBeUndefined();
      expect(unpackTold(Buffer.from(text))).toBeUndefined();
    }
  });
});
