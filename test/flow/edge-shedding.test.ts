/** A real edge that would send more than it should: what it lets through, to whom, and who comes in. */
import { randomBytes } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { startEdgeKit, until, type EdgeKit } from '../kit/edge.js';
import { EventViewer } from '../kit/http-viewer.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
afterEach(() => kit.stop());

const TEXT = 'x'.repeat(1000);
const VIEWERS = 24;
const SOFT = 400_000;
const HARD = 600_000;

/** Three times the hard mark: every 20 ms a droppable frame, every fifth time a keepable one. */
function pour(text = () => TEXT): { stop(): void; dropped(): number } {
  let turn = 0;
  const timer = setInterval(() => {
    kit.lobby.drop([text()]);
    kit.lobby.drop([text().slice(0, 300)]);
    if (++turn % 5 === 0) kit.lobby.keep([`k${turn}`]);
  }, 20);
  return { stop: () => clearInterval(timer), dropped: () => turn * 2 };
}

async function bytesPerSecond(ms: number): Promise<number> {
  const from = kit.metric('barrage_edge_sent_bytes_total');
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const bytes = kit.metric('barrage_edge_sent_bytes_total') - from;
  return (bytes / (performance.now() - start)) * 1000;
}

it('E-SHED-3 three times too much settles between the marks; keepables all come, the loss is even', async () => {
  kit = await startEdgeKit({
    ...{ egressSoftBytes: SOFT, egressHardBytes: HARD, sliceViewers: 4, reconnectJitterMs: 100 },
  });
  const viewers = await Promise.all(
    Array.from({ length: VIEWERS }, () => Viewer.connect(kit.port, { room: 'lobby' })),
  );
  await Promise.all(viewers.map((viewer) => viewer.line('joined')));
  const load = pour();
  await until(() => kit.metric('barrage_edge_let_through') < 0.5, 'thinning');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const settled = await bytesPerSecond(1500);
  expect(settled).toBeGreaterThan(SOFT * 0.75);
  expect(settled).toBeLessThan(HARD * 1.2);

  load.stop();

  const [, offset] = [kit.lobby.keep(['end']), kit.lobby.offset];
  await Promise.all(viewers.map((viewer) => viewer.until(() => viewer.position.offset === offset)));
  const all = Array.from({ length: offset }, (_, i) => i + 1);
  for (const viewer of viewers) expect(viewer.keepableOffsets).toEqual(all);
  const drops = viewers.map(
    (viewer) =>
      viewer.publications.filter((publication) => publication['offset'] === undefined).length,
  );
  const sum = drops.reduce((total, count) => total + count, 0);
  const mean = sum / VIEWERS;
  expect(Math.max(...drops)).toBeLessThan(mean * 1.25);
  expect(Math.min(...drops)).toBeGreaterThan(mean * 0.75);
  // Every droppable one was sent to a viewer or is counted.
  const thinned = kit.metric('barrage_edge_thinned_total');
  expect(thinned).toBeGreaterThan(0);
  expect(sum + thinned).toBe(load.dropped() * VIEWERS);

  // Newcomers: a few, then 503 with advice; who is here stays.
  const tries = await Promise.allSettled(
    Array.from({ length: 40 }, () => Viewer.connect(kit.port, { room: 'lobby' })),
  );
  const refused = tries.filter(({ status }) => status === 'rejected');
  const told = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  await until(
    () =>
      told.every((viewer) =>
        viewer.lines.some(({ type }) => type === 'joined' || type === 'error'),
      ),
    'an answer to each',
  );
  const errors = told.flatMap(({ lines }) => lines.filter(({ type }) => type === 'error'));
  expect(refused.length + errors.length).toBeGreaterThan(20);
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'unavailable', rule: 'newcomers' });
    expect(error['retryAfterMs']).toBeGreaterThan(0);
  }
  expect(
    kit.metric('barrage_edge_refused_total', 'busy') +
      kit.metric('barrage_edge_joins_total', 'busy'),
  ).toBe(refused.length + errors.length);
  for (const viewer of told) viewer.cut();
  expect(viewers.every(({ closed }) => closed === undefined)).toBe(true);
}, 30_000);

