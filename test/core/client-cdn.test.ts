/** The SDK and the CDN: what is read, when it fails over, and that nothing is lost or twice. */
import { beforeEach, expect, it } from 'vitest';
import { connect, type Gap, type Publication, type RoomStream } from '../../client/index.js';
import { CdnReader, readCdnFact, readSegment } from '../../client/core/cdn-reader.js';
import { CdnDouble, pass, SocketDouble } from '../kit/cdn-double.js';
import { seededRandom } from '../../src/random.js';
import { ManualClock } from '../kit/manual-clock.js';

let clock: ManualClock;
let cdn: CdnDouble;
let stream: RoomStream;
let shown: string[];
let gaps: Gap[];
let count = 0;

const droppable = (text: string): Publication => ({
  ...{ id: text, kind: 'danmaku', lane: 'normal', at: clock.now(), text },
});
const frame = (...publications: Publication[]) => ({
  ...{ type: 'frame', room: 'lobby', class: 'drop', epoch: 1, tick: ++count, publications },
});
const socket = () => SocketDouble.newest!;
const received = () =>
  socket()
    .written.filter(({ type }) => type === 'receive')
    .map((line) => line['classes'] as string);

beforeEach(async () => {
  clock = new ManualClock();
  cdn = new CdnDouble(clock);
  [shown, gaps] = [[], []];
  SocketDouble.count = 0;
  const parts = { clock, fetch: cdn.fetch, WebSocket: SocketDouble, random: () => 0.5 };
  const options = { url: 'https://edge', room: 'lobby', compress: false, smoothMs: 0 };
  stream = connect({ ...options, ...parts });
  stream.on('publication', ({ id }) => shown.push(id));
  stream.on('gap', (gap) => gaps.push(gap));
  await pass(clock, 0);
  clock.advance(1);
  await pass(clock, 0);
  const line = { type: 'joined', room: 'lobby', epoch: 1, offset: 0, recovered: false };
  const user = { id: 'guest-1', role: 'guest', maySpeak: false };
  socket().say(
    { type: 'welcome', now: clock.now() },
    { ...line, user, online: 1, publications: [] },
  );
});

const announce = (fact: object, offset = 1) => {
  const told = {
    id: `cdn-${offset}`,
    kind: 'cdn',
    lane: 'control',
    at: clock.now(),
    offset,
    data: fact,
  };
  const head = { type: 'frame', room: 'lobby', class: 'keep', epoch: 1, tick: ++count, offset };
  socket().say({ ...head, publications: [told] });
};

/** A second of the room on the CDN, and on the socket too unless it leaves droppables out. */
async function second(n: number): Promise<void> {
  const publications = [droppable(`${n}a`), droppable(`${n}b`)];
  if (received().at(-1) !== 'keep') socket().say(frame(...publications));
  await pass(clock, 500);
  cdn.write(publications);
  await pass(clock, 500);
}

it('K-CDN-1, K-CDN-2 the way to the CDN and back: nothing lost, nothing twice, no reconnect', async () => {
  let n = 0;
  await second(n++);
  announce(cdn.fact());
  for (let i = 0; i < 6; i++) await second(n++);
  expect(received()).toEqual(['keep']);
  expect(stream.state).toMatchObject({ name: 'live', cdn: true });
  announce(cdn.fact('off'), 2);
  for (let i = 0; i < 3; i++) await second(n++);
  cdn.mode = 'off';
  await pass(clock, 10_000);
  expect(received()).toEqual(['keep', 'all']);
  expect(stream.state).toMatchObject({ name: 'live', cdn: false });
  const all = Array.from({ length: n }, (_, i) => [`${i}a`, `${i}b`]).flat();
  expect([...shown].sort()).toEqual(all.sort());
  expect([gaps, SocketDouble.count]).toEqual([[], 1]);
  const asked = cdn.asked.length;
  await pass(clock, 5000, 500);
  expect(cdn.asked.length).toBe(asked);
});

it('K-CDN-3 a failed source gives way to the next without a gap; when all fail the socket has to do', async () => {
  announce(cdn.fact());
  let n = 0;
  for (let i = 0; i < 3; i++) await second(n++);
  cdn.down.add('a');
  for (let i = 0; i < 5; i++) await second(n++);
  expect(cdn.asked.some((url) => url.startsWith('https://b.cdn/'))).toBe(true);
  expect(received()).toEqual(['keep']);
  expect(gaps).toEqual([]);
  cdn.down.add('b');
  for (let i = 0; i < 5; i++) await second(n++);
  expect(received()).toEqual(['keep', 'all']);
  expect(gaps).toMatchObject([{ class: 'drop', why: 'cdn' }]);
  cdn.down.clear();
  for (let i = 0; i < 40 && received().length < 3; i++) await second(n++);
  expect(received()).toEqual(['keep', 'all', 'keep']);
  await pass(clock, 5000);
  expect(new Set(shown).size).toBe(shown.length);
  expect(SocketDouble.count).toBe(1);
});

