/** What is shown to fit a picture that is behind (`delayMs`), over each way to a real service. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ConnectOptions, Publication, TransportName } from '../../client/types.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { startTalk } from '../kit/talk.js';

const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];
const BEHIND_MS = 2000;
/** Timers may be a hair early; a busy machine makes them late. */
const EARLY_MS = 5;
const LATE_MS = 500;

let service: Service;
const open: SdkViewer[] = [];

beforeAll(async () => {
  service = await startService();
}, 60_000);

afterEach(() => {
  for (const viewer of open.splice(0)) viewer.close();
});

afterAll(async () => {
  await service?.stop();
});

interface Shown {
  readonly publication: Publication;
  /** How far behind the room's clock; service and viewer have one clock here. */
  readonly behindMs: number;
}

async function watch(options: Partial<ConnectOptions>) {
  const url = `http://127.0.0.1:${service.viewerPort}`;
  const viewer = new SdkViewer({ url, room: 'lobby', ...options });
  open.push(viewer);
  const shown: Shown[] = [];
  viewer.stream.on('publication', (publication) => {
    shown.push({ publication, behindMs: Date.now() - publication.at });
  });
  return { viewer: await viewer.live(), shown };
}

/** The middle one: whether all are late, not whether one was. */
const middle = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

it.each(WAYS)(
  'K-SHOW-2 by %s all is shown as far behind as the picture is, keepables in order',
  async (way) => {
    const near = await watch({ transports: [way] });
    const far = await watch({ transports: [way], delayMs: BEHIND_MS });
    const { gifts, danmaku, stop } = startTalk(service, way);
    const isThere = ({ viewer }: { viewer: SdkViewer }, text: string) =>
      viewer.texts.includes(text);
    await near.viewer.until('shown at once', () => isThere(near, danmaku[1] ?? '-'));
    expect(far.viewer.texts.filter((text) => text.startsWith(way))).toEqual([]);
    await near.viewer.until('more', () => danmaku.length > 40);
    await stop();
    const last = [gifts.at(-1)!, danmaku.at(-1)!];
    await far.viewer.until('the last', () => last.every((text) => isThere(far, text)));
    const ofTalk = ({ shown }: { shown: readonly Shown[] }) =>
      shown.filter(({ publication: { text = '' } }) => text.startsWith(way));
    const behind = ofTalk(far).map(({ behindMs }) => behindMs);
    expect(behind).toHaveLength(gifts.length + danmaku.length);
    expect(Math.min(...behind)).toBeGreaterThanOrEqual(BEHIND_MS - EARLY_MS);
    expect(middle(behind)).toBeLessThan(BEHIND_MS + LATE_MS);
    expect(middle(ofTalk(near).map(({ behindMs }) => behindMs))).toBeLessThan(BEHIND_MS / 2);
    // Keepables by offset, all by the room's time, each once.
    const texts = far.viewer.texts.filter((text) => text.startsWith(way));
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.filter((text) => text.includes('gift'))).toEqual(gifts);
    const at = ofTalk(far).map(({ publication }) => publication.at);
    expect(at).toEqual([...at].sort((a, b) => a - b));
  },
  30_000,
);

it('K-SHOW-2 a picture that falls further behind takes what comes from then on with it', async () => {
  let behindMs = 0;
  const { viewer, shown } = await watch({ delayMs: () => behindMs });
  const say = async (text: string) => {
    const body = { kind: 'danmaku', text };
    const answer = await service.studio('POST', '/v1/rooms/lobby/publications', body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    await viewer.until(text, () => viewer.texts.includes(text));
    return shown.find(({ publication }) => publication.text === text)!.behindMs;
  };
  expect(await say('live')).toBeLessThan(1000);
  behindMs = 1500;
  expect(await say('behind')).toBeGreaterThanOrEqual(1500 - EARLY_MS);
  behindMs = 0;
  expect(await say('live again')).toBeLessThan(1000);
});
