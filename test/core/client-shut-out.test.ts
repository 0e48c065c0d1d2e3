/** Viewers whom no edge lets in: what they read of the CDN meanwhile, and what they are told is missing. */
import { beforeEach, expect, it } from 'vitest';
import { connect, type Gap, type Publication, type RoomStream } from '../../client/index.js';
import { Ladder } from '../../client/core/ladder.js';
import type { ConnectOptions, State } from '../../client/types.js';
import { CdnDouble, pass, SocketDouble } from '../kit/cdn-double.js';
import { ManualClock } from '../kit/manual-clock.js';

const DISPATCH = 'https://studio.example/v1/dispatch';
const EDGES = [{ url: 'https://edge-1' }, { url: 'https://edge-2' }];

let clock: ManualClock;
let cdn: CdnDouble;
let stream: RoomStream;
let isRefused: boolean;
let answer: () => Response;
let heard: { shown: Publication[]; shownAt: number[]; gaps: Gap[]; states: State[] };
let count = 0;

/** A socket that is refused, or that the test answers. */
class EdgeSocket extends SocketDouble {
  constructor() {
    super();
    if (!isRefused) return;
    this.onopen = null;
    queueMicrotask(() => this.onclose?.({ code: 1006, reason: '' }));
  }
}

beforeEach(() => {
  clock = new ManualClock();
  cdn = new CdnDouble(clock);
  isRefused = true;
  heard = { shown: [], shownAt: [], gaps: [], states: [] };
});

function watch(more: Partial<ConnectOptions> = {}): void {
  const fetch = async (url: string, init: RequestInit = {}) =>
    url.startsWith(DISPATCH) ? answer() : cdn.fetch(url, init);
  stream = connect({
    ...{ room: 'lobby', dispatch: DISPATCH, transports: ['websocket'], compress: false },
    ...{ clock, fetch, WebSocket: EdgeSocket, random: () => 0.5, smoothMs: 0, ...more },
  });
  stream.on('publication', (publication) => {
    heard.shown.push(publication);
    heard.shownAt.push(clock.now());
  });
  stream.on('gap', (gap) => heard.gaps.push(gap));
  stream.on('state', (state) => heard.states.push(state));
}

const ids = () => heard.shown.map(({ id }) => id);
const publication = (id: string, offset?: number): Publication => ({
  ...{ id, kind: 'danmaku', lane: 'normal', at: clock.now(), text: id },
  ...(offset !== undefined && { offset }),
});
const joined = (more: object = {}) => ({
  ...{ type: 'joined', room: 'lobby', epoch: 1, offset: 0, recovered: false, online: 1 },
  ...{ publications: [], ...more },
});
const welcome = () => ({ type: 'welcome', now: clock.now() });

/** A second of the room as the files have it. */
async function second(id: string): Promise<void> {
  const said = [publication(`${id}a`), publication(`${id}b`)];
  await pass(clock, 500);
  cdn.write(said);
  await pass(clock, 500);
}

async function seconds(name: string, times: number): Promise<string[]> {
  for (let n = 0; n < times; n++) await second(`${name}${n}`);
  return Array.from({ length: times }, (_, n) => [`${name}${n}a`, `${name}${n}b`]).flat();
}

/** An edge lets in, with the fact and whatever more. */
async function letIn(more: object = {}): Promise<void> {
  isRefused = false;
  const before = SocketDouble.count;
  for (let n = 0; SocketDouble.count === before; n++) {
    expect(n).toBeLessThan(60);
    await second(`wait-${++count}-`);
  }
  await pass(clock, 0);
  SocketDouble.newest!.say(welcome(), joined({ cdn: cdn.fact(), ...more }));
  await pass(clock, 0);
}

const told = () => ({ now: clock.now(), cdn: cdn.fact() });