it('K-CDN-4 what is missing is counted and told: holes, gaps, shed and files that are gone', async () => {
  announce(cdn.fact());
  await second(0);
  await second(1);
  await pass(clock, 1000);
  for (let i = 0; i < 8; i++) cdn.write([droppable(`burst ${i}`)]);
  await pass(clock, 2000);
  // One is passed over; nobody knows what the two held that are not named any more.
  expect(gaps).toMatchObject([{ why: 'cdn', count: 1 }]);
  cdn.write([droppable('after')], { shed: 7, gap: { from: 1, to: 2 } });
  await pass(clock, 2000);
  expect(gaps.at(-1)).toMatchObject({ why: 'cdn', count: 7 });
  cdn.gone.add(12);
  cdn.write([droppable('gone')]);
  await pass(clock, 6000);
  expect(gaps.at(-1)).toMatchObject({ why: 'cdn', count: 1 });
  expect(shown).toContain('after');
  expect(shown).not.toContain('gone');
});

it('K-CDN-5 what is read is shown at a steady delay, and a recalled one not at all', async () => {
  announce(cdn.fact());
  await second(0);
  await second(1);
  const recalled = droppable('recalled');
  const late = droppable('late');
  cdn.write([recalled, late]);
  await pass(clock, 1500);
  expect(shown).not.toContain('late');
  const recall = {
    id: 'r',
    kind: 'recall',
    lane: 'control',
    at: clock.now(),
    offset: 2,
    data: { id: 'recalled' },
  };
  const head = { type: 'frame', room: 'lobby', class: 'keep', epoch: 1, tick: 99, offset: 2 };
  socket().say({ ...head, publications: [recall] });
  await pass(clock, 2400);
  expect(shown).not.toContain('late');
  await pass(clock, 200);
  expect(shown).toContain('late');
  expect(shown).not.toContain('recalled');
});

it('K-CDN-6 each half minute a viewer reports how the CDN served it', async () => {
  announce(cdn.fact());
  for (let n = 0; n < 32; n++) await second(n);
  const reports = socket().written.filter(({ type }) => type === 'report');
  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatchObject({ room: 'lobby', cdn: { source: 'a', failed: 0, missed: 0 } });
  expect(reports[0]!['cdn'].ok).toBeGreaterThan(40);
  // Begins at 4 s and follows what is measured.
  expect(reports[0]!['cdn'].delayMs).toBeLessThanOrEqual(4000);
  expect(reports[0]!['cdn'].delayMs).toBeGreaterThan(3300);
});

it('K-CDN-7 older and unknown manifests are passed over, stale ones are failures', () => {
  const reader = new CdnReader(readCdnFact(cdn.fact())!, () => 0.5);
  const manifest = (more: object) => ({
    ...{ version: 1, epoch: 5, next: 10, at: 1000, mode: 'on', segments: [] },
    ...more,
  });
  const take = (more: object, now = 2000) => reader.takeManifest(manifest(more), now).is;
  expect(take({})).toBe('fine');
  expect([take({ epoch: 4 }), take({ next: 9 }), take({ at: 999 })]).toEqual(['old', 'old', 'old']);
  expect([take({ version: 2 }), take({ next: 'x' }), take({}, 16_001)]).toEqual(
    Array(3).fill('failed'),
  );
  expect([take({ epoch: 6, next: 3 }), take({ epoch: 6, next: 4, mode: 'off' })]).toEqual([
    'fine',
    'off',
  ]);
});

it('K-CDN-7 facts and lines that make no sense are left alone', () => {
  const bad = [null, {}, { mode: 'on' }, { ...cdn.fact(), sources: [{ url: 'javascript:x/' }] }];
  for (const fact of bad) expect(readCdnFact(fact)).toBeUndefined();
  expect(readCdnFact({ ...cdn.fact(), pollMs: 1 })?.pollMs).toBe(200);
  expect(readSegment('{"id":"a"}\nnonsense\n{"id":1}\n{"id":"b"}\n{"id":"cu')).toEqual([
    { id: 'a' },
    { id: 'b' },
  ]);
});

