/** The SDK and a whole CDN: a real service with its pusher, files served by a real nginx, and back. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { TransportName } from '../../client/types.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { startTalk, type Talk } from '../kit/talk.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

let service: Service;
let nginx: Nginx;
let proxy: TcpProxy;
const open: SdkViewer[] = [];
const talks: Talk[] = [];
const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];
/** Each way: viewers hear of a change, and edges of theirs, so much later. */
const DELAY_MS = 150;

beforeAll(async () => {
  nginx = await prepareNginx({
    http: (port, folder) => `server {
      listen 127.0.0.1:${port};
      root ${folder}/cdn;
      gzip_static on;
      location = /healthz { return 200 ok; }
      location ~ jsonl$ { if (-f ${folder}/broken) { return 404; } }
    }`,
  });
  await nginx.start();
  const cdn = {
    ...{ pusher: true, poll: '200ms', segment: { age: '200ms' }, window: '10s' },
    directory: { folder: join(nginx.folder, 'cdn') },
    sources: [{ id: 'nginx', url: nginx.url, weight: 1 }],
  };
  service = await startService({ config: { cdn } });
  proxy = await startTcpProxy(service.viewerPort);
  proxy.delay(DELAY_MS);
}, 60_000);

afterEach(async () => {
  await Promise.all(talks.splice(0).map((talk) => talk.stop()));
  for (const viewer of open.splice(0)) viewer.close();
  await turn('off');
});

afterAll(async () => {
  await proxy?.stop();
  await service?.stop();
  await nginx?.stop();
});

async function turn(choice: 'on' | 'off'): Promise<void> {
  const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn: choice });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

interface Watcher {
  readonly viewer: SdkViewer;
  /** Publications by what brought them. */
  readonly by: Record<string, number>;
}

async function watch(way: TransportName): Promise<Watcher> {
  const url = `http://${proxy.address}`;
  const viewer = new SdkViewer({ url, room: 'lobby', transports: [way] });
  open.push(viewer);
  const by: Record<string, number> = {};
  viewer.stream.on('batch', ({ source, publications }) => {
    const droppables = publications.filter(({ offset }) => offset === undefined);
    by[source] = (by[source] ?? 0) + droppables.length;
  });
  return { viewer: await viewer.live(), by };
}

function talk(name: string, hasGifts = true): Talk {
  const talking = startTalk(service, name, hasGifts);
  talks.push(talking);
  return talking;
}

const isOn = ({ viewer }: Watcher) => viewer.stream.state.cdn;

it('K-CDN-1, K-ONCE-1, K-ONCE-2 keep, all and keep again over each way: all of it, once, in order', async () => {
  const watchers = await Promise.all(WAYS.map(watch));
  const { gifts, danmaku, stop } = talk('round');
  for (const choice of ['on', 'off', 'on'] as const) {
    await turn(choice);
    for (const each of watchers) {
      await each.viewer.until(choice, () => isOn(each) === (choice === 'on'));
      const [cdn = 0, said] = [each.by['cdn'], each.viewer.publications.length];
      const goesOn = () =>
        choice === 'on'
          ? (each.by['cdn'] ?? 0) > cdn + 5
          : each.viewer.publications.length > said + 9;
      await each.viewer.until(`${choice} goes on`, goesOn);
    }
  }
  await stop();
  for (const { viewer, by } of watchers) {
    const way = viewer.stream.state.transport;
    // What the files bring is shown later than what the link brings.
    const all = [...gifts, ...danmaku];
    await viewer.until(`all by ${way}`, () => all.every((text) => viewer.texts.includes(text)));
    expect(
      viewer.texts.filter((text) => text.includes('gift')),
      way,
    ).toEqual(gifts);
    const got = viewer.texts.filter((text) => text.startsWith('round') && !text.includes('gift'));
    expect(new Set(got).size, way).toBe(got.length);
    expect([...got].sort(), way).toEqual([...danmaku].sort());
    expect(by['cdn'], way).toBeGreaterThan(10);
    expect(by[way!], way).toBeGreaterThan(10);
    expect(viewer.gaps, way).toEqual([]);
    expect(viewer.states.map(({ name }) => name)).not.toContain('recovering');
  }
}, 60_000);

it('K-CDN-4 segments that are missing are told as a gap and the rest goes on', async () => {
  const watcher = await watch('websocket');
  const { viewer, by } = watcher;
  const { gifts, danmaku, stop } = talk('missing');
  await turn('on');
  await viewer.until('on', () => isOn(watcher));
  const first = by['cdn'] ?? 0;
  await viewer.until('by files alone', () => (by['cdn'] ?? 0) > first + 5);
  await writeFile(join(nginx.folder, 'broken'), '');
  await viewer.until('gap', () => viewer.gaps.length > 0);
  await rm(join(nginx.folder, 'broken'));
  const before = by['cdn'] ?? 0;
  await viewer.until('goes on', () => (by['cdn'] ?? 0) > before + 5);
  await stop();
  await viewer.until('the last', () => viewer.texts.includes(danmaku.at(-1)!));
  expect(viewer.gaps.every((gap) => gap.class === 'drop' && gap.why === 'cdn')).toBe(true);
  const told = viewer.gaps.reduce((sum, { count = 0 }) => sum + count, 0);
  const got = viewer.texts.filter((text) => danmaku.includes(text));
  expect(got.length + told).toBe(danmaku.length);
  expect(viewer.texts.filter((text) => gifts.includes(text))).toEqual(gifts);
}, 40_000);

it.each(['websocket', 'poll'] as const)(
  'K-CDN-3 without any source left %s brings all again, and it is told',
  async (way) => {
    const watcher = await watch(way);
    const { viewer, by } = watcher;
    // Polls are held until there is something keepable: not even one comes here.
    const { danmaku } = talk(`down ${way}`, false);
    await turn('on');
    await viewer.until('on', () => isOn(watcher));
    await nginx.kill();
    await viewer.until('off', () => !isOn(watcher));
    expect(viewer.gaps).toMatchObject([{ class: 'drop', why: 'cdn' }]);
    const before = by[way] ?? 0;
    await viewer.until(`by ${way}`, () => (by[way] ?? 0) > before + 5, 5000);
    const got = viewer.texts.filter((text) => danmaku.includes(text));
    expect(new Set(got).size).toBe(got.length);
    await nginx.start();
  },
  40_000,
);
