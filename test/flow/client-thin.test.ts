/**
 * Thin viewers by the SDK over real servers: a real service whose pusher writes to a folder or by DAV, the
 * nginx of deploy/nginx-cdn.conf as origin and cache, and that cache where it knows no ranges.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freePort } from '../kit/free-port.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { read } from '../kit/source-tree.js';

const EVERY_MS = 75;
/** What one test has to end, the last first. */
type Ends = (() => Promise<unknown> | void)[];

interface Way {
  readonly origin: 'directory' | 'http';
  readonly hasRanges: boolean;
}

async function start({ origin, hasRanges }: Way, ends: Ends): Promise<Service> {
  const port = await freePort();
  const nginx: Nginx = await prepareNginx({
    modules: ['ngx_http_dav_ext_module.so'],
    http: (cachePort) =>
      read('deploy/nginx-cdn.conf')
        .replaceAll('127.0.0.1:8090', `127.0.0.1:${port}`)
        .replace(
          'listen 8091',
          `${hasRanges ? '' : 'max_ranges 0;'} listen 127.0.0.1:${cachePort}`,
        ),
  });
  ends.push(() => nginx.stop());
  await nginx.start();
  const cdn = {
    // A cache that keeps a manifest for a second brings two new segments then: viewers take five at once.
    ...{ pusher: true, poll: '500ms', segment: { age: '500ms' }, window: '5s', origin },
    ...(origin === 'http'
      ? { http: { url: `http://127.0.0.1:${port}/` } }
      : { directory: { folder: join(nginx.folder, 'cdn') } }),
    sources: [{ id: 'nginx', url: nginx.url, weight: 1 }],
  };
  const service = await startService({ config: { cdn } });
  ends.push(() => service.stop());
  return service;
}

/** A room that goes on talking in two lanes until it is told to stop. */
function talk(service: Service, ends: Ends): { said: string[]; stop(): Promise<void> } {
  const said: string[] = [];
  let isOver = false;
  const talking = (async () => {
    for (let n = 0; !isOver; n++) {
      for (const lane of ['normal', 'low']) {
        const publication = { kind: 'danmaku', lane, text: `${lane} 弹幕 ${n}` };
        const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
        expect(answer.status, JSON.stringify(answer.body)).toBe(200);
        said.push(publication.text);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  const stop = async () => {
    isOver = true;
    await talking;
  };
  ends.push(stop);
  return { said, stop };
}

interface Watched {
  readonly viewer: SdkViewer;
  /** Lanes of what files brought. */
  readonly lanes: string[];
  /** Segments that were asked for in part, and the statuses of their answers. */
  readonly asked: string[];
  readonly statuses: number[];
}

async function watch(service: Service, ends: Ends): Promise<Watched> {
  const [lanes, asked, statuses]: [string[], string[], number[]] = [[], [], []];
  const spy = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const isPart = new Headers(init.headers).has('range');
    if (isPart) asked.push(url);
    const answer = await fetch(url, init);
    if (isPart) statuses.push(answer.status);
    return answer;
  };
  const url = `http://127.0.0.1:${service.viewerPort}`;
  const viewer = new SdkViewer({ url, room: 'lobby', thin: true, fetch: spy });
  ends.push(() => viewer.close());
  viewer.stream.on('batch', ({ source, publications }) => {
    if (source === 'cdn') lanes.push(...publications.map(({ lane }) => lane));
  });
  return { viewer: await viewer.live(), lanes, asked, statuses };
}

async function check(way: Way, ends: Ends): Promise<void> {
  const service = await start(way, ends);
  const { viewer, lanes, asked, statuses } = await watch(service, ends);
  const { said, stop } = talk(service, ends);
  const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn: 'on' });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  await viewer.until('files', () => lanes.length > 20 && viewer.stream.state.cdn, 20_000);
  expect(new Set(lanes)).toEqual(new Set(['normal']));
  const { leftOut, leftOutBytes } = viewer.stream.cdnStats!;
  expect(leftOut).toBeGreaterThan(5);
  expect(leftOutBytes).toBeGreaterThan(leftOut * 50);
  expect(new Set(statuses)).toEqual(new Set([way.hasRanges ? 206 : 200]));
  const parts = asked.length;
  viewer.stream.setThin(false);
  await viewer.until('all lanes', () => lanes.filter((lane) => lane === 'low').length > 5, 20_000);
  expect(asked.length).toBe(parts);
  await stop();
  const normal = said.filter((text) => text.startsWith('normal'));
  await viewer.until('the last', () => normal.every((text) => viewer.texts.includes(text)), 20_000);
  expect(new Set(viewer.texts).size).toBe(viewer.texts.length);
  expect(viewer.gaps).toEqual([]);
}

// Most of their time is waiting.
it.concurrent.each([
  { origin: 'directory', hasRanges: true },
  { origin: 'http', hasRanges: true },
  { origin: 'directory', hasRanges: false },
] as const)(
  'K-CDN-11 a thin viewer of files by $origin (ranges at the cache: $hasRanges) misses what it left out only',
  async (way) => {
    const ends: Ends = [];
    try {
      await check(way, ends);
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
  60_000,
);
