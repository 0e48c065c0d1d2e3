/** Reports on CDNs by POST, from viewers who have no socket, through real HTTP to the bus. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cdnSumsSubject } from '../../src/subjects.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { jsonOf } from '../kit/http-viewer.js';

let kit: EdgeKit;
let sums: { reports: number; ok: number; failed: number; source: string }[];
beforeEach(async () => {
  kit = await startEdgeKit({ origins: ['https://ok.example'] });
  sums = [];
  kit.bus.subscribe(cdnSumsSubject(), (bytes) => {
    sums.push(...JSON.parse(Buffer.from(bytes).toString()).sums);
  });
});
afterEach(() => kit.stop());

const CDN = { source: 'a', ok: 58, failed: 2, missed: 0, delayMs: 2100, bytes: 90_100 };

function report(body: unknown, headers: Record<string, string> = {}, room = 'lobby') {
  return fetch(`http://127.0.0.1:${kit.port}/v1/rooms/${room}/reports`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const tokenOf = (user: string) => ({ authorization: `Bearer ${tokenFor(user)}` });
const counted = (end: string) => kit.metric('barrage_edge_cdn_reports_total', end);

it('E-CDN-3 a report by POST counts as one by socket, within the quota of its viewer', async () => {
  const origin = { origin: 'https://ok.example' };
  for (let i = 0; i < 3; i++) {
    const taken = await report({ cdn: CDN }, origin);
    expect([taken.status, await taken.text()]).toEqual([204, '']);
    expect(taken.headers.get('access-control-allow-origin')).toBe(origin.origin);
  }
  const tooSoon = await report({ cdn: CDN }, origin);
  expect(tooSoon.status).toBe(429);
  const { error } = await jsonOf(tooSoon);
  expect(error).toMatchObject({ code: 'rate_limited' });
  expect(error.retryAfterMs).toBeGreaterThan(1000);
  expect(error.retryAfterMs).toBeLessThanOrEqual(5000);
  expect(Number(tooSoon.headers.get('retry-after'))).toBe(Math.ceil(error.retryAfterMs / 1000));
  expect((await report({ cdn: CDN }, tokenOf('ann'))).status).toBe(204);
  expect((await report({ cdn: CDN }, tokenOf('bob'))).status).toBe(204);
  await until(() => sums.length > 0, 'the sums');
  await until(() => sums.reduce((sum, { reports }) => sum + reports, 0) === 5, 'all five');
  expect(sums.reduce((sum, { ok }) => sum + ok, 0)).toBe(5 * 58);
  expect(sums.reduce((sum, { failed }) => sum + failed, 0)).toBe(10);
  expect([counted('taken'), counted('too_soon')]).toEqual([5, 1]);
  expect(kit.metric('barrage_edge_connections')).toBe(0);
});

it('E-CDN-3 what is no report is refused with field and rule, and what may not be seen with its status', async () => {
  const status = async (...args: Parameters<typeof report>) => (await report(...args)).status;
  const broken = await report({ cdn: { ...CDN, ok: -1 } });
  expect(broken.status).toBe(400);
  expect((await jsonOf(broken)).error).toMatchObject({ code: 'invalid', field: 'cdn.ok' });
  expect(await status('no json')).toBe(400);
  expect(await status({ cdn: CDN, more: 1 })).toBe(400);
  const long = await report(JSON.stringify({ cdn: CDN }) + ' '.repeat(1024));
  expect(long.status).toBe(413);
  expect((await jsonOf(long)).error).toMatchObject({ code: 'too_large' });
  expect(counted('invalid')).toBe(4);
  expect(await status({ cdn: CDN }, { authorization: 'Bearer rubbish' })).toBe(401);
  expect(await status({ cdn: CDN }, { origin: 'https://evil.example' })).toBe(403);
  expect(await status({ cdn: CDN }, {}, 'nowhere')).toBe(404);
  expect(await status({ cdn: CDN }, {}, 'a%20b')).toBe(400);
  const got = await fetch(`http://127.0.0.1:${kit.port}/v1/rooms/lobby/reports`);
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  expect(counted('taken')).toBe(0);
});

it('E-CDN-3 more CDNs in a second than there can be are refused until the next', async () => {
  const ends: number[] = [];
  for (let i = 0; i < 100; i++) {
    const { status } = await report({ cdn: { ...CDN, source: `cdn-${i}` } }, tokenOf(`user-${i}`));
    ends.push(status);
  }
  expect(new Set(ends)).toEqual(new Set([204, 503]));
  expect(counted('over_bound')).toBe(ends.filter((status) => status === 503).length);
});
