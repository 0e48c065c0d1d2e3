/** How much of the CDN a viewer reads, and how far behind it is shown: machines by table, then whole. */
import { expect, it } from 'vitest';
import { connect } from '../../client/index.js';
import { SteadyDelay } from '../../client/core/cdn-delay.js';
import { Thinness } from '../../client/core/thinness.js';
import { seededRandom } from '../../src/random.js';
import { CdnDouble, pass, SocketDouble } from '../kit/cdn-double.js';
import { ManualClock } from '../kit/manual-clock.js';

const PARTS = [
  { priority: 0, count: 3, end: 610 },
  { priority: 1, count: 40, end: 8120 },
  { priority: 2, count: 18, end: 11_230 },
];

it.each([
  [false, { end: undefined, leftOut: 0 }],
  [true, { end: 8120, leftOut: 18 }],
  [{ priority: 0 }, { end: 610, leftOut: 58 }],
  [{ priority: 2 }, { end: undefined, leftOut: 0 }],
] as const)('K-CDN-11 thin %j reads so much of a segment', (thin, wanted) => {
  expect(new Thinness(thin, () => true).wanted(PARTS)).toEqual(wanted);
});

it('K-CDN-11 what has no part of the wanted is not asked for, what is no thinness is refused', () => {
  const thin = new Thinness({ priority: 0 }, () => false);
  expect(thin.wanted([{ priority: 2, count: 7, end: 900 }])).toEqual({ end: 0, leftOut: 7 });
  expect(thin.wanted([])).toEqual({ end: undefined, leftOut: 0 });
  for (const bad of [3, null, 'thin', { priority: -1 }, {}]) {
    expect(() => thin.set(bad as never)).toThrow(/thin must be/);
  }
});

it('K-CDN-12 auto reads less when segments take too long, more again after a while, and rarely in vain', () => {
  let saves = false;
  const thin = new Thinness('auto', () => saves);
  let now = 0;
  const second = (ms: number, share = 1) => {
    thin.took(ms, 1000, share, (now += 1000));
    return thin.priority;
  };
  expect([second(1500), second(1500), second(900), second(1500)]).toEqual(Array(4).fill(undefined));
  expect([second(1500), second(1500)]).toEqual([undefined, 1]);
  expect([second(Infinity), second(Infinity)]).toEqual([1, 0]);
  // Just enough is not enough to try more.
  for (let i = 0; i < 120; i++) expect(second(400, 0.5)).toBe(0);
  const secondsUntil = (level: number | undefined) => {
    const began = now;
    while (second(50, 0.5) !== level && now - began < 1e6);
    return (now - began) / 1000;
  };
  expect(secondsUntil(1)).toBeLessThanOrEqual(31);
  for (let i = 0; i < 3; i++) second(1500);
  expect(thin.priority).toBe(0);
  expect(secondsUntil(1)).toBeGreaterThanOrEqual(60);
  expect(secondsUntil(undefined)).toBeGreaterThanOrEqual(60);
  saves = true;
  expect(thin.priority).toBe(1);
});

it.each([true, false])(
  'K-CDN-11 a thin viewer (ranges: %s) shows the rest, without a gap, and changes at once',
  async (ranges) => {
    const clock = new ManualClock();
    const cdn = new CdnDouble(clock);
    cdn.ranges = ranges;
    const parts = { clock, fetch: cdn.fetch, WebSocket: SocketDouble, random: () => 0.5 };
    const options = { url: 'https://edge', room: 'lobby', compress: false, smoothMs: 0 };
    const stream = connect({ ...options, ...parts, thin: true });
    const shown: string[] = [];
    const gaps: unknown[] = [];
    stream.on('publication', ({ id }) => shown.push(id));
    stream.on('gap', (gap) => gaps.push(gap));
    await pass(clock, 1, 1);
    const user = { id: 'guest-1', role: 'guest', maySpeak: false };
    const joined = { type: 'joined', room: 'lobby', epoch: 1, offset: 0, recovered: false };
    SocketDouble.newest!.say(
      { type: 'welcome', now: clock.now() },
      { ...joined, user, online: 1, publications: [], cdn: cdn.fact() },
    );
    let n = 0;
    const second = async () => {
      const lines = ['high', 'low'].map((what) => ({ id: `${what} ${n}`, at: clock.now() }));
      const sizes = lines.map((line) => JSON.stringify(line).length + 1);
      const bytes = sizes[0]! + sizes[1]!;
      const entries = [
        { priority: 1, count: 1, end: sizes[0] },
        { priority: 2, count: 1, end: bytes },
      ];
      cdn.write(lines, { bytes, parts: entries });
      n++;
      await pass(clock, 1000);
    };
    for (let i = 0; i < 8; i++) await second();
    await pass(clock, 6000);
    expect(shown.length).toBeGreaterThanOrEqual(8);
    expect(shown.filter((id) => !id.startsWith('high'))).toEqual([]);
    expect(stream.state).toMatchObject({ cdn: true, thin: 1 });
    expect(stream.cdnStats).toMatchObject({ leftOut: shown.length, late: 0 });
    expect(stream.cdnStats!.leftOutBytes).toBeGreaterThan(100);
    expect(cdn.parts.length > 0).toBe(ranges);
    stream.setThin(false);
    expect(stream.state.thin).toBeUndefined();
    await second();
    await pass(clock, 6000);
    expect(shown.slice(-2).sort()).toEqual([`high ${n - 1}`, `low ${n - 1}`]);
    expect(gaps).toEqual([]);
    stream.close();
  },
);

