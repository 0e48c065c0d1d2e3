/** The SDK while a service is drained in good order, and behind a link that is far too narrow. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { TransportName } from '../../client/types.js';
import { freePort } from '../kit/free-port.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

let service: Service;
let proxy: TcpProxy;
const open: SdkViewer[] = [];
const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];
const CONFIG = { edge: { reconnectJitter: '100ms' } };
/** 50 kbit/s. */
const NARROW_BYTES_PER_SECOND = 6250;

beforeAll(async () => {
  const [viewerPort, studioPort] = await Promise.all([freePort(), freePort()]);
  service = await startService({ viewerPort, studioPort, config: CONFIG });
  proxy = await startTcpProxy(service.viewerPort);
}, 60_000);

afterEach(async () => {
  for (const viewer of open.splice(0)) viewer.close();
  await proxy.heal();
});

afterAll(async () => {
  await proxy?.stop();
  await service?.stop();
});

async function view(way: TransportName): Promise<SdkViewer> {
  const url = `http://${proxy.address}`;
  const options = { url, room: 'lobby', transports: [way], random: () => 0.1 };
  const viewer = new SdkViewer(options);
  open.push(viewer);
  return viewer.live();
}

async function post(publication: object): Promise<void> {
  const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

it('K-BACK-1, K-ONCE-1 viewers of a drained service come back as it advised, without a gap', async () => {
  const viewers = await Promise.all(WAYS.map(view));
  await post({ kind: 'gift', text: 'before the drain' });
  for (const viewer of viewers) {
    await viewer.until('before', () => viewer.texts.includes('before the drain'));
  }
  const { folder, viewerPort, studioPort } = service;
  expect(await service.stop(true)).toBe(0);
  service = await startService({ folder, viewerPort, studioPort, config: CONFIG });
  await post({ kind: 'gift', text: 'after the drain' });
  for (const viewer of viewers) {
    await viewer.until('after', () => viewer.texts.includes('after the drain'), 15_000);
    expect(viewer.texts).toEqual(['before the drain', 'after the drain']);
    expect(viewer.gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
  }
  const [socket, events] = viewers.map(({ states }) => states.find(({ retryMs }) => retryMs! > 0));
  expect(socket).toMatchObject({ name: 'recovering', code: 4000 });
  expect(events).toMatchObject({ name: 'recovering', code: 4000 });
}, 40_000);

it.each(WAYS)(
  'K-ONCE-1 over a link of 50 kbit/s %s brings keepables whole, however much else is said',
  async (way) => {
    const viewer = await view(way);
    proxy.throttle(NARROW_BYTES_PER_SECOND);
    const gifts = Array.from({ length: 24 }, (_, n) => `${way} gift ${n}`);
    for (const text of gifts) {
      const said = Array.from({ length: 6 }, (_, n) => `${text} ${n} ${'一'.repeat(60)}`);
      await Promise.all(said.map((one) => post({ kind: 'danmaku', text: one })));
      await post({ kind: 'gift', text });
    }
    await viewer.until('the last', () => viewer.texts.includes(gifts.at(-1)!), 25_000);
    expect(viewer.texts.filter((text) => gifts.includes(text))).toEqual(gifts);
    expect(new Set(viewer.texts).size).toBe(viewer.texts.length);
    expect(viewer.gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
  },
  40_000,
);
