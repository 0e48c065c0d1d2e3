/** The SDK in Node against the real service, over each way. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { systemClock } from '../../client/clock.js';
import type { ConnectOptions } from '../../client/index.js';
import type { TransportName } from '../../client/types.js';

let service: Service;
const open: SdkViewer[] = [];

beforeAll(async () => {
  service = await startService();
}, 60_000);

afterAll(async () => {
  for (const viewer of open) viewer.close();
  await service?.stop();
});

function view(options: Partial<ConnectOptions> = {}): SdkViewer {
  const url = `http://127.0.0.1:${service.viewerPort}`;
  const viewer = new SdkViewer({ url, room: 'lobby', ...options });
  open.push(viewer);
  return viewer;
}

async function post(publication: object): Promise<string> {
  const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.id as string;
}

const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];

describe.each(WAYS)('over %s', (way) => {
  it('K-WAY-1 a viewer gets keepables and droppables, once and in order', async () => {
    const viewer = await view({ transports: [way] }).live();
    expect(viewer.stream.state.transport).toBe(way);
    const texts = Array.from({ length: 20 }, (_, i) => `${way} gift ${i}`);
    for (const text of texts) await post({ kind: 'gift', text });
    await post({ kind: 'danmaku', text: `${way} danmaku` });
    await viewer.until('all', () => viewer.texts.includes(`${way} danmaku`));
    await viewer.until('gifts', () => viewer.texts.includes(texts.at(-1)!));
    expect(viewer.texts.filter((text) => text.startsWith(`${way} gift`))).toEqual(texts);
    expect(viewer.gaps).toEqual([]);
    viewer.close();
  });

  it('K-CLOCK-2 a device whose clock is wrong shows as far behind the room as it should', async () => {
    for (const hours of [-1, 1]) {
      const clock = { ...systemClock, now: () => systemClock.now() + hours * 3_600_000 };
      const viewer = await view({ transports: [way], clock, delayMs: 700 }).live();
      const text = `${way} at ${hours} h`;
      const said = performance.now();
      await post({ kind: 'danmaku', text });
      await viewer.until('it', () => viewer.texts.includes(text));
      // The tick and the way take their time besides.
      expect(performance.now() - said).toBeGreaterThan(600);
      expect(performance.now() - said).toBeLessThan(1700);
      viewer.close();
    }
  });

  it('K-ECHO-1, K-SEND-1 what it says is shown at once and once, and its promise tells the end', async () => {
    const token = service.token(`ann-${way}`);
    const ann = await view({ transports: [way], token }).live();
    const bob = await view({ transports: [way] }).live();
    const sending = ann.stream.send({ text: `hello by ${way}`, style: { mode: 'top' } });
    expect(ann.publications.at(-1)).toMatchObject({ id: sending.id, own: true, kind: 'danmaku' });
    const result = await sending;
    expect(result).toMatchObject({ id: sending.id, verdict: 'published', ok: true });
    await bob.until('hello', () => bob.texts.includes(`hello by ${way}`));
    await ann.until('echo', () => ann.echoed.includes(result.publication!));
    expect(ann.texts.filter((text) => text === `hello by ${way}`)).toHaveLength(1);
    const guest = await bob.stream.send({ text: 'a guest may not' });
    expect(guest).toMatchObject({ verdict: 'forbidden', ok: false });
    ann.close();
    bob.close();
  });
});

it('K-WAY-5, K-WAY-6 edges come from dispatch, which never sees the token; a dead one gives way', async () => {
  const asked: (string | undefined)[] = [];
  const dispatch = createServer(({ url, headers }, answer) => {
    asked.push(url, headers.authorization);
    const edges = [{ url: 'http://127.0.0.1:1' }, { url: `ws://127.0.0.1:${service.viewerPort}` }];
    answer.end(JSON.stringify({ edges, cdns: [] }));
  });
  await new Promise<void>((resolve) => dispatch.listen(0, '127.0.0.1', resolve));
  const { port } = dispatch.address() as AddressInfo;
  const options = { url: [], dispatch: `http://127.0.0.1:${port}/v1/dispatch`, random: () => 0.05 };
  const viewer = await view({ ...options, token: service.token('joe') }).live();
  expect(viewer.stream.user).toMatchObject({ id: 'joe' });
  expect(asked).toEqual(['/v1/dispatch?room=lobby', undefined]);
  viewer.close();
  dispatch.closeAllConnections();
  await new Promise((resolve) => dispatch.close(resolve));
});