/** Lateness of a second's lines behind an nginx: file, cached manifest (max-age and stale), poll, fetch. */
function nginxSecond(random: () => number): number[] {
  const poll = random() * 1000;
  const age = random() * 1000 + (random() < 0.3 ? random() * 1000 : 0);
  const rest = 40 + random() * 60 + poll + age;
  return Array.from({ length: 50 }, (_, i) => 1000 - i * 20 + rest);
}

it('K-CDN-10 behind caches under 1 % of the lines come late, and the delay moves unseen', () => {
  const source = seededRandom(11);
  const random = () => source.next();
  let fixed = 0;
  let lines = 0;
  let late = 0;
  for (let viewer = 0; viewer < 40; viewer++) {
    const delay = new SteadyDelay({ segmentMs: 1000, pollMs: 1000 }, 10_000);
    expect(delay.ms).toBe(4000);
    for (let second = 0; second < 600; second++) {
      const before = delay.ms;
      const latenesses = nginxSecond(random);
      delay.came(latenesses, second * 1000);
      expect(delay.ms - before).toBeLessThanOrEqual(100);
      expect(before - delay.ms).toBeLessThanOrEqual(20);
      fixed += latenesses.filter((ms) => ms > 3000).length;
    }
    expect(delay.ms).toBeLessThan(4300);
    [lines, late] = [lines + delay.lines, late + delay.late];
  }
  expect(fixed / lines).toBeGreaterThan(0.01);
  expect(late / lines).toBeLessThan(0.01);
});

it.each([
  ['a quick CDN', 300, 1000, 1000],
  ['a slow one', 6000, 6050, 6250],
  ['one beyond all measure', 60_000, 10_000, 10_000],
])('K-CDN-10 behind %s the delay ends where it belongs', (_, lateness, min, max) => {
  const delay = new SteadyDelay({ segmentMs: 1000, pollMs: 1000 }, 10_000);
  for (let second = 0; second < 300; second++) delay.came(Array(20).fill(lateness), second * 1000);
  expect(delay.ms).toBeGreaterThanOrEqual(min);
  expect(delay.ms).toBeLessThanOrEqual(max);
});

it('K-CDN-13 who has no socket reports by POST, and no more once its edge does not know of it', async () => {
  const clock = new ManualClock();
  const cdn = new CdnDouble(clock);
  const posted: { url: string; body: any; authorization: string | null }[] = [];
  let status = 204;
  const fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    if (!url.startsWith('https://edge/')) return cdn.fetch(url, init);
    if (init.method === 'POST') {
      const authorization = new Headers(init.headers).get('authorization');
      posted.push({ url, body: JSON.parse(String(init.body)), authorization });
      if (status === 204) return new Response(null, { status });
      return Response.json({ error: { code: 'not_found' } }, { status });
    }
    // Held like a long poll, so that it is not asked again at once.
    if (!url.includes('cursor=&') && url.includes('cursor=')) {
      await new Promise((resolve) => clock.after(900, () => resolve(undefined)));
    }
    const head = { type: 'publications', room: 'lobby', epoch: 1, offset: 0, recovered: false };
    const rest = { publications: [], online: 1, cursor: '1.0.0', pollAfterMs: 100, closed: false };
    return Response.json({ ...head, ...rest, cdn: cdn.fact() });
  };
  const stream = connect({
    ...{ url: 'https://edge', room: 'lobby', transports: ['poll'], token: 'a.b.c' },
    ...{ clock, fetch, random: () => 0.5, smoothMs: 0 },
  });
  const halfMinute = async () => {
    for (let n = 0; n < 31; n++) {
      cdn.write([{ id: `${clock.now()}`, at: clock.now() }]);
      await pass(clock, 1000);
    }
  };
  await halfMinute();
  expect(posted).toMatchObject([
    { url: 'https://edge/v1/rooms/lobby/reports', authorization: 'Bearer a.b.c' },
  ]);
  expect(Object.keys(posted[0]!.body)).toEqual(['cdn']);
  expect(posted[0]!.body.cdn).toMatchObject({ source: 'a', failed: 0 });
  expect(posted[0]!.body.cdn.ok).toBeGreaterThan(40);
  status = 404;
  await halfMinute();
  expect(posted).toHaveLength(2);
  await halfMinute();
  expect(posted).toHaveLength(2);
  stream.close();
});
