/**
 * Viewers of a CDN, in Node and in real Chromium at once, behind a proxy that does every fault a network
 * has: files of a real pusher from a real nginx, while the socket that brings keepables stays whole.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NETWORK_FAULTS } from '../kit/network-faults.js';
import { startFileNginx, type Nginx } from '../kit/nginx.js';
import { openPlace, untilTold, type Place, type PlacedViewer } from '../kit/sdk-places.js';
import { startService, type Service } from '../kit/service.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

const ROUNDS = 80;
const EVERY_MS = 50;
/** The fault holds from one round to the other: two seconds. */
const FROM = 20;
const TO = 60;
const WAIT_MS = 20_000;

let service: Service;
let nginx: Nginx;
let proxy: TcpProxy;
let places: Place[];

beforeAll(async () => {
  nginx = await startFileNginx();
  proxy = await startTcpProxy(nginx.port);
  const cdn = {
    ...{ pusher: true, poll: '200ms', segment: { age: '200ms' }, window: '10s' },
    directory: { folder: join(nginx.folder, 'cdn') },
    sources: [{ id: 'nginx', url: `http://${proxy.address}/`, weight: 1 }],
  };
  service = await startService({ config: { cdn, edge: { origins: ['*'] } } });
  const page = `http://127.0.0.1:${service.studioPort}/healthz`;
  places = await Promise.all([openPlace('Node', page), openPlace('Chromium', page)]);
  const on = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn: 'on' });
  expect(on.status, JSON.stringify(on.body)).toBe(200);
}, 60_000);

afterAll(async () => {
  for (const place of places ?? []) await place.close();
  await service?.stop();
  await proxy?.stop();
  await nginx?.stop();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function post(kind: string, text: string): Promise<void> {
  const answer = await service.studio('POST', '/v1/rooms/lobby/publications', { kind, text });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

it.each(NETWORK_FAULTS)(
  'K-CDN-3, K-ONCE-1, K-ONCE-2, K-GAP-1 the way to the CDN $name: keepables whole, droppables once or told',
  async ({ name, begin }) => {
    const url = `http://127.0.0.1:${service.viewerPort}`;
    const options = { url, room: 'lobby', transports: ['websocket' as const], connectMs: 1000 };
    const viewers = await Promise.all(places.map((place) => place.watch(options)));
    try {
      // There are files where something is said.
      const isOn = async (viewer: PlacedViewer) => (await viewer.told()).isOnCdn;
      for (let n = 0; !(await Promise.all(viewers.map(isOn))).every(Boolean); n++) {
        expect(n).toBeLessThan(WAIT_MS / EVERY_MS);
        await Promise.all([post('danmaku', `${name} before ${n}`), pause(EVERY_MS)]);
      }
      for (let n = 0; n < ROUNDS; n++) {
        if (n === FROM) await begin(proxy);
        if (n === TO) await proxy.heal();
        await Promise.all([post('gift', `${name} gift ${n}`), post('danmaku', `${name} ${n}`)]);
        await pause(EVERY_MS);
      }
      const last = `${name} ${ROUNDS - 1}`;
      for (const viewer of viewers) {
        const { texts, gaps, states } = await untilTold(viewer, (told) =>
          told.texts.includes(last),
        );
        const gifts = Array.from({ length: ROUNDS }, (_, n) => `${name} gift ${n}`);
        expect(texts.filter((text) => text.startsWith(`${name} gift`))).toEqual(gifts);
        const said = Array.from({ length: ROUNDS }, (_, n) => `${name} ${n}`);
        const danmaku = texts.filter((text) => said.includes(text));
        expect(new Set(danmaku).size).toBe(danmaku.length);
        expect(danmaku.length).toBeGreaterThan(ROUNDS / 4);
        if (danmaku.length < ROUNDS) expect(gaps.map((gap) => gap.class)).toContain('drop');
        expect(gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
        // The socket has nothing to do with it.
        expect(states).not.toContain('recovering');
      }
    } finally {
      await proxy.heal();
      for (const viewer of viewers) await viewer.close();
    }
  },
  60_000,
);
