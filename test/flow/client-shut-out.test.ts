/**
 * Viewers whom no edge lets in, of a room on the CDN: a real service with its pusher and dispatch, its edge
 * behind a proxy that refuses, files served by a real nginx; and back.
 */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ConnectOptions, Position } from '../../client/types.js';
import { startFileNginx, type Nginx } from '../kit/nginx.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { startTalk, type Talk } from '../kit/talk.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';
import { untilTrue } from '../kit/until-true.js';

let service: Service;
let nginx: Nginx;
let proxy: TcpProxy;
const open: SdkViewer[] = [];
const talks: Talk[] = [];
/** All three ways are tried twice before, with waits in between. */
const OUT_MS = 30_000;
const random = () => 0.05;

beforeAll(async () => {
  nginx = await startFileNginx();
  proxy = await startTcpProxy(1);
  const cdn = {
    ...{ pusher: true, poll: '200ms', segment: { age: '200ms' }, window: '10s' },
    directory: { folder: join(nginx.folder, 'cdn') },
    sources: [{ id: 'nginx', url: nginx.url, weight: 1 }],
  };
  const edge = { advertise: `http://${proxy.address}` };
  service = await startService({ config: { cdn, edge } });
  proxy.retarget(service.viewerPort);
}, 60_000);

afterEach(async () => {
  await Promise.all(talks.splice(0).map((talk) => talk.stop()));
  for (const viewer of open.splice(0)) viewer.close();
  await proxy.heal();
  await turn('off');
});

afterAll(async () => {
  await proxy?.stop();
  await service?.stop();
  await nginx?.stop();
});

async function turn(cdn: 'on' | 'off'): Promise<void> {
  const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

const ask = async () =>
  (await fetch(`${dispatch()}?room=lobby`)).json() as Promise<{ edges: unknown[]; cdn?: unknown }>;
const dispatch = () => `http://127.0.0.1:${service.studioPort}/v1/dispatch`;

function talk(name: string): Talk {
  const talking = startTalk(service, name);
  talks.push(talking);
  return talking;
}

interface Watcher {
  readonly viewer: SdkViewer;
  /** Droppables that the CDN brought. */
  byCdn: number;
  /** Their texts since nothing else brings them: what lies before may have holes. */
  readonly relied: Set<string>;
}

function watch(options: Partial<ConnectOptions>): Watcher {
  const viewer = new SdkViewer({ room: 'lobby', random, ...options });
  open.push(viewer);
  const watcher: Watcher = { viewer, byCdn: 0, relied: new Set() };
  viewer.stream.on('batch', ({ source, publications }) => {
    if (source !== 'cdn') return;
    watcher.byCdn += publications.length;
    if (!viewer.stream.state.cdn) return;
    for (const { text } of publications) watcher.relied.add(text ?? '');
  });
  return watcher;
}

async function more(watcher: Watcher): Promise<void> {
  const before = watcher.byCdn;
  await watcher.viewer.until('more by files', () => watcher.byCdn > before + 20);
}

/** The edge is there for nobody, and those who were there are out. */
async function shut(): Promise<void> {
  await proxy.refuse();
  proxy.cut();
}

/** The end of the talk is waited for: keepables whole, droppables from the first on once. */
async function expectWhole({ viewer }: Watcher, { gifts, danmaku, stop }: Talk, from: string) {
  await stop();
  const last = [gifts.at(-1)!, danmaku.at(-1)!];
  await viewer.until('the last', () => last.every((text) => viewer.texts.includes(text)), 20_000);
  expect(viewer.texts.filter((text) => gifts.includes(text))).toEqual(gifts);
  const got = viewer.texts.filter((text) => danmaku.includes(text));
  expect(new Set(got).size).toBe(got.length);
  const wanted = danmaku.slice(danmaku.indexOf(from));
  expect(got.filter((text) => wanted.includes(text)).sort()).toEqual([...wanted].sort());
}

/** The earliest danmaku of the talk for which the viewer relied on the CDN. */
const firstOf = ({ relied }: Watcher, { danmaku }: Talk) =>
  danmaku.find((text) => relied.has(text))!;

async function positionNow(): Promise<Position> {
  const { viewer } = watch({ url: `http://127.0.0.1:${service.viewerPort}` });
  await viewer.live();
  const { position } = viewer.stream;
  viewer.close();
  return position!;
}

it('K-CDN-15, D-DISP-14, K-ONCE-1, K-ONCE-2 shut out from the start: the CDN, then the edge', async () => {
  const since = await positionNow();
  await turn('on');
  await untilTrue('dispatch tells of the CDN', async () => (await ask()).cdn !== undefined);
  await shut();
  const said = talk('start');
  const watcher = watch({ dispatch: dispatch(), since });
  const { viewer } = watcher;
  await viewer.until('the CDN', () => viewer.stream.state.cdn, OUT_MS);
  expect(viewer.stream.state.name).toBe('connecting');
  const tried = viewer.states.filter(({ retryMs }) => retryMs !== undefined).length;
  expect(tried).toBeGreaterThanOrEqual(6);
  await more(watcher);
  expect(viewer.publications.filter(({ offset }) => offset !== undefined)).toEqual([]);
  // Edges are tried all the while.
  await viewer.until('one more try', () => viewer.states.length > 2 * tried + 2);
  const from = firstOf(watcher, said);
  await proxy.heal();
  await viewer.live();
  expect(viewer.stream.state).toMatchObject({ cdn: true });
  await more(watcher);
  await expectWhole(watcher, said, from);
  expect(viewer.gaps).toEqual([]);
}, 90_000);

it('K-CDN-15 who reads the CDN goes on while all edges are down, without dispatch', async () => {
  const watcher = watch({ url: `http://${proxy.address}` });
  const { viewer } = watcher;
  await viewer.live();
  const said = talk('known');
  await turn('on');
  await viewer.until('the CDN', () => viewer.stream.state.cdn);
  await more(watcher);
  await shut();
  await viewer.until('out', () => viewer.stream.state.name === 'recovering');
  expect(viewer.stream.state.cdn).toBe(true);
  await more(watcher);
  await more(watcher);
  expect(viewer.stream.state).toMatchObject({ name: 'recovering', cdn: true });
  await proxy.heal();
  await viewer.live();
  await more(watcher);
  await expectWhole(watcher, said, firstOf(watcher, said));
  expect(viewer.gaps).toEqual([]);
  expect(viewer.recovered).toMatchObject([{ whole: true }]);
}, 60_000);

it('K-CDN-15, K-GAP-1 a room that goes to the CDN while all edges are down is read, the loss told', async () => {
  const watcher = watch({ dispatch: dispatch() });
  const { viewer } = watcher;
  await viewer.live();
  const said = talk('later');
  await viewer.until('some', () => viewer.texts.some((text) => text === said.danmaku[4]));
  await shut();
  await turn('on');
  await viewer.until('the CDN', () => viewer.stream.state.cdn, OUT_MS);
  expect(viewer.gaps).toMatchObject([{ class: 'drop', why: 'interrupted' }]);
  await more(watcher);
  const from = firstOf(watcher, said);
  await proxy.heal();
  await viewer.live();
  await expectWhole(watcher, said, from);
  expect(viewer.gaps).toHaveLength(1);
}, 90_000);
