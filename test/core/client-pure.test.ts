/** The SDK's machines: place in the stream, own danmaku, what is shown when, ways, waits, ends. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AttributeBook } from '../../client/core/attributes.js';
import { Backoff, elsewhereMs } from '../../client/core/backoff.js';
import { endOfBye, endOfClose, endOfError, endOfStatus } from '../../client/core/closing.js';
import { Echoes } from '../../client/core/echo.js';
import { EdgeList, Ladder } from '../../client/core/ladder.js';
import { EventReader, parseLines } from '../../client/core/lines.js';
import { Place } from '../../client/core/place.js';
import { ShowBuffer } from '../../client/core/show-buffer.js';
import { expiryOf, renewIn, userOf } from '../../client/core/token.js';
import type { Line, Publication } from '../../client/types.js';

const keepable = (offset: number): Publication => ({
  ...{ id: `k${offset}`, kind: 'gift', lane: 'high', at: offset, offset },
});
const droppable = (n: number, at = n): Publication => ({
  ...{ id: `d${n}`, kind: 'danmaku', lane: 'normal', at },
});
const keepFrame = (offset: number, count: number, more = {}): Line => ({
  ...{ type: 'frame', class: 'keep', epoch: 1, tick: offset, offset },
  publications: Array.from({ length: count }, (_, i) => keepable(offset + i)),
  ...more,
});
const joined = (since: number | undefined, to: number, more = {}): Line => ({
  ...{ type: 'joined', epoch: 1, offset: to, recovered: since !== undefined },
  publications: Array.from({ length: to - (since ?? 0) }, (_, i) => keepable((since ?? 0) + i + 1)),
  ...more,
});
const ids = ({ fresh }: { readonly fresh: readonly Publication[] }) => fresh.map(({ id }) => id);

it('K-ONCE-1 whatever ways overlap and resume, keepables come exactly once and in order', () => {
  const total = 40;
  const step = fc.oneof(
    fc.record({ do: fc.constant('frame'), link: fc.nat(1), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('join'), link: fc.nat(1), count: fc.nat(3) }),
    fc.record({ do: fc.constant('again'), link: fc.nat(1), count: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const place = new Place({ epoch: 1, offset: 0 });
      const seen: Publication[] = [];
      const heads: [number, number] = [0, 0];
      const joinLink = (link: number, ahead: number) => {
        const since = place.position!.offset;
        const to = Math.min(total, Math.max(since, heads[link]!) + ahead);
        seen.push(...place.takeWindow(joined(since, to)).fresh);
        heads[link] = to;
      };
      for (const { do: what, link, count } of steps) {
        const head = heads[link]!;
        if (what === 'join') joinLink(link, count);
        else {
          const from = what === 'again' ? Math.max(1, head - count) : head + 1;
          const many = Math.min(count, total - from + 1);
          if (many <= 0) continue;
          const taken = place.takeFrame(keepFrame(from, many));
          if (taken.hole) joinLink(link, 0);
          else {
            seen.push(...taken.fresh);
            heads[link] = Math.max(head, from + many - 1);
          }
        }
      }
      const offsets = seen.map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, i) => i + 1));
      expect(place.position!.offset).toBe(offsets.length);
    }),
    { numRuns: 300 },
  );
});

it('K-ONCE-2 droppables by several ways come once, by id', () => {
  const place = new Place();
  const frame = {
    type: 'frame',
    class: 'drop',
    epoch: 1,
    tick: 3,
    publications: [1, 2].map((n) => droppable(n)),
  };
  place.takeWindow(joined(undefined, 0));
  expect(ids(place.takeFrame(frame))).toEqual(['d1', 'd2']);
  expect(place.takeDroppables([2, 3].map((n) => droppable(n))).map(({ id }) => id)).toEqual(['d3']);
  expect(ids(place.takeFrame({ ...frame, publications: [droppable(3), droppable(4)] }))).toEqual([
    'd4',
  ]);
  expect(place.cursor).toBe('1.0.3');
  // Sent again for want of an acknowledgement: no room, no epoch, no tick.
  const resent = { type: 'frame', class: 'drop', resent: true, publications: [droppable(4)] };
  expect(ids(place.takeFrame(resent))).toEqual([]);
});

it('K-ONCE-3 a hole is told and moves nothing; what was meant for others is none', () => {
  const place = new Place();
  place.takeWindow(joined(undefined, 2));
  expect(place.takeFrame(keepFrame(4, 1))).toEqual({ fresh: [], hole: true });
  expect(place.position).toEqual({ epoch: 1, offset: 2 });
  expect(ids(place.takeFrame(keepFrame(5, 1, { from: 3 })))).toEqual(['k5']);
  expect(place.takeFrame(keepFrame(6, 1, { epoch: 0 }))).toEqual({ fresh: [] });
});

it('K-ONCE-4 a late answer of a slower way moves the place not back', () => {
  const place = new Place();
  place.takeWindow(joined(undefined, 2));
  place.takeFrame(keepFrame(3, 3));
  const late = { ...joined(2, 4), type: 'publications', cursor: '1.4.9' };
  expect(place.takeWindow(late)).toEqual({ fresh: [], gap: false });
  expect(place.position).toEqual({ epoch: 1, offset: 5 });
});

it('K-GAP-2 a newest window is a gap unless it reaches back to the place', () => {
  const at2 = () => new Place({ epoch: 1, offset: 2 });
  const window = (epoch: number, offsets: number[]) => ({
    ...{ type: 'joined', epoch, offset: offsets.at(-1)!, recovered: false },
    publications: offsets.map(keepable),
  });
  expect(at2().takeWindow(window(1, [1, 2, 3, 4]))).toMatchObject({ gap: false });
  expect(at2().takeWindow(window(1, [4, 5]))).toMatchObject({ gap: true });
  expect(at2().takeWindow(window(2, [1]))).toMatchObject({ gap: true });
  expect(new Place().takeWindow(window(1, [4, 5]))).toMatchObject({ gap: false });
});

it('K-ECHO-2 an own danmaku meets its publication and verdict in either order', () => {
  for (const order of ['verdict first', 'publication first']) {
    const echoes = new Echoes();
    expect(echoes.add('a-1', { text: 'hi' }, 0)).toBe(true);
    const publication = { ...droppable(1), text: 'hi', user: { id: 'ann' } };
    const verdict = { id: 'a-1', verdict: 'merged', publication: 'd1' };
    if (order === 'verdict first') expect(echoes.verdict(verdict)).toMatchObject({ ok: true });
    expect(echoes.claim(publication, 'ann')).toBe('a-1');
    if (order !== 'verdict first') expect(echoes.verdict(verdict)).toMatchObject({ ok: true });
    expect(echoes.claim(publication, 'ann')).toBe('a-1');
    expect(echoes.shownAs('d1')).toBe('a-1');
    expect(echoes.claim({ ...publication, id: 'd2' }, 'ann')).toBeUndefined();
    expect(echoes.claim({ ...publication, id: 'd3', user: { id: 'bob' } }, 'ann')).toBeUndefined();
  }
});

it('K-ECHO-3 every danmaku has one end, and a late publication still finds its own', () => {
  const echoes = new Echoes();
  echoes.add('a-1', { text: 'hi' }, 0);
  expect(echoes.giveUp('a-1', 'unknown')).toMatchObject({ verdict: 'unknown', ok: false });
  expect(echoes.giveUp('a-1', 'unknown')).toBeUndefined();
  expect(echoes.claim({ ...droppable(1), text: 'hi', user: { id: 'ann' } }, 'ann')).toBe('a-1');
  expect(echoes.verdict({ id: 'a-1', verdict: 'published', publication: 'd1' })).toBeUndefined();
  echoes.add('a-2', { text: 'no' }, 0);
  const refused = { id: 'a-2', verdict: 'slow_mode', retryAfterMs: 900, junk: 1 };
  expect(echoes.verdict(refused)).toEqual({
    id: 'a-2',
    verdict: 'slow_mode',
    ok: false,
    retryAfterMs: 900,
  });
});

it('K-ECHO-4 own danmaku without an end are bounded', () => {
  const echoes = new Echoes();
  const taken = Array.from({ length: 120 }, (_, i) => echoes.add(`a-${i}`, { text: `${i}` }, 0));
  expect(taken.filter((isTaken) => isTaken)).toHaveLength(100);
});

it('K-SHOW-1 droppables are spread over the time to the next batch, keepables are not held', () => {
  const buffer = new ShowBuffer();
  const showing = { aheadMs: 0, delayMs: 0, smoothMs: 300 };
  for (let now = 1000; now < 5000; now += 200) {
    buffer.push(
      [1, 2, 3, 4].map((n) => droppable(now + n)),
      { ...showing, now },
    );
    buffer.take(now + 199);
  }
  buffer.push([droppable(1), keepable(1), droppable(2), droppable(3), droppable(4)], {
    ...showing,
    now: 5000,
  });
  const shownAt = (at: number) => buffer.take(at).map(({ id }) => id);
  expect(shownAt(5000)).toEqual(['d1', 'k1']);
  expect(shownAt(5049)).toEqual([]);
  expect(shownAt(5060)).toEqual(['d2']);
  expect(shownAt(5199)).toEqual(['d3', 'd4']);
  expect(buffer.size).toBe(0);
});

it('K-SHOW-2 what is shown keeps step with a picture that is behind, keepables in order', () => {
  const buffer = new ShowBuffer();
  const showing = { now: 10_000, aheadMs: 500, delayMs: 4000, smoothMs: 0 };
  const late = { ...keepable(2), at: 10_100 };
  const early = { ...keepable(1), at: 10_400 };
  buffer.push([early, late, droppable(1, 10_000)], showing);
  expect(buffer.take(13_499)).toEqual([]);
  expect(buffer.take(13_500).map(({ id }) => id)).toEqual(['d1']);
  expect(buffer.take(13_900).map(({ id }) => id)).toEqual(['k1', 'k2']);
});

it('K-SHOW-3 what waits is bounded in items and time; what is too much is shown, not lost', () => {
  const buffer = new ShowBuffer();
  const showing = { now: 0, aheadMs: 0, delayMs: 1e9, smoothMs: 0 };
  buffer.push(
    Array.from({ length: 2500 }, (_, n) => droppable(n, 0)),
    showing,
  );
  expect(buffer.take(0)).toHaveLength(500);
  expect(buffer.dueAt).toBe(60_000);
  expect(buffer.take(60_000)).toHaveLength(2000);
});

it('K-SHOW-4 a publication recalled before it was shown is not shown', () => {
  const buffer = new ShowBuffer();
  buffer.push([droppable(1), droppable(2)], { now: 0, aheadMs: 0, delayMs: 100, smoothMs: 0 });
  buffer.remove(new Set(['d1']));
  expect(buffer.take(1000).map(({ id }) => id)).toEqual(['d2']);
});

it('K-BACK-1 waits are random over a range that doubles to its bound, after what was advised', () => {
  const backoff = new Backoff();
  backoff.jitterMs = 500;
  const waits = Array.from({ length: 9 }, () => backoff.next(undefined, false, 1));
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  backoff.held(4999);
  expect(backoff.next(700, false, 0)).toBe(700);
  backoff.held(5000);
  expect(backoff.next(700, false, 1)).toBe(1200);
  expect(backoff.next('soon', false, 0)).toBe(0);
  expect(backoff.next(1e12, false, 0)).toBe(600_000);
});

it('K-BACK-3 a viewer nobody looks at takes its time', () => {
  expect(new Backoff().next(undefined, true, 1)).toBe(4 * new Backoff().next(undefined, false, 1));
});

it.each([
  [
    endOfBye({
      type: 'bye',
      code: 4000,
      reason: 'drain',
      retryAfterMs: 9,
      edges: ['https://b:1', { url: 'wss://c' }, 'no'],
    }),
    { reason: 'drain', isFinal: false, retryAfterMs: 9, edges: ['https://b:1', 'wss://c'] },
  ],
  [endOfClose(4005, '{"reason":"expired"}'), { isFinal: false, needsToken: true }],
  [endOfClose(4503, ''), { isFinal: true, reason: 'closed 4503' }],
  [endOfClose(1006, ''), { isFinal: false, isAdvised: false }],
  [endOfClose(1000, 'null'), { isFinal: false, reason: 'closed 1000' }],
  [endOfError({ code: 'unauthorized', rule: 'expired' }), { needsToken: true, isFinal: false }],
  [endOfError({ code: 'banned' }), { isFinal: true }],
  [endOfError({ code: 'rate_limited', retryAfterMs: 10 }), { isFinal: false, retryAfterMs: 10 }],
  [endOfStatus(429, '3', undefined), { isFinal: false, retryAfterMs: 3000 }],
  [
    endOfStatus(503, '1', { code: 'unavailable', retryAfterMs: 5 }),
    { isFinal: false, retryAfterMs: 5 },
  ],
  [endOfStatus(403, null, undefined), { isFinal: false, reason: 'status 403' }],
  [endOfStatus(404, null, { code: 'unknown_room' }), { isFinal: true, reason: 'unknown_room' }],
])('K-BACK-2 an end says whether and when to come back (%#)', (end, told) => {
  expect(end).toMatchObject(told);
});

it('K-WAY-2 ways are left after two failures, trusted ones after five, and begin again at the top', () => {
  const ladder = new Ladder(['websocket', 'sse', 'poll'], 1000);
  const taken = Array.from({ length: 7 }, () => (ladder.failed(), ladder.way));
  expect(taken).toEqual(['websocket', 'sse', 'sse', 'poll', 'poll', 'websocket', 'websocket']);
  ladder.held();
  const trusted = Array.from({ length: 5 }, () => (ladder.failed(), ladder.way));
  expect(trusted).toEqual(['websocket', 'websocket', 'websocket', 'websocket', 'sse']);
});

it('K-WAY-3 a better way is tried after a time that doubles while it fails', () => {
  const ladder = new Ladder(['websocket', 'sse'], 1000);
  expect(ladder.better).toBeUndefined();
  ladder.failed();
  ladder.failed();
  expect([ladder.better, ladder.upgradeMs]).toEqual(['websocket', 1000]);
  ladder.tried(false);
  ladder.tried(false);
  expect(ladder.upgradeMs).toBe(4000);
  ladder.tried(true);
  expect([ladder.way, ladder.upgradeMs]).toEqual(['websocket', 1000]);
});

it('K-BACK-5 another edge is tried soon, as long as one is left that was not', () => {
  const edges = new EdgeList(['a', 'b']);
  expect(edges.hasUntried).toBe(true);
  edges.failed();
  expect([edges.url, edges.hasUntried]).toEqual(['b', true]);
  edges.failed();
  expect([edges.url, edges.hasUntried]).toEqual(['a', false]);
  edges.held();
  expect(edges.hasUntried).toBe(true);
  expect(elsewhereMs(0)).toBe(0);
  expect(elsewhereMs(1)).toBe(300);
});

it('K-WAY-5 edges are gone through in turn, advised ones first', () => {
  const edges = new EdgeList(['a', 'b']);
  const urls = Array.from({ length: 3 }, () => (edges.failed(), edges.url));
  expect(urls).toEqual(['b', 'a', 'b']);
  edges.prefer(['c', 'a']);
  expect(Array.from({ length: 3 }, () => [edges.url, edges.failed()][0])).toEqual(['c', 'a', 'b']);
});

it('K-TOKEN-3 a token tells when it ends and whose it is; what is none tells nothing', () => {
  const token = `x.${btoa(JSON.stringify({ exp: 100, sub: 'ann' }))}.y`;
  expect([expiryOf(token), userOf(token)]).toEqual([100_000, { id: 'ann' }]);
  for (const odd of [undefined, '', 'x', 'a.b.c', `a.${btoa('null')}.c`]) {
    expect([expiryOf(odd), userOf(odd)]).toEqual([Infinity, undefined]);
  }
  expect([renewIn(200_000, 0), renewIn(10_000, 0), renewIn(0, 5)]).toEqual([170_000, 8000, 0]);
});

it('K-LINE-1 lines and events are read however they are cut; what is no line is told', () => {
  expect(parseLines('{"type":"a"}\n\n{"type":"b"}\n').map(({ type }) => type)).toEqual(['a', 'b']);
  for (const bad of ['{', '1', 'null', '[]', '{"x":1}']) expect(() => parseLines(bad)).toThrow();
  const text =
    ':\n\nretry: 5\n\nevent: frame\nid: 1.2.3\ndata: {"a"\ndata: :1}\n\r\ndata:x\r\n\r\n';
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 7 })), (cuts) => {
      const reader = new EventReader();
      const out: unknown[] = [];
      let at = 0;
      for (const cut of cuts) out.push(...reader.push(text.slice(at, (at += cut))));
      out.push(...reader.push(text.slice(at)));
      expect(out).toEqual([
        { event: 'frame', id: '1.2.3', data: '{"a"\n:1}' },
        { event: 'message', id: '1.2.3', data: 'x' },
      ]);
    }),
  );
});

it('K-ATTR-1 attributes follow their versions and ask for all when a change is missing', () => {
  const book = new AttributeBook();
  expect(book.replace({ a: 1, b: 2 }, 3)).toBe(true);
  expect(book.apply({ from: 3, version: 4, set: { c: 3 }, deleted: ['a'] })).toBe('changed');
  expect(book.all).toEqual({ b: 2, c: 3 });
  expect(book.apply({ from: 3, version: 4, set: { c: 9 } })).toBe('known');
  expect(book.apply({ from: 5, version: 6, set: {} })).toBe('resync');
  expect(book.apply({ from: 4, version: 5, resync: true })).toBe('resync');
  expect(book.replace({}, 2)).toBe(false);
  expect(book.all).toEqual({ b: 2, c: 3 });
});
