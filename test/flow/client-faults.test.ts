/** The SDK against the real service through a network that misbehaves, and a service that ends. */
import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ConnectOptions } from '../../client/index.js';
import { freePort } from '../kit/free-port.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

let service: Service;
let proxy: TcpProxy;
const open: SdkViewer[] = [];
const ROOM = 'lobby';
const JITTER = { edge: { reconnectJitter: '100ms' } };

beforeAll(async () => {
  const [viewerPort, studioPort] = await Promise.all([freePort(), freePort()]);
  service = await startService({ viewerPort, studioPort, config: JITTER });
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

function view(options: Partial<ConnectOptions> = {}): SdkViewer {
  const url = `http://${proxy.address}`;
  const viewer = new SdkViewer({ url, room: ROOM, random: () => 0.2, ...options });
  open.push(viewer);
  return viewer;
}

async function post(publication: object): Promise<string> {
  const answer = await service.studio('POST', `/v1/rooms/${ROOM}/publications`, publication);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.id as string;
}

const names = (viewer: SdkViewer) => viewer.states.map(({ name }) => name);

it.each(['websocket', 'sse', 'poll'] as const)(
  'K-ONCE-1, K-GAP-1 over %s cut again and again: keepables exactly once and in order, lost droppables told',
  async (way) => {
    const viewer = await view({ transports: [way] }).live();
    const texts = Array.from({ length: 30 }, (_, i) => `${way} ${i}`);
    for (const [i, text] of texts.entries()) {
      if (i % 10 === 5) proxy.cut();
      await post({ kind: 'gift', text });
    }
    await viewer.until('the last', () => viewer.texts.includes(texts.at(-1)!));
    expect(viewer.texts.filter((text) => text.startsWith(way))).toEqual(texts);
    await viewer.until('recovered', () => viewer.recovered.length > 0);
    expect(viewer.recovered.every(({ whole }) => whole)).toBe(true);
    const lost = viewer.gaps.filter((gap) => gap.class === 'drop');
    expect(lost.length).toBe(viewer.recovered.length);
    expect(lost[0]).toMatchObject({ why: 'interrupted', lastedMs: expect.any(Number) });
    expect(viewer.gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
  },
);

it.each(['websocket', 'sse'] as const)(
  'K-HEART-1, K-HEART-2 a half-open %s is noticed within two heartbeats and left',
  async (way) => {
    const config = { heartbeatMs: way === 'sse' ? 400 : 300, connectMs: 1000 };
    // An event stream is silent between the edge's own heartbeats: any comment here comes from posts.
    const viewer = await view({ transports: [way], ...config }).live();
    proxy.stall();
    const from = performance.now();
    await viewer.until('noticed', () => names(viewer).includes('recovering'), 3000);
    expect(performance.now() - from).toBeLessThan(1500);
    expect(viewer.states.at(-1)?.reason ?? 'silent').toBe('silent');
    await post({ kind: 'gift', text: `behind the stall of ${way}` });
    await proxy.heal();
    const text = `behind the stall of ${way}`;
    await viewer.until('caught up', () => viewer.texts.includes(text));
    expect(viewer.texts.filter((one) => one === text)).toHaveLength(1);
  },
);

it('K-WAY-2, K-WAY-3 blocked ways are left one after another, and the best is taken again later', async () => {
  let blocked = ['ws', 'events'];
  const Blocked = class {
    constructor(url: string, protocols: string[]) {
      const to = blocked.includes('ws') ? 'ws://127.0.0.1:1/' : url;
      return new WebSocket(to, protocols) as unknown as this;
    }
  };
  const fetchPast = (url: string, init?: RequestInit) =>
    blocked.some((way) => url.includes(`/${way}`))
      ? Promise.reject(new TypeError('blocked'))
      : fetch(url, init);
  const viewer = view({ WebSocket: Blocked, fetch: fetchPast, upgradeMs: 300 });
  await viewer.until('polling', () => viewer.stream.state.name === 'polling');
  const tried = viewer.states.map(({ transport }) => transport).filter((way) => way !== undefined);
  expect([...new Set(tried)]).toEqual(['websocket', 'sse', 'poll']);
  await post({ kind: 'gift', text: 'by poll' });
  await viewer.until('by poll', () => viewer.texts.includes('by poll'));

  blocked = ['ws'];
  await viewer.until('sse', () => viewer.stream.state.transport === 'sse');
  await post({ kind: 'gift', text: 'by sse' });
  blocked = [];
  await viewer.until('websocket', () => viewer.stream.state.transport === 'websocket');
  await post({ kind: 'gift', text: 'by websocket' });
  await viewer.until('by websocket', () => viewer.texts.includes('by websocket'));
  const mine = viewer.texts.filter((text) => text.startsWith('by '));
  expect(mine).toEqual(['by poll', 'by sse', 'by websocket']);
  expect(names(viewer)).not.toContain('recovering');
  expect(viewer.gaps).toEqual([]);
});

it('K-TOKEN-1 a token is renewed before it expires, without a break', async () => {
  let asked = 0;
  const token = () => {
    asked++;
    return service.token('dora', [ROOM], { ttlMs: 3000 });
  };
  const viewer = await view({ token }).live();
  await viewer.until('renewed', () => asked >= 2, 6000);
  await viewer.until('live twice', () => names(viewer).filter((n) => n === 'live').length >= 2);
  expect(await viewer.stream.send({ text: 'still here' })).toMatchObject({ ok: true });
  expect(names(viewer)).not.toContain('recovering');
  expect(viewer.gaps).toEqual([]);
});

it('K-TOKEN-2 a refused token is asked for again; a fixed one ends the stream', async () => {
  // Edges take a token for some seconds longer, in case clocks differ.
  const expired = service.token('eve', [ROOM], { ttlMs: -60_000 });
  const tokens = [expired, service.token('eve')];
  const renewing = await view({ token: async () => tokens.shift() ?? '' }).live();
  expect(renewing.stream.user).toMatchObject({ id: 'eve', maySpeak: true });
  for (const way of ['websocket', 'sse', 'poll'] as const) {
    const fixed = view({ token: expired, transports: [way] });
    await fixed.until('closed', () => fixed.closed !== undefined);
    expect(fixed.closed).toMatchObject({ reason: 'expired' });
    expect(fixed.stream.state.name).toBe('closed');
  }
});

it('K-BACK-2 what the service ends for good stays ended, with its reason', async () => {
  for (const way of ['websocket', 'sse', 'poll'] as const) {
    const nowhere = view({ room: 'no-such-room', transports: [way] });
    await nowhere.until('closed', () => nowhere.closed !== undefined);
    expect(nowhere.closed?.reason).toBe('unknown_room');
  }
  const fred = await view({ token: service.token('fred') }).live();
  const kick = { user: 'fred', reason: 'enough' };
  const answer = await service.studio('POST', `/v1/rooms/${ROOM}/kicks`, kick);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  await fred.until('closed', () => fred.closed !== undefined);
  expect(fred.closed).toMatchObject({ code: 4503, reason: 'kicked', message: 'enough' });
});

it('K-ACK-1 what asks for it is acknowledged, also after a resume', async () => {
  const viewer = await view({ token: service.token('gus') }).live();
  const acked = async (id: string) => {
    const path = `/v1/rooms/${ROOM}/publications/${id}/delivery`;
    return (await service.studio('GET', path)).body.acked as number;
  };
  const wanting = { kind: 'notice', lane: 'high', to: { users: ['gus'] } };
  const one = await post({ ...wanting, text: 'one' });
  await expect.poll(() => acked(one), { timeout: 5000 }).toBe(1);
  proxy.cut();
  await viewer.until('lost', () => viewer.stream.state.name === 'recovering');
  const two = await post({ ...wanting, text: 'two' });
  await expect.poll(() => acked(two), { timeout: 5000 }).toBe(1);
  expect(viewer.texts.filter((text) => text === 'one' || text === 'two')).toEqual(['one', 'two']);
});

it('K-ATTR-1, K-RECALL-1 attributes are kept whole and recalled publications told', async () => {
  const viewer = await view().live();
  const change = async (set: object) => {
    const answer = await service.studio('PATCH', `/v1/rooms/${ROOM}/attributes`, { set });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  await change({ title: 'one', big: 'x' });
  await viewer.until('set', () => viewer.stream.attributes['title'] === 'one');
  await change({ title: 'two', big: 'y'.repeat(2000) });
  await viewer.until('resync', () => viewer.stream.attributes['title'] === 'two');
  expect(viewer.stream.attributes['big']).toHaveLength(2000);
  const id = await post({ kind: 'gift', text: 'a mistake' });
  await viewer.until('shown', () => viewer.texts.includes('a mistake'));
  await service.studio('DELETE', `/v1/rooms/${ROOM}/publications/${id}`);
  await viewer.until('recalled', () => viewer.recalled.includes(id));
});

it('K-ONCE-1, K-SEND-2 a killed and restarted service: resumed, nothing lost or twice, no promise left', async () => {
  const viewer = await view({ token: service.token('hal'), verdictMs: 2000 }).live();
  const before = Array.from({ length: 5 }, (_, i) => `before ${i}`);
  for (const text of before) await post({ kind: 'gift', text });
  await viewer.until('before', () => viewer.texts.includes('before 4'));
  const { folder, viewerPort, studioPort } = service;
  await service.kill();
  await viewer.until('lost', () => viewer.stream.state.name === 'recovering');
  const said = viewer.stream.send({ text: 'into the void' });
  service = await startService({ folder, viewerPort, studioPort, config: JITTER });
  await post({ kind: 'gift', text: 'after' });
  await viewer.until('after', () => viewer.texts.includes('after'), 15_000);
  const gifts = viewer.texts.filter((text) => text.startsWith('before') || text === 'after');
  expect(gifts).toEqual([...before, 'after']);
  expect((await said).verdict).toMatch(/^(published|unsent)$/);
  expect(viewer.gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
}, 40_000);
