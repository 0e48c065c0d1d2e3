/**
 * What can go wrong between a room and its CDN, with real processes: NATS, Redis, a room service and two
 * pushers, nginx with DAV as origin, another nginx as the cache. Everything written is judged all the
 * time: no manifest names what is missing or goes back, no name is written twice.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CdnWatcher } from '../kit/cdn-watcher.js';
import { startCluster, type Cluster } from '../kit/cluster.js';
import { freePort } from '../kit/free-port.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { read } from '../kit/source-tree.js';
import { untilTrue } from '../kit/until-true.js';

const ROOM = 'lobby';
const SAY_EVERY_MS = 100;
const FAULT_MS = 4000;
const HOUR = 3_600_000;
const preload = new URL('../kit/stepped-clock.mjs', import.meta.url).href;

let folder: string;
let clockFile: string;
let failFile: string;
let origin: Nginx;
let cache: Nginx;
let cluster: Cluster;
let watcher: CdnWatcher;
let talking: NodeJS.Timeout;
let said = 0;
const posts = new Set<Promise<unknown>>();

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One half of deploy/nginx-cdn.conf is used of each; the other listens aside. */
async function startNginx(originPort: number, isCache: boolean): Promise<Nginx> {
  const aside = await freePort();
  const made = await prepareNginx({
    modules: ['ngx_http_dav_ext_module.so'],
    http: (port) =>
      read('deploy/nginx-cdn.conf')
        .replace('proxy_pass http://127.0.0.1:8090', `proxy_pass http://127.0.0.1:${originPort}`)
        .replace('listen 127.0.0.1:8090', `listen 127.0.0.1:${isCache ? aside : originPort}`)
        .replace('location / {', `location / { if (-f ${failFile}) { return 503; }`)
        .replace('listen 8091', `listen 127.0.0.1:${port}`),
  });
  await made.start();
  return made;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-faults-'));
  clockFile = join(folder, 'clock');
  failFile = join(folder, 'fail');
  const originPort = await freePort();
  origin = await startNginx(originPort, false);
  cache = await startNginx(originPort, true);
  cluster = await startCluster({
    ...{ rooms: 1, edges: 0, pushers: 2, create: [ROOM] },
    environment: {
      'cdn-pusher': { NODE_OPTIONS: `--import ${preload}`, TEST_CLOCK_FILE: clockFile },
    },
    config: {
      cdn: {
        ...{ origin: 'http', http: { url: `http://127.0.0.1:${originPort}/` } },
        sources: [{ id: 'a', url: cache.url, weight: 1 }],
      },
    },
  });
  const room = cluster.rooms[0]!;
  await cluster.studio(room, 'PATCH', `/v1/rooms/${ROOM}/limits`, { cdn: 'on' });
  watcher = new CdnWatcher(join(origin.folder, 'cdn', ROOM), `${cache.url}${ROOM}/`);
  talking = setInterval(() => {
    const body = { kind: 'danmaku', lane: 'normal', text: `line ${said++}` };
    const post = cluster.studio(room, 'POST', `/v1/rooms/${ROOM}/publications`, body);
    posts.add(post);
    void post.finally(() => posts.delete(post));
  }, SAY_EVERY_MS);
  await untilTrue('the first segments', async () => watcher.texts.size > 5, 20_000);
}, 60_000);

afterEach(() => expect(watcher.flaws).toEqual([]));

afterAll(async () => {
  clearInterval(talking);
  await Promise.all(posts);
  await watcher?.stop();
  await cluster?.stop();
  await cache?.stop();
  await origin?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** All that was said from `from` up to now comes to the viewers. */
async function whole(from: number): Promise<void> {
  const to = said;
  const missing = () =>
    Array.from({ length: to - from }, (_, i) => from + i).filter(
      (each) => !watcher.texts.has(`line ${each}`),
    );
  await untilTrue('all that was said', async () => missing().length === 0, 15_000).catch(() =>
    expect(missing(), `of ${from} to ${to}`).toEqual([]),
  );
}

/** The pusher that wrote the newest manifest. */
function writer() {
  const { run } = watcher.newest!;
  const isWriter = ({ process }: (typeof cluster.pushers)[number]) =>
    process.log.some((line) => line.includes('"pusher ready"') && line.includes(run));
  return cluster.pushers.find(isWriter)!;
}

const setClock = (ms: number) => writeFile(clockFile, String(ms));

it('C-PUSH-2, C-ORIG-4 the origin is killed and started again: nothing is lost', async () => {
  const from = said;
  await sleep(1000);
  await origin.kill();
  await sleep(FAULT_MS);
  await origin.start();
  await whole(from);
}, 40_000);

it('C-PUSH-2, C-ORIG-4 the origin answers 503 for a while: the cache goes on, nothing is lost', async () => {
  const from = said;
  await sleep(1000);
  const served = watcher.served;
  await writeFile(failFile, '');
  await sleep(FAULT_MS);
  expect(watcher.served - served).toBeGreaterThan(10);
  await rm(failFile);
  await whole(from);
}, 40_000);

it('C-PUSH-2 the cache is restarted: viewers go on where they were', async () => {
  const from = said;
  await sleep(1000);
  await cache.kill();
  await sleep(1500);
  await cache.start();
  await whole(from);
}, 40_000);

it('C-PUSH-7 the pushers clock is set an hour ahead and back again: nothing is lost', async () => {
  const from = said;
  await setClock(HOUR);
  await untilTrue('files of the future', async () => watcher.newest!.at > Date.now() + HOUR / 2);
  await sleep(3000);
  await setClock(0);
  await sleep(3000);
  await whole(from);
}, 40_000);

it('C-PUSH-7, C-PUSH-3 the writer dies with its clock an hour ahead: nothing is lost', async () => {
  const from = said;
  await setClock(HOUR);
  await sleep(2000);
  const lost = writer();
  await lost.process.kill();
  await setClock(0);
  await whole(from);
  await lost.start();
}, 40_000);

it('C-PUSH-7 all pushers die and come with clocks two hours back: the gap is told', async () => {
  const gaps = watcher.gaps;
  await setClock(-2 * HOUR);
  await Promise.all(cluster.pushers.map(({ process }) => process.kill()));
  await sleep(2000);
  await Promise.all(cluster.pushers.map((pusher) => pusher.start()));
  await untilTrue('the gap', async () => watcher.gaps > gaps, 15_000);
  const from = said;
  await sleep(2000);
  await whole(from);
  expect(watcher.looks).toBeGreaterThan(100);
}, 60_000);