it('K-CDN-3 sources are chosen by weight, those of weight 0 last', () => {
  const chosen = new Map<string, number>();
  for (let i = 0; i < 1000; i++) {
    const fact = readCdnFact({
      ...cdn.fact(),
      sources: [
        { id: 'a', url: 'https://a/', weight: 3 },
        { id: 'b', url: 'https://b/', weight: 1 },
        { id: 'z', url: 'https://z/', weight: 0 },
      ],
    })!;
    const { manifestUrl = '' } = new CdnReader(fact, () => (i + 0.5) / 1000);
    chosen.set(manifestUrl[8]!, (chosen.get(manifestUrl[8]!) ?? 0) + 1);
  }
  expect(Object.fromEntries(chosen)).toEqual({ a: 750, b: 250 });
});

it('K-CDN-8 other weights move as many viewers as the shares change, the rest stay where they are', () => {
  const sources = (a: number, b: number) => ({
    ...{ mode: 'on', pollMs: 1000, segmentMs: 1000, manifest: 'lobby/manifest.json' },
    sources: [
      { id: 'a', url: 'https://a/', weight: a },
      { id: 'b', url: 'https://b/', weight: b },
    ],
  });
  const random = seededRandom(5);
  const readers = Array.from({ length: 1000 }, () => {
    return new CdnReader(readCdnFact(sources(50, 50))!, () => random.next());
  });
  const onA = () => readers.filter(({ manifestUrl }) => manifestUrl!.startsWith('https://a/'));
  const before = new Set(onA());
  expect(before.size).toBeGreaterThan(450);
  for (const reader of readers) reader.retune(readCdnFact(sources(25, 75))!);
  const after = onA();
  expect(after.length).toBeGreaterThan(210);
  expect(after.length).toBeLessThan(290);
  expect(after.every((reader) => before.has(reader))).toBe(true);
  for (const reader of readers) reader.retune(readCdnFact(sources(0, 100))!);
  expect(onA()).toEqual([]);
});

it('K-CDN-9 a source that is given up is reported at once, under its own name', async () => {
  announce(cdn.fact());
  let n = 0;
  for (let i = 0; i < 3; i++) await second(n++);
  const reports = () => socket().written.filter(({ type }) => type === 'report');
  expect(reports()).toEqual([]);
  cdn.down.add('a');
  for (let i = 0; i < 5; i++) await second(n++);
  expect(reports()).toMatchObject([{ cdn: { source: 'a', failed: 3 } }]);
  for (let i = 0; i < 30; i++) {
    await second(n++);
    // A sign of life: a silent socket is given up.
    socket().say(frame());
  }
  expect(reports()).toMatchObject([{}, { cdn: { source: 'b', failed: 0 } }]);
});

it('K-CDN-14 a viewer goes by the weights of the region its edge says, and moves when they change', async () => {
  const of = (regions: unknown, region?: unknown) => {
    const sources = ['a', 'b', 'c'].map((id) => ({ id, url: `https://${id}/`, weight: 1 }));
    const read = readCdnFact({ ...cdn.fact(), sources, regions }, region);
    return read?.sources.map(({ id, weight }) => `${id} ${weight}`);
  };
  const regions = { eu: [0, 5, null], none: [null, null, null], short: [1], __proto__x: [2, 0, 0] };
  expect(of(regions, 'eu')).toEqual(['a 0', 'b 5']);
  expect(of(regions, 'none')).toBeUndefined();
  const own = ['a 1', 'b 1', 'c 1'];
  for (const region of [undefined, '', 'us', 'short', 'toString', 7]) {
    expect(of(regions, region)).toEqual(own);
  }
  for (const odd of [undefined, null, 'eu', [], { eu: 'x' }]) expect(of(odd, 'eu')).toEqual(own);
  expect(of({ eu: ['x', -1, 1e9] }, 'eu')).toEqual(['a 1', 'b 0', 'c 1000000']);
  // Through the stream: the edge says where it is, and the source that all others read is not asked.
  const told = (eu: readonly number[]) => ({ ...cdn.fact(), regions: { eu } });
  const joined = { type: 'joined', room: 'lobby', epoch: 1, offset: 1, recovered: true };
  socket().say({ ...joined, region: 'eu', online: 1, cdn: told([0, 1]), publications: [] });
  let n = 0;
  for (let i = 0; i < 3; i++) await second(n++);
  const hosts = () => new Set(cdn.asked.map((url) => new URL(url).host));
  expect([...hosts()]).toEqual(['b.cdn']);
  cdn.asked.length = 0;
  announce(told([1, 0]), 2);
  await second(n++);
  cdn.asked.length = 0;
  for (let i = 0; i < 3; i++) await second(n++);
  expect([...hosts()]).toEqual(['a.cdn']);
});