it.each<[string, () => Response]>([
  ['edges', () => Response.json({ edges: EDGES, cdns: [], ...told() })],
  [
    'no edge',
    () =>
      Response.json({ error: { code: 'unavailable', message: '' }, ...told() }, { status: 503 }),
  ],
])(
  'K-CDN-15 with %s of dispatch that let it in a viewer reads the CDN, and goes on by an edge',
  async (_, says) => {
    answer = says;
    watch({ url: [], since: { epoch: 1, offset: 4 } });
    await seconds('early', 4);
    expect(stream.state).toMatchObject({
      name: 'connecting',
      cdn: true,
      retryMs: expect.any(Number),
    });
    const meanwhile = await seconds('out', 6);
    answer = () => Response.json({ edges: EDGES, cdns: [], ...told() });
    const gift = publication('gift', 5);
    const again = publication('out5a');
    await letIn({ epoch: 1, offset: 5, recovered: true, publications: [again, gift] });
    expect(stream.state).toMatchObject({ name: 'live', transport: 'websocket', cdn: true });
    const receive = SocketDouble.newest!.written.filter(({ type }) => type === 'receive');
    expect(receive.map((line) => line['classes'])).toEqual(['keep']);
    const join = SocketDouble.newest!.written.find(({ type }) => type === 'join')!;
    expect(join['since']).toEqual({ epoch: 1, offset: 4 });
    const after = await seconds('in', 3);
    await pass(clock, 5000);
    expect(ids()).toContain('gift');
    expect(ids().filter((id) => /^(out|in)/.test(id))).toEqual([...meanwhile, ...after]);
    expect(new Set(ids()).size).toBe(ids().length);
    // Nothing was promised before the first file.
    expect(heard.gaps).toEqual([]);
  },
);

it('K-CDN-15 edges are tried all the while, with the usual waits', async () => {
  answer = () => Response.json({ edges: EDGES, cdns: [], ...told() });
  watch();
  await seconds('s', 5);
  expect(stream.state.cdn).toBe(true);
  const before = SocketDouble.count;
  await seconds('t', 40);
  // Ranges of up to 30 s, of which half is waited.
  expect(SocketDouble.count - before).toBeGreaterThanOrEqual(2);
  expect(SocketDouble.count - before).toBeLessThanOrEqual(6);
  expect(heard.states.every(({ name }) => name === 'connecting')).toBe(true);
});

it('K-CDN-15 no file is asked for before each way failed and each edge, nor without a word of dispatch', async () => {
  const files = () => cdn.asked.filter((url) => url.includes('.cdn/'));
  answer = () => Response.json({ edges: EDGES, cdns: [], ...told() });
  watch({ transports: ['websocket', 'poll'] });
  for (let n = 0; n < 400 && files().length === 0; n++) await pass(clock, 10, 10);
  // Two tries by sockets, two by polls: of each of the two edges one of both.
  expect(heard.states.filter(({ retryMs }) => retryMs !== undefined)).toHaveLength(4);
  stream.close();
  cdn.asked.length = 0;
  for (const more of [{ url: 'https://edge', dispatch: undefined }, { cdn: false }]) {
    watch(more as Partial<ConnectOptions>);
    await seconds('n', 20);
    stream.close();
  }
  answer = () => Response.json({ edges: EDGES, cdns: [] });
  watch();
  await seconds('o', 20);
  expect(files()).toEqual([]);
  expect(stream.state.cdn).toBe(false);
});

it("K-CDN-15, K-CDN-5 the room's clock is dispatch's while there is no edge (device an hour off)", async () => {
  const aheadMs = 3_600_000;
  const roomNow = () => clock.now() + aheadMs;
  answer = () => Response.json({ edges: EDGES, cdns: [], now: roomNow(), cdn: cdn.fact() });
  watch();
  await seconds('before', 4);
  const at = clock.now();
  cdn.write([{ ...publication('line'), at: roomNow() }]);
  await pass(clock, 6000);
  // The delay of the CDN begins at 4 s.
  expect(heard.shownAt[ids().indexOf('line')]! - at).toBeCloseTo(4000, -3);
});

it('K-CDN-15 who has heard of the CDN goes on reading it while all edges are down', async () => {
  answer = () => Response.json({ edges: EDGES, cdns: [] });
  watch();
  await letIn({ offset: 7 });
  const before = await seconds('before', 4);
  expect(stream.state).toMatchObject({ name: 'live', cdn: true });
  isRefused = true;
  SocketDouble.newest!.onclose?.({ code: 1006, reason: '' });
  const out = await seconds('out', 20);
  expect(stream.state).toMatchObject({ name: 'recovering', cdn: true });
  await letIn({
    offset: 9,
    recovered: true,
    publications: [8, 9].map((n) => publication(`g${n}`, n)),
  });
  const after = await seconds('after', 3);
  await pass(clock, 5000);
  const all = [...before, ...out, ...after];
  expect(ids().filter((id) => all.includes(id))).toEqual(all);
  expect(ids().filter((id) => id.startsWith('g'))).toEqual(['g8', 'g9']);
  expect(heard.gaps).toEqual([]);
});

