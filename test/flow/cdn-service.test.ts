/**
 * Danmaku by CDN as it is run: NATS, Redis, a room service, an edge and two pushers as processes,
 * nginx as origin and cache, viewers by the SDK on every way to watch.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CdnStage } from '../kit/cdn-stage.js';
import { untilTrue } from '../kit/until-true.js';

const ROOM = 'lobby';

let stage: CdnStage;
let checker: Checker;

/** Looks all the time whether every file the manifest names is there. */
class Checker {
  looks = 0;
  readonly missing: string[] = [];
  #isOn = true;
  #running: Promise<void> | undefined;

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      const manifest = await stage.manifest();
      if (manifest !== undefined) {
        const files = new Set(await readdir(join(stage.folder, ROOM)));
        for (const { name } of manifest.segments) if (!files.has(name)) this.missing.push(name);
        this.looks++;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

beforeAll(async () => {
  stage = await CdnStage.start(2);
  checker = new Checker();
  checker.start();
}, 60_000);

afterAll(async () => {
  await checker?.stop();
  await stage?.stop();
});

it('R-CDN-4, E-CDN-2 switched on, every way to watch takes its droppables from the CDN', async () => {
  const from = stage.speaker.said.drop;
  expect(await stage.deliveredPerSecond(1000)).toBeGreaterThan(10);
  expect((await stage.choose('on')).status).toBe(200);
  await stage.follow(true, 15_000);
  // Keepables alone: two a second and a rest from the switch.
  await untilTrue('keepables only', async () => (await stage.deliveredPerSecond(1000)) < 4);
  await stage.whole(from);
  expect(stage.viewers.map(({ gaps }) => gaps)).toEqual(stage.viewers.map(() => []));
}, 40_000);

it('R-CDN-6, R-CDN-9 the table of CDNs by the API: set, refused, handed out by dispatch, given back', async () => {
  const studio = stage.cluster.rooms[0]!;
  const call = (method: string, body?: unknown) =>
    stage.cluster.studio(studio, method, '/v1/cdns', body);
  const own = { id: 'a', url: stage.nginx.url, weight: 2 };
  const eu = { id: 'b', url: 'https://b.example/', weight: 0, regions: ['eu'], maxMbps: 100 };
  const ids = (answer: { body: any }) =>
    (answer.body.cdns as { spec: { id: string }; weight: number }[])
      .map(({ spec, weight }) => `${spec.id} ${weight}`)
      .join();
  expect(ids(await call('GET'))).toBe('a 100');
  const set = await call('PUT', { cdns: [own, eu] });
  expect([set.status, set.body.isOwn, ids(set)]).toEqual([200, true, 'a 100,b 0']);
  const dispatched = async (region: string) => {
    const path = `/v1/dispatch?room=lobby&region=${region}`;
    const { body } = await stage.cluster.studio(studio, 'GET', path);
    return (body.cdns as { id: string }[]).map(({ id }) => id).join();
  };
  await untilTrue('dispatch', async () => (await dispatched('eu')) === 'a,b');
  expect(await dispatched('us')).toBe('a');
  for (const [flaw, field] of [
    [{ ...own, url: 'https://a.example' }, 'cdns.0.url'],
    [{ ...own, weight: 101 }, 'cdns.0.weight'],
    [{ ...own, more: 1 }, 'cdns.0.more'],
  ] as const) {
    const { status, body } = await call('PUT', { cdns: [flaw] });
    expect([status, body.error.field]).toEqual([400, field]);
  }
  expect((await call('PUT', { cdns: [own, own] })).body.error).toMatchObject({ field: 'cdns' });
  expect(ids(await call('GET'))).toBe('a 100,b 0');
  const given = await call('DELETE');
  expect([given.body.isOwn, ids(given)]).toEqual([false, 'a 100']);
  expect((await stage.cluster.studio(studio, 'GET', '/v1/rooms/lobby/cdn')).body).toMatchObject({
    ...{ choice: 'on', mode: 'on', why: 'chosen', written: true },
  });
  stage.noneTwice();
}, 20_000);

it('C-PUSH-3 the active pusher is killed: another goes on within 3 s, nothing missing, nothing twice', async () => {
  const from = stage.speaker.said.drop;
  const before = (await stage.manifest())!;
  const writer = stage.writerOf(before);
  // By the lease that is the default, from the signal on.
  const began = performance.now();
  await writer.process.kill();
  await stage.untilManifest(
    'another writes',
    (now) => now.run !== before.run && now.next > before.next,
  );
  expect(performance.now() - began).toBeLessThan(3000);
  const { segments, first } = (await stage.manifest())!;
  expect(segments.map(({ sequence }) => sequence)).toEqual(segments.map((_, i) => first + i));
  expect(segments.every(({ gap }) => gap === undefined)).toBe(true);
  await stage.whole(from);
  expect(stage.viewers.map(({ gaps }) => gaps)).toEqual(stage.viewers.map(() => []));
  expect(stage.viewers.every(({ stream }) => stream.state.cdn)).toBe(true);
  await writer.start();
}, 40_000);

it('K-CDN-3 the CDN is killed: viewers are back on the socket, and return when it is there again', async () => {
  await stage.nginx.kill();
  await stage.follow(false, 15_000);
  const from = stage.speaker.said.drop;
  await stage.whole(from);
  await stage.nginx.start();
  await stage.follow(true, 25_000);
  await stage.whole(from);
  for (const { gaps } of stage.viewers) {
    expect(gaps.every(({ why }) => why === 'cdn')).toBe(true);
    expect(gaps.length).toBeLessThanOrEqual(2);
  }
}, 70_000);

it('R-CDN-4, C-PUSH-2 switched off, all is on the socket again; no manifest ever named a missing file', async () => {
  const from = stage.speaker.said.drop;
  const gaps = stage.viewers.map((viewer) => viewer.gaps.length);
  await stage.choose('off');
  await stage.follow(false);
  await untilTrue('all by the edge', async () => (await stage.deliveredPerSecond(1000)) > 10);
  await stage.whole(from);
  expect(stage.viewers.map((viewer) => viewer.gaps.length)).toEqual(gaps);
  await untilTrue('the last manifest', async () => (await stage.manifest())?.mode === 'off');
  expect(checker.looks).toBeGreaterThan(100);
  expect(checker.missing).toEqual([]);
  stage.noneTwice();
}, 40_000);
