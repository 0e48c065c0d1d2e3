/**
 * Danmaku by CDN as it is run: NATS, Redis, a room service, an edge and two pushers as processes,
 * nginx as origin and cache, viewers by the SDK on every way to watch.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TransportName } from '../../client/types.js';
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';
import { startCluster, type Cluster } from '../kit/cluster.js';
import { freePort } from '../kit/free-port.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { read } from '../kit/source-tree.js';
import { untilTrue } from '../kit/until-true.js';

const ROOM = 'lobby';
const DROP_EVERY_MS = 50;
const KEEP_EVERY_MS = 500;
/**
 * After all CDNs have failed viewers rest for 16 s: longer than they are given to catch up by the socket
 * (12 s). At 10 s a slow machine let them try, and fail, once more before the CDN was started again.
 */
const random = () => 0.3;

let cluster: Cluster;
let nginx: Nginx;
let folder: string;
let checker: Checker;
let speaker: Speaker;
const viewers: SdkViewer[] = [];

/** Says something droppable 20 times a second and something keepable twice. */
class Speaker {
  readonly said = { drop: 0, keep: 0 };
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #posts = new Set<Promise<unknown>>();

  start(): void {
    const say = (word: 'drop' | 'keep', lane: string) => () => {
      const text = `${word} ${this.said[word]++}`;
      const body = { kind: word === 'drop' ? 'danmaku' : 'notice', lane, text };
      const post = cluster.studio(cluster.rooms[0]!, 'POST', '/v1/rooms/lobby/publications', body);
      this.#posts.add(post);
      void post.finally(() => this.#posts.delete(post));
    };
    this.#timers.push(setInterval(say('drop', 'normal'), DROP_EVERY_MS));
    this.#timers.push(setInterval(say('keep', 'control'), KEEP_EVERY_MS));
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#posts);
  }
}

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
      const manifest = await manifestNow();
      if (manifest !== undefined) {
        const files = new Set(await readdir(join(folder, ROOM)));
        for (const { name } of manifest.segments) if (!files.has(name)) this.missing.push(name);
        this.looks++;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const manifestNow = (): Promise<Manifest | undefined> =>
  readFile(join(folder, ROOM, 'manifest.json'))
    .then(decodeManifest)
    .catch(() => undefined);

async function startNginx(): Promise<Nginx> {
  const origin = await freePort();
  const made = await prepareNginx({
    modules: ['ngx_http_dav_ext_module.so'],
    http: (port) =>
      read('deploy/nginx-cdn.conf')
        .replaceAll('127.0.0.1:8090', `127.0.0.1:${origin}`)
        .replace('root cdn;', `root ${folder};`)
        .replace('listen 8091', `listen 127.0.0.1:${port}`),
  });
  await made.start();
  return made;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-origin-'));
  nginx = await startNginx();
  cluster = await startCluster({
    ...{ rooms: 1, edges: 1, pushers: 2, create: [ROOM] },
    config: {
      edge: { region: 'eu' },
      cdn: {
        ...{ origin: 'directory', directory: { folder }, lease: '1s' },
        sources: [{ id: 'a', url: nginx.url, weight: 1 }],
      },
    },
  });
  speaker = new Speaker();
  checker = new Checker();
  const ways: TransportName[] = ['websocket', 'websocket', 'websocket', 'sse', 'poll'];
  for (const [i, way] of ways.entries()) {
    const options = { url: cluster.edgeUrls, room: ROOM, transports: [way], random };
    viewers.push(new SdkViewer({ ...options, token: cluster.token(`u${i}`, [ROOM]) }));
  }
  await Promise.all(viewers.map((viewer) => viewer.live()));
  speaker.start();
  checker.start();
}, 60_000);

afterAll(async () => {
  await speaker?.stop();
  await checker?.stop();
  for (const viewer of viewers) viewer.close();
  await cluster?.stop();
  await nginx?.stop();
  await rm(folder, { recursive: true, force: true });
});

const choose = (cdn: string) =>
  cluster.studio(cluster.rooms[0]!, 'PATCH', '/v1/rooms/lobby/limits', { cdn });
const numbers = ({ texts }: SdkViewer, word: 'drop' | 'keep') =>
  texts.filter((text) => text.startsWith(word)).map((text) => Number(text.slice(word.length)));
const follow = (isFollowing: boolean, withinMs?: number) =>
  Promise.all(
    viewers.map((viewer) =>
      viewer.until(
        isFollowing ? 'on the CDN' : 'on the socket',
        () => viewer.stream.state.cdn === isFollowing,
        withinMs,
      ),
    ),
  );

/** All that was said up to now has arrived, each once; keepables in their order. */
async function whole(fromDrop: number): Promise<void> {
  const said = { ...speaker.said };
  const deadline = 12_000;
  for (const viewer of viewers) {
    const has = () => {
      const [drops, keeps] = [new Set(numbers(viewer, 'drop')), numbers(viewer, 'keep')];
      for (let i = fromDrop; i < said.drop; i++) if (!drops.has(i)) return false;
      return (keeps.at(-1) ?? -1) >= said.keep - 1;
    };
    await viewer.until('all that was said', has, deadline).catch((error: unknown) => {
      const drops = new Set(numbers(viewer, 'drop'));
      const all = Array.from({ length: said.drop - fromDrop }, (_, i) => fromDrop + i);
      const missing = all.filter((each) => !drops.has(each));
      throw new Error(`from ${fromDrop} to ${said.drop} without ${missing.join()}`, {
        cause: error,
      });
    });
  }
  noneTwice();
}

function noneTwice(): void {
  for (const viewer of viewers) {
    const [drops, keeps] = [numbers(viewer, 'drop'), numbers(viewer, 'keep')];
    expect(new Set(drops).size).toBe(drops.length);
    const first = keeps[0]!;
    expect(keeps).toEqual(Array.from(keeps, (_, i) => first + i));
    expect(viewer.recovered).toEqual([]);
  }
}

async function edgeMetric(name: string): Promise<number> {
  const ready = cluster.edges[0]!.process.ready;
  const answer = await fetch(`http://127.0.0.1:${String(ready['operationsPort'])}/metrics`);
  const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Publications the edge sends each viewer per second. */
async function deliveredPerSecond(ms = 2000): Promise<number> {
  const before = await edgeMetric('barrage_edge_deliveries_total');
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const sent = (await edgeMetric('barrage_edge_deliveries_total')) - before;
  return sent / viewers.length / ((performance.now() - began) / 1000);
}

it('R-CDN-4, E-CDN-2 switched on, every way to watch takes its droppables from the CDN', async () => {
  const from = speaker.said.drop;
  expect(await deliveredPerSecond(1000)).toBeGreaterThan(10);
  expect((await choose('on')).status).toBe(200);
  await follow(true, 15_000);
  // Keepables alone: two a second and a rest from the switch.
  await untilTrue('keepables only', async () => (await deliveredPerSecond(1000)) < 4);
  await whole(from);
  expect(viewers.map(({ gaps }) => gaps)).toEqual(viewers.map(() => []));
}, 40_000);

it('R-CDN-6, R-CDN-9 the table of CDNs by the API: set, refused, handed out by dispatch, given back', async () => {
  const studio = cluster.rooms[0]!;
  const call = (method: string, body?: unknown) => cluster.studio(studio, method, '/v1/cdns', body);
  const own = { id: 'a', url: nginx.url, weight: 2 };
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
    const { body } = await cluster.studio(studio, 'GET', path);
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
  expect((await cluster.studio(studio, 'GET', '/v1/rooms/lobby/cdn')).body).toMatchObject({
    ...{ choice: 'on', mode: 'on', why: 'chosen', written: true },
  });
  noneTwice();
}, 20_000);

it('C-PUSH-3 the active pusher is killed: another goes on within 3 s, nothing missing, nothing twice', async () => {
  const from = speaker.said.drop;
  const before = (await manifestNow())!;
  const isWriter = ({ process }: (typeof cluster.pushers)[number]) =>
    process.log.some((line) => line.includes('"pusher ready"') && line.includes(before.run));
  const writer = cluster.pushers.find(isWriter)!;
  await writer.process.kill();
  const began = performance.now();
  await untilTrue('another writes', async () => {
    const now = await manifestNow();
    return now !== undefined && now.run !== before.run && now.next > before.next;
  });
  expect(performance.now() - began).toBeLessThan(3000);
  await whole(from);
  expect(viewers.map(({ gaps }) => gaps)).toEqual(viewers.map(() => []));
  expect(viewers.every(({ stream }) => stream.state.cdn)).toBe(true);
  await writer.start();
}, 40_000);

it('K-CDN-3 the CDN is killed: viewers are back on the socket, and return when it is there again', async () => {
  await nginx.kill();
  await follow(false, 15_000);
  const from = speaker.said.drop;
  await whole(from);
  await nginx.start();
  await follow(true, 25_000);
  await whole(from);
  for (const { gaps } of viewers) {
    expect(gaps.every(({ why }) => why === 'cdn')).toBe(true);
    expect(gaps.length).toBeLessThanOrEqual(2);
  }
}, 70_000);

it('R-CDN-4, C-PUSH-2 switched off, all is on the socket again; no manifest ever named a missing file', async () => {
  const from = speaker.said.drop;
  const gaps = viewers.map((viewer) => viewer.gaps.length);
  await choose('off');
  await follow(false);
  await untilTrue('all by the edge', async () => (await deliveredPerSecond(1000)) > 10);
  await whole(from);
  expect(viewers.map((viewer) => viewer.gaps.length)).toEqual(gaps);
  await untilTrue('the last manifest', async () => (await manifestNow())?.mode === 'off');
  expect(checker.looks).toBeGreaterThan(100);
  expect(checker.missing).toEqual([]);
  noneTwice();
}, 40_000);
