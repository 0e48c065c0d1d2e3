/** The bench's comparison counts what each server sent, step for step, and draws what it counted. */
import { afterEach, expect, it } from 'vitest';
import { sleep } from '../../bench/kit.js';
import { allPeers, peersNamed } from '../../bench/peers/catalog.js';
import { lowerRate } from '../../bench/peers/load.js';
import { Session } from '../../bench/peers/session.js';
import { barsSvg, scatterSvg, type Point } from '../../bench/plot.js';
import { readPlan } from '../../bench/plan.js';
import { buildViewers } from '../../bench/viewer-load.js';
import { scanXml } from '../kit/strict-xml.js';

const VIEWERS = 20;
const PER_SECOND = 100;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** With the declaration and closing tags that the strict reader asks for. */
function asXml(svg: string): string {
  const closed = svg.replace(/<([a-z]+)([^<>]*)\/>/g, '<$1$2></$1>');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${closed}`;
}

async function open(name: string): Promise<Session> {
  const [peer] = peersNamed([`=${name}`]);
  const builder = buildViewers();
  const of = { builder, viewers: VIEWERS, perSecond: PER_SECOND, seed: 1 };
  const session = await Session.open(peer!, of);
  ends.push(() => session.stop());
  return session;
}

it.each(['C floor', 'C floor batched', 'Socket.IO', 'ws prepared batched', 'nats'])(
  'viewers of %s count every publication once',
  async (name) => {
    const session = await open(name);
    session.posts.pace(PER_SECOND);
    await sleep(1000);
    const counts = await session.drain();
    const { posted } = session.posts;
    expect(posted).toBeGreaterThan(PER_SECOND / 2);
    expect(counts.deliveries).toBe(posted * VIEWERS);
    const { joined, closed, failed, unread } = counts;
    expect({ joined, closed, failed, unread }).toEqual({
      ...{ joined: VIEWERS, closed: 0, failed: 0, unread: 0 },
    });
    // A server kept from its core may collect what it was given one by one; never the other way.
    const most = name.endsWith('batched') ? posted / 2 : posted;
    expect(counts.flushes).toBeLessThanOrEqual(most * VIEWERS);
    expect(counts.latencyMs.p50).toBeGreaterThan(0);
    expect(counts.latencyMs.max).toBeLessThan(5000);
    expect(counts.bytes / counts.deliveries).toBeGreaterThan(100);
    expect(session.server.usage().rssBytes).toBeGreaterThan(1e6);
  },
);

it('viewers that pause miss nothing and hold up nobody', async () => {
  const session = await open('C floor');
  session.load.pause(10);
  // The viewers look for the order between two reads: not one may be read before.
  await sleep(500);
  session.posts.pace(PER_SECOND);
  await sleep(500);
  session.posts.stop();
  const reading = (VIEWERS * 9) / 10;
  const { posted } = session.posts;
  await expect
    .poll(async () => (await session.load.total()).deliveries, { timeout: 5000 })
    .toBe(posted * reading);
  session.load.pause(0);
  await expect
    .poll(async () => (await session.load.total()).deliveries, { timeout: 5000 })
    .toBe(posted * VIEWERS);
});

it('a rate that is not held is lowered only where the server itself was busy', () => {
  expect(lowerRate({ delivered: 0.99, serverBusy: 1 }, 100)).toBeUndefined();
  expect(lowerRate({ delivered: 0.5, serverBusy: 0.3 }, 100)).toBe(100);
  expect(lowerRate({ delivered: 0.5, serverBusy: 1 }, 100)).toBe(20);
  expect(lowerRate({ delivered: 0.93, serverBusy: 0.97 }, 100)).toBe(80);
});

it('servers are asked for by name, and options say what is wrong', () => {
  expect(new Set(allPeers().map(({ name }) => name)).size).toBe(allPeers().length);
  expect(peersNamed(['=ws']).map(({ name }) => name)).toEqual(['ws']);
  expect(peersNamed(['NATS'])).toHaveLength(2);
  expect(() => peersNamed(['nobody'])).toThrow('--peer: "nobody" is in none of C floor');
  const plan = readPlan(['--peers', '--peer', 'ws,nats']);
  expect(plan).toMatchObject({ runs: 5, rates: [100], peers: ['ws', 'nats'] });
  expect(plan.only).toEqual(['peers-load', 'peers-slow']);
  expect(readPlan([]).only).not.toContain('peers-load');
  expect(readPlan([]).cdnViewers.at(-1)).toBe(30_000);
  expect(readPlan(['--cdn-viewers', '1000,45000']).cdnViewers).toEqual([1000, 45_000]);
  expect(() => readPlan(['--peers', '--only', 'joins'])).toThrow('--only: "joins"');
});

it('plots are well-formed and place what they are given', () => {
  const name = 'a <b> & "c"';
  const points: Point[] = [
    { name, tone: 'each', x: 10, from: 1, y: 0.5 },
    { name: 'far', tone: 'batch', x: 100, y: 5 },
    { name: 'own', tone: 'own', x: 31.6, y: 50 },
  ];
  const tones = { each: 'one', batch: 'two', own: 'three' };
  const scatter = scatterSvg({ title: name, x: 'ms', y: 'µs', tones, points });
  scanXml(asXml(scatter));
  expect(scatter).toContain('1 a &lt;b&gt; &amp; &quot;c&quot; (0.5; 1–10)');
  const places = [...scatter.matchAll(/class="number" x="([\d.]+)" y="([\d.]+)"/g)].map(
    ([, x, y]) => ({ x: Number(x), y: Number(y) }),
  );
  expect(places).toHaveLength(3);
  // A decade is as long anywhere on an axis, and y grows upwards.
  expect(places[2]!.x - places[0]!.x).toBeCloseTo(places[1]!.x - places[2]!.x, 0);
  expect(places[0]!.y - places[1]!.y).toBeCloseTo(places[1]!.y - places[2]!.y, 0);
  const bars = barsSvg({
    title: name,
    values: ['before', 'after'],
    bars: [
      { name, tone: 'own', figures: [50, 100] },
      { name: 'none', tone: 'each', figures: [0, 25] },
    ],
  });
  scanXml(asXml(bars));
  const widths = [...bars.matchAll(/y="\d+" width="([\d.]+)" height="12"\/>/g)].map(([, w]) =>
    Number(w),
  );
  expect(widths.slice(-4)).toEqual([280, 560, 0, 140]);
  for (const svg of [scatter, bars]) expect(svg).toContain('prefers-color-scheme:dark');
});