it('K-GAP-1, K-CDN-15 what nothing brought until the CDN was read is told once, with how long', async () => {
  answer = () => Response.json({ edges: EDGES, cdns: [], ...told() });
  watch();
  await letIn({ cdn: undefined, offset: 7 });
  await seconds('before', 2);
  expect(stream.state.cdn).toBe(false);
  const lostAt = clock.now();
  isRefused = true;
  SocketDouble.newest!.onclose?.({ code: 1006, reason: '' });
  let readAt: number | undefined;
  for (let n = 0; readAt === undefined; n++) {
    expect(n).toBeLessThan(60);
    await second(`out${n}`);
    if (stream.state.cdn) readAt = clock.now();
  }
  expect(heard.gaps).toMatchObject([{ class: 'drop', why: 'interrupted' }]);
  const { lastedMs } = heard.gaps[0]!;
  expect(lastedMs).toBeLessThanOrEqual(readAt - lostAt);
  expect(lastedMs).toBeGreaterThan(readAt - lostAt - 1000);
  await seconds('read', 3);
  // The CDN fails too: told as its own, and again when an edge brings them.
  for (const source of ['a', 'b']) cdn.down.add(source);
  await seconds('dark', 8);
  expect(stream.state).toMatchObject({ name: 'recovering', cdn: false });
  expect(heard.gaps.map(({ why }) => why)).toEqual(['interrupted', 'cdn']);
  await letIn({ offset: 7, recovered: true });
  expect(heard.gaps.map(({ why }) => why)).toEqual(['interrupted', 'cdn', 'interrupted']);
});

it('K-CDN-4 a file that is not there while the link brings all is no gap, and the link is kept on', async () => {
  answer = () => Response.json({ edges: EDGES, cdns: [] });
  watch();
  await letIn();
  const receive = () => SocketDouble.newest!.written.filter(({ type }) => type === 'receive');
  // Segments from the next one on; the files of those that came while it waited are there.
  for (let sequence = 1; sequence < 40; sequence++) cdn.gone.add(sequence);
  await seconds('missing', 6);
  expect([heard.gaps, receive()]).toEqual([[], []]);
  expect(stream.state.cdn).toBe(false);
  cdn.gone.clear();
  await seconds('there', 3);
  expect(receive().map((line) => line['classes'])).toEqual(['keep']);
  expect(heard.gaps).toEqual([]);
  // From here on it would be missed.
  for (let sequence = 1; sequence < 80; sequence++) cdn.gone.add(sequence);
  await seconds('lost', 2);
  expect(heard.gaps).toMatchObject([
    { class: 'drop', why: 'cdn', count: 2 },
    { class: 'drop', why: 'cdn', count: 2 },
  ]);
});

it('K-CDN-4 a file that is not there after the room turned the CDN off is a gap: no link had it', async () => {
  answer = () => Response.json({ edges: EDGES, cdns: [] });
  watch();
  await letIn();
  await seconds('on', 4);
  await pass(clock, 1000);
  expect(stream.state.cdn).toBe(true);
  for (let sequence = 1; sequence < 40; sequence++) cdn.gone.add(sequence);
  const off = { ...publication('off', 1), kind: 'cdn', data: { mode: 'off' } };
  const head = { type: 'frame', room: 'lobby', class: 'keep', epoch: 1, tick: 1, offset: 1 };
  cdn.write([publication('last')]);
  SocketDouble.newest!.say({ ...head, publications: [off] });
  await pass(clock, 3000);
  expect(stream.state.cdn).toBe(false);
  expect(heard.gaps).toMatchObject([{ class: 'drop', why: 'cdn', count: 1 }]);
});

it.each([
  [['websocket'], 0, [false, true, true]],
  [['websocket', 'sse'], 0, [false, false, false, true, true]],
  [['websocket', 'sse'], 1, [false, false, false, false, false, false, true]],
] as const)(
  'K-CDN-15 a viewer was by all ways once each has failed: %s',
  (ways, held, expected) => {
    const ladder = new Ladder(ways, 1000);
    for (let i = 0; i < held; i++) ladder.held();
    expect(expected.map(() => (ladder.failed(), ladder.isThrough))).toEqual(expected);
    ladder.held();
    expect(ladder.isThrough).toBe(false);
  },
);
