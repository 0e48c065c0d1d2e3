/** Limits and aggregation through the whole service: the studio's API on one side, viewers on the other. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

let service: Service;

beforeAll(async () => {
  service = await startService();
});
afterAll(async () => {
  await service.stop();
});

async function roomWith(room: string, limits: object): Promise<void> {
  const made = await service.studio('POST', '/v1/rooms', { room, limits });
  expect([made.status, made.body]).toMatchObject([201, { room }]);
}

function watching(room: string, sub: string): Promise<Viewer> {
  return Viewer.connect(service.viewerPort, { room, token: service.token(sub, [room]) });
}

it('R-LIMIT-2 a viewer hears `repeated`, by socket and by POST with its status', async () => {
  await roomWith('repeats', { repeatTextMs: 60_000 });
  const viewer = await watching('repeats', 'ann');
  await viewer.line('joined');
  const ends: string[] = [];
  for (const [id, text] of ['hello', 'HELLO ', 'other'].entries()) {
    viewer.say({ type: 'send', room: 'repeats', id, text });
    const verdict = await viewer.line('verdict', (line) => line['id'] === id);
    ends.push(verdict['verdict'] as string);
  }
  expect(ends).toEqual(['published', 'repeated', 'published']);
  const answer = await fetch(`http://127.0.0.1:${service.viewerPort}/v1/rooms/repeats/danmaku`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${service.token('ann', ['repeats'])}`,
    },
    body: JSON.stringify({ text: 'hello' }),
  });
  expect(answer.status).toBe(429);
  expect(await answer.json()).toMatchObject({ verdict: 'repeated' });
  await viewer.close();
});

it('R-AGG-3 R-AGG-5 gifts and enter notices of a studio reach viewers as runs and counts', async () => {
  await roomWith('gifts', { comboMs: 400, enterEveryMs: 200 });
  const viewer = await watching('gifts', 'bob');
  await viewer.line('joined');
  const post = (body: object) => service.studio('POST', '/v1/rooms/gifts/publications', body);
  for (let i = 0; i < 4; i++) {
    const given = { kind: 'gift', user: { id: 'ann' }, data: { gift: 'rose', price: 1 } };
    expect((await post(given)).body).toMatchObject({ verdict: 'published', class: 'keep' });
  }
  const entered = await Promise.all(
    ['a', 'b', 'c', 'd'].map((id) => post({ kind: 'enter', user: { id, name: id } })),
  );
  expect(entered.map(({ body }) => body.verdict)).toEqual(Array(4).fill('counted'));
  const isFinal = ({ data }: Record<string, unknown>) =>
    (data as { final?: boolean }).final === true;
  await viewer.until(() =>
    viewer.publications.some((each) => each['kind'] === 'combo' && isFinal(each)),
  );
  const seen = viewer.publications;
  const counts = seen.filter(({ kind }) => kind === 'enter').map(({ count }) => count as number);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(seen.filter(({ kind }) => kind === 'gift')).toHaveLength(4);
  const last = seen.filter(({ kind }) => kind === 'combo').at(-1)!;
  expect(last).toMatchObject({ lane: 'high', data: { gift: 'rose', count: 4, final: true } });
  const own = await post({ kind: 'combo', user: { id: 'ann' }, data: { gift: 'rose' } });
  expect([own.status, own.body.error.field]).toEqual([400, 'kind']);
  await viewer.close();
});

it('R-SET-4 bad limits are refused with field and rule, good ones hold at once', async () => {
  await roomWith('tuned', {});
  const path = '/v1/rooms/tuned/limits';
  for (const [patch, field] of [
    [{ kindLimits: { chat: { perSecond: 0, burst: 1 } } }, 'kindLimits.chat.perSecond'],
    [{ kindLimits: { chat: { perSecond: 1 } } }, 'kindLimits.chat'],
    [{ emojiTop: 21 }, 'emojiTop'],
  ] as const) {
    const answer = await service.studio('PATCH', path, patch);
    expect(answer.status).toBe(400);
    expect(answer.body.error.field).toContain(field);
    expect(answer.body.error.rule).toBeDefined();
  }
  const viewer = await watching('tuned', 'eve');
  await viewer.line('joined');
  const limit = { kindLimits: { chat: { perSecond: 0.01, burst: 1 } } };
  expect((await service.studio('PATCH', path, limit)).status).toBe(200);
  const ends: unknown[] = [];
  for (const id of [1, 2]) {
    viewer.say({ type: 'send', room: 'tuned', id, kind: 'chat', text: `chat ${id}` });
    ends.push((await viewer.line('verdict', (line) => line['id'] === id))['verdict']);
  }
  expect(ends).toEqual(['published', 'rate_limited']);
  await viewer.close();
});
