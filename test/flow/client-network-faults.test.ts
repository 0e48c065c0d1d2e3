/** The SDK in Node and in real Chromium behind a proxy that does every fault a network has. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransportName } from '../../client/types.js';
import { NETWORK_FAULTS, type NetworkFault } from '../kit/network-faults.js';
import { openPlace, untilTold, type Place, type PlaceName } from '../kit/sdk-places.js';
import { startService, type Service } from '../kit/service.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];
const PLACES: readonly PlaceName[] = ['Node', 'Chromium'];
const ROUNDS = 60;
const EVERY_MS = 50;
/** The fault holds from one round to the other: a second and a half. */
const FROM = 15;
const TO = 45;

let service: Service;
const places = new Map<PlaceName, Place>();

beforeAll(async () => {
  const edge = { origins: ['*'], reconnectJitter: '100ms' };
  service = await startService({ config: { edge } });
  const page = `http://127.0.0.1:${service.studioPort}/healthz`;
  for (const name of PLACES) places.set(name, await openPlace(name, page));
}, 60_000);

afterAll(async () => {
  for (const place of places.values()) await place.close();
  await service?.stop();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function post(room: string, kind: string, text: string): Promise<void> {
  const answer = await service.studio('POST', `/v1/rooms/${room}/publications`, { kind, text });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

/** A gift and a danmaku every round, with the fault on and off between them. */
async function talk(room: string, proxy: TcpProxy, fault: NetworkFault): Promise<void> {
  for (let n = 0; n < ROUNDS; n++) {
    if (n === FROM) await fault.begin(proxy);
    if (n === TO) await proxy.heal();
    await Promise.all([post(room, 'gift', `gift ${n}`), post(room, 'danmaku', `danmaku ${n}`)]);
    await pause(EVERY_MS);
  }
}

describe.each(PLACES)('in %s', (name) => {
  describe.each(WAYS)('over %s', (way) => {
    it.concurrent.each(NETWORK_FAULTS)(
      'K-ONCE-1, K-ONCE-2, K-GAP-1 $name: keepables once and in order, droppables once, what is lost told',
      async (fault) => {
        const room = `${name}-${way}-${fault.name.replaceAll(' ', '-')}`;
        const made = await service.studio('POST', '/v1/rooms', { room });
        expect(made.status).toBe(201);
        const proxy = await startTcpProxy(service.viewerPort);
        const url = `http://${proxy.address}`;
        const timing = { heartbeatMs: fault.heartbeatMs, connectMs: 1000 };
        const viewer = await places.get(name)!.watch({ url, room, transports: [way], ...timing });
        try {
          await talk(room, proxy, fault);
          await post(room, 'gift', 'the last');
          const { texts, gaps, recovered, states } = await untilTold(viewer, (told) =>
            told.texts.includes('the last'),
          );
          const gifts = Array.from({ length: ROUNDS }, (_, n) => `gift ${n}`);
          expect(texts.filter((text) => text.startsWith('gift'))).toEqual(gifts);
          const danmaku = texts.filter((text) => text.startsWith('danmaku'));
          expect(new Set(danmaku).size).toBe(danmaku.length);
          expect(gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
          expect(recovered.every(({ whole }) => whole)).toBe(true);
          const losses = gaps.filter((gap) => gap.class === 'drop');
          if (danmaku.length < ROUNDS) expect(losses).not.toEqual([]);
          // Between two polls there is nothing to cut.
          const isOver = fault.endsLinks && !(way === 'poll' && fault.name === 'cut');
          if (isOver) expect(states).toContain('recovering');
          if (isOver) expect(losses[0]).toMatchObject({ lastedMs: expect.any(Number) });
        } finally {
          await viewer.close();
          await proxy.stop();
        }
      },
      60_000,
    );
  });
});
