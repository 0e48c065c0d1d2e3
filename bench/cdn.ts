/**
 * The bench of danmaku by CDN: a pusher, nginx as origin and as cache, and viewers that poll at their
 * real pace, as many as one process carries; beyond them a model of the cache for up to 100,000.
 * `npm run build && node dist/bench/cdn.js [seconds]` prints the tables.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPusher } from '../cdn-pusher/main.js';
import { PUSHER_DEFAULTS } from '../cdn-pusher/options.js';
import { DirectoryOrigin } from '../cdn-pusher/origins/directory.js';
import { MemoryBus } from '../src/adapters/memory-bus.js';
import { MemoryStore } from '../src/adapters/memory-store.js';
import type { RoomId } from '../src/ids.js';
import { silentLog } from '../src/ports/log.js';
import { seededRandom, systemRandom } from '../src/random.js';
import { shardOf } from '../src/shards.js';
import { cdnSubject, roomSubject } from '../src/subjects.js';
import { Meter } from '../src/telemetry/meter.js';
import { ADMIT_ALL, encodeFrame } from '../src/wire/envelope.js';
import { encodeJson } from '../src/wire/internal.js';
import { modelCdn } from './cdn-model.js';
import { Pollers, type PollerCounts } from './cdn-pollers.js';
import { clock, freePort, say, sleep } from './kit.js';
import { projectFolder } from './service.js';

const ROOM = 'lobby' as RoomId;
const PER_SECOND = 60;
const POLL_MS = 1000;
const REAL = [100, 500, 1000, 1500];
const MODELLED = [1000, 10_000, 100_000];
const TICK_MS = 100;

interface Site {
  readonly port: number;
  readonly folder: string;
  /** Requests the origin has had. */
  originRequests(): number;
  stop(): void;
}

async function startNginx(): Promise<Site> {
  const base = mkdtempSync(join(tmpdir(), 'barrage-bench-cdn-'));
  chmodSync(base, 0o777);
  const [port, origin] = [await freePort(), await freePort()];
  const folder = join(base, 'files');
  const site = readFileSync(join(projectFolder, 'deploy/nginx-cdn.conf'), 'utf8')
    .replaceAll('127.0.0.1:8090', `127.0.0.1:${origin}`)
    .replace('listen 8091', `listen 127.0.0.1:${port}`)
    .replace('root cdn;', `root ${folder}; access_log ${base}/origin.log;`)
    .replaceAll(/^.*dav_.*$|^.*create_full_put_path.*$/gm, '');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${base}/${name};`,
  );
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const config = `${user} worker_processes 1; pid ${base}/nginx.pid; daemon off;
    events { worker_connections 2048; }
    http { access_log off; keepalive_requests 1000000; ${temporary.join(' ')} ${site} }`;
  writeFileSync(join(base, 'nginx.conf'), config);
  const args = ['-p', base, '-c', join(base, 'nginx.conf'), '-e', join(base, 'error.log')];
  const nginx = spawn('nginx', args, { stdio: 'ignore' });
  nginx.on('error', (error) => say(`nginx: ${error.message}`));
  return {
    ...{ port, folder },
    originRequests: () => readFileSync(join(base, 'origin.log'), 'utf8').split('\n').length - 1,
    stop: () => {
      nginx.kill('SIGTERM');
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/** A pusher and a room that says `PER_SECOND` things a second; answers how to end both. */
async function startRoom(folder: string): Promise<() => Promise<void>> {
  const bus = new MemoryBus();
  const pusher = await startPusher(
    { ...PUSHER_DEFAULTS, member: 'bench' },
    {
      ...{ bus, store: new MemoryStore(clock), clock, random: systemRandom(), log: silentLog },
      ...{ meter: new Meter(), origin: new DirectoryOrigin(folder, clock) },
    },
  );
  const announce = () =>
    bus.publish(cdnSubject(shardOf(ROOM)), encodeJson({ epoch: 1, rooms: [[ROOM, 'on']] }));
  announce();
  const random = seededRandom(3);
  let tick = 0;
  const timers = [
    clock.every(1000, announce),
    clock.every(TICK_MS, () => {
      const texts = Array.from({ length: (PER_SECOND * TICK_MS) / 1000 }, () => lineOf(random));
      const head = { room: ROOM, class: 'drop' as const, epoch: 1, tick: ++tick };
      const frame = { ...head, offset: 0, online: 1e5, shed: 0, admission: ADMIT_ALL };
      bus.publish(roomSubject(ROOM), encodeFrame(frame, texts));
    }),
  ];
  return async () => {
    for (const timer of timers) timer.cancel();
    await pusher.stop();
  };
}

let said = 0;
function lineOf(random: ReturnType<typeof seededRandom>): string {
  const user = random.below(1e6);
  const words = Array.from({ length: 4 + random.below(12) }, () =>
    String.fromCharCode(0x4e00 + random.below(2000)),
  );
  return JSON.stringify({
    ...{ id: `1-${++said}`, kind: 'danmaku', lane: 'normal', at: Math.floor(clock.now()) },
    ...{ user: { id: `u${user}`, name: `viewer ${user}` }, text: words.join('') },
  });
}

const quantile = (values: number[], share: number) =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;

async function measure(site: Site, viewers: number, seconds: number) {
  const pollers = new Pollers(site.port, ROOM, () => clock.now());
  pollers.add(viewers, POLL_MS);
  await sleep(4000);
  pollers.take();
  const [before, began] = [site.originRequests(), clock.now()];
  await sleep(seconds * 1000);
  const counts: PollerCounts = pollers.take();
  const took = (clock.now() - began) / 1000;
  const origin = (site.originRequests() - before) / took;
  pollers.end();
  return {
    viewers,
    requestsPerSecond: Math.round(counts.requests / took),
    failed: counts.failed,
    originPerSecond: origin.toFixed(1),
    delayP50Ms: Math.round(quantile(counts.agesMs, 0.5)),
    delayP99Ms: Math.round(quantile(counts.agesMs, 0.99)),
    bytesPerPublication: Math.round(counts.bytes / counts.publications),
    kbitPerViewer: Math.round((counts.bytes * 8) / 1000 / took / viewers),
  };
}

const seconds = Number(process.argv[2] ?? 8);
const site = await startNginx();
const endRoom = await startRoom(site.folder);
try {
  const url = `http://127.0.0.1:${site.port}/${ROOM}/manifest.json`;
  const isServed = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  const end = clock.now() + 10_000;
  while (!(await isServed())) {
    if (clock.now() > end) throw new Error('nginx serves no manifest');
    await sleep(200);
  }
  const rows = [];
  for (const viewers of REAL) rows.push(await measure(site, viewers, seconds));
  say('real pollers over nginx (one worker)');
  console.table(rows);
  const model = { seconds: 20, pollMs: POLL_MS, segmentMs: 1000, maxAgeS: 1, writeMs: 40 };
  for (const [name, caches, viewerMs, originMs] of [
    ['this machine: one cache', 1, 1, 3],
    ['20 places, 15 ms to the viewer, 60 ms to the origin', 20, 15, 60],
  ] as const) {
    say(`modelled: ${name}`);
    const own = { ...model, caches, viewerMs, originMs, perSecond: PER_SECOND };
    console.table(MODELLED.map((viewers) => ({ viewers, ...modelCdn({ ...own, viewers }) })));
  }
} finally {
  await endRoom();
  site.stop();
}