it.each(['websocket', 'sse'] as const)(
  'E-SHED-6, K-GAP-1 viewers by %s hear how many droppables were thinned out, at most once a second',
  async (way) => {
    kit = await startEdgeKit({ egressSoftBytes: 60_000, egressHardBytes: 90_000, sliceViewers: 2 });
    const options = { url: `http://127.0.0.1:${kit.port}`, room: 'lobby', transports: [way] };
    const viewers = await Promise.all(
      Array.from({ length: 4 }, () => new SdkViewer({ ...options, heartbeatMs: 60_000 }).live()),
    );
    const began = performance.now();
    // What deflate cannot make small.
    const load = pour(() => `x${randomBytes(600).toString('base64')}`);
    try {
      await until(() => kit.metric('barrage_edge_thinned_total') > 400, 'thinning');
      await new Promise((resolve) => setTimeout(resolve, 1500));
    } finally {
      load.stop();
    }
    const lostBy = ({ gaps }: SdkViewer) => gaps.reduce((sum, { count = NaN }) => sum + count, 0);
    const droppable = ({ texts }: SdkViewer) =>
      texts.filter((text) => !text.startsWith('k')).length;
    // Nothing more is said: what is owed is told all the same.
    for (const viewer of viewers) {
      await viewer.until('all of it', () => droppable(viewer) + lostBy(viewer) === load.dropped());
      expect(lostBy(viewer)).toBeGreaterThan(0);
      expect(viewer.gaps.every((gap) => gap.class === 'drop' && gap.why === 'shed')).toBe(true);
      const seconds = (performance.now() - began) / 1000;
      expect(viewer.gaps.length).toBeLessThanOrEqual(seconds);
      viewer.close();
    }
    const lost = viewers.reduce((sum, viewer) => sum + lostBy(viewer), 0);
    expect(lost).toBe(kit.metric('barrage_edge_thinned_total'));
  },
  20_000,
);

it('E-SHED-5 event streams are told when to come again, polls go on, and it ends by itself', async () => {
  kit = await startEdgeKit({
    egressSoftBytes: 20_000,
    egressHardBytes: 40_000,
    reconnectJitterMs: 10,
  });
  const viewer = await Viewer.connect(kit.port, { room: 'lobby' });
  await viewer.line('joined');
  for (let i = 0; i < 100; i++) kit.lobby.drop([TEXT]);
  await until(() => kit.metric('barrage_edge_let_through') < 1, 'thinning');
  const streams = await Promise.allSettled(
    Array.from({ length: 30 }, () => EventViewer.connect(kit.port, '/v1/rooms/lobby/events')),
  );
  expect(streams.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(10);
  const url = `http://127.0.0.1:${kit.port}/v1/rooms/lobby/events`;
  const answers = await Promise.all(Array.from({ length: 30 }, () => fetch(url)));
  const told = answers.filter(({ status }) => status === 503);
  expect(told.length).toBeGreaterThan(10);
  for (const { headers } of told) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  for (const { body } of answers) await body?.cancel();
  const polled = await fetch(`http://127.0.0.1:${kit.port}/v1/rooms/lobby/publications`);
  expect(polled.status).toBe(200);
  await polled.text();
  for (const stream of streams) if (stream.status === 'fulfilled') stream.value.close();
  await until(() => kit.metric('barrage_edge_let_through') === 1, 'the end of it');
  let isIn = false;
  for (let tries = 0; !isIn && tries < 50; tries++) {
    const late = await Viewer.connect(kit.port, { room: 'lobby' }).catch(() => undefined);
    if (late !== undefined) isIn = (await late.line('joined'))['room'] === 'lobby';
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(isIn).toBe(true);
}, 20_000);

it('E-SHED-4 without marks nothing is thinned out and nobody is turned away', async () => {
  kit = await startEdgeKit();
  const viewer = await Viewer.connect(kit.port, { room: 'lobby' });
  await viewer.line('joined');
  const load = pour();
  await viewer.until(() => viewer.publications.length > 100);
  load.stop();
  expect(kit.metric('barrage_edge_thinned_total')).toBe(0);
  expect(kit.metric('barrage_edge_let_through')).toBe(1);
});
