/** Calls that come to a room service which does not own their room, over real HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shardOf } from '../../src/shards.js';
import type { RoomId } from '../../src/ids.js';
import { startApiCluster, waitFor, type ApiCluster, type Service } from '../kit/api-cluster.js';

let cluster: ApiCluster;
beforeAll(async () => {
  cluster = await startApiCluster({ services: 3, settings: { recent: 50 } });
}, 20_000);
afterAll(() => cluster.stop());

const bytesOf = async (url: string, headers: Record<string, string>) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
const KEY = { authorization: 'Bearer studio-secret-0123456789abcdef' };

async function roomAt(owner: Service, prefix: string): Promise<string> {
  const room = cluster.nameAt(owner, prefix);
  const made = await cluster.otherThan(owner).call('POST', '/v1/rooms', { room });
  expect([made.status, made.headers.get('location')]).toEqual([201, `/v1/rooms/${room}`]);
  return room;
}

describe('a call of one room', () => {
  it('A-FWD-1 is done by the owner and answered by whoever was asked', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'simple');
    const posted = await other.call('POST', `/v1/rooms/${room}/publications`, {
      ...{ kind: 'gift', text: '礼物', lane: 'high' },
    });
    expect(posted.body).toMatchObject({ verdict: 'published', offset: 1 });
    const here = await owner.call('GET', `/v1/rooms/${room}/publications`);
    const there = await other.call('GET', `/v1/rooms/${room}/publications`);
    expect(there.body).toEqual(here.body);
    expect(other.metric('barrage_api_asked_total', { end: 'answered' })).toBeGreaterThan(0);
    expect(owner.metric('barrage_api_served_total', { end: 'answered' })).toBeGreaterThan(0);
  });

  it('A-FWD-1 of a room owned here asks nobody', async () => {
    const [owner] = cluster.services as [Service];
    const room = await roomAt(owner, 'local');
    const before = owner.wire.asks;
    const posted = await owner.call('POST', `/v1/rooms/${room}/publications`, {
      kind: 'chat',
      text: 'a',
    });
    expect(posted.status).toBe(200);
    expect(owner.wire.asks).toBe(before);
  });

  it('A-FWD-2 keeps its request id, and is counted once', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'counted');
    const requests = (one: Service) => one.metric('barrage_api_requests_total', { group: 'stats' });
    const before = [requests(owner), requests(other)];
    const id = 'the-caller-s-own-id';
    const answer = await other.call('GET', `/v1/rooms/${room}/stats`, undefined, {
      'x-request-id': id,
    });
    expect(answer.headers.get('x-request-id')).toBe(id);
    const missing = await other.call('GET', `/v1/rooms/${cluster.nameAt(owner, 'none')}/stats`);
    expect([missing.status, missing.body.error.requestId]).toEqual([
      404,
      missing.headers.get('x-request-id'),
    ]);
    await waitFor(() => requests(other) === before[1]! + 2);
    expect(requests(owner)).toBe(before[0]);
  });

  it('A-FWD-2 is checked for its key again, whatever its headers pretend', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'keyed');
    const url = `/v1/rooms/${room}`;
    expect((await bytesOf(`${other.api.url}${url}`, {})).status).toBe(401);
    const pretended = await bytesOf(`${other.api.url}${url}`, {
      ...KEY,
      'x-barrage-inside': 'yes',
    });
    expect(pretended.status).toBe(200);
    // The asker knows the key, the owner does not (any more).
    owner.api.keys = [];
    try {
      expect((await other.call('GET', url)).status).toBe(401);
    } finally {
      owner.api.keys = other.api.keys;
    }
  });

  it('A-FWD-3 bad input is refused alike at both', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'flaws');
    const cases: [string, string, unknown][] = [
      ['POST', `/v1/rooms/${room}/publications`, { kind: 'chat', text: 1 }],
      ['POST', `/v1/rooms/${room}/publications`, '{"kind":'],
      ['POST', `/v1/rooms/${room}/publications`, `{"kind":"chat","text":"${'x'.repeat(300_000)}"}`],
      ['GET', '/v1/rooms/not%20a%20room/stats', undefined],
      ['PATCH', `/v1/rooms/${room}`, { title: '\ud800' }],
      ['POST', '/v1/rooms', { room }],
    ];
    for (const [method, path, body] of cases) {
      const [here, there] = [
        await owner.call(method, path, body),
        await other.call(method, path, body),
      ];
      const shown = ({ status, body: { error } }: typeof here) => [
        status,
        { ...error, requestId: '' },
      ];
      expect(shown(there)).toEqual(shown(here));
      expect(here.status).toBeGreaterThanOrEqual(400);
    }
  });

  it('A-FWD-3 numbers that grow when written anew pass as they came', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'grown');
    const numbers = new Array(50_000).fill('1e20').join(',');
    const text = `{"words":[${numbers}]}`;
    const answers = [owner, other].map((one) => one.call('PUT', `/v1/rooms/${room}/words`, text));
    const [here, there] = await Promise.all(answers);
    expect([there!.status, there!.body.error.rule]).toEqual([here!.status, here!.body.error.rule]);
    expect(here!.status).toBe(400);
  });

  it('A-FWD-3 HEAD is answered as by the owner', async () => {
    const [owner] = cluster.services as [Service];
    const room = await roomAt(owner, 'head');
    const heads = [owner, cluster.otherThan(owner)].map(async ({ api }) => {
      const answer = await fetch(`${api.url}/v1/rooms/${room}`, { method: 'HEAD', headers: KEY });
      return [answer.status, answer.headers.get('content-length'), await answer.text()];
    });
    const [here, there] = await Promise.all(heads);
    expect(there).toEqual(here);
    expect(here![0]).toBe(200);
  });
});

describe('bodies in parts', () => {
  const LINES = 6000;
  const line = (i: number) =>
    JSON.stringify({
      t: i,
      id: `d${i}`,
      kind: 'danmaku',
      user: { id: `u${i % 50}` },
      text: `弹幕 ${i} `.repeat(9),
    });

  it('A-FWD-4 a file goes in, and comes out whole, through a service that owns neither', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'archive');
    const file = Array.from({ length: LINES }, (_, i) => line(i)).join('\n');
    expect(Buffer.byteLength(file)).toBeGreaterThan(700 << 10);
    const limits = await other.call('PATCH', `/v1/rooms/${room}/limits`, {
      ...{ archive: true },
    });
    expect([limits.status, limits.body.error]).toEqual([200, undefined]);
    const put = await other.call('POST', `/v1/rooms/${room}/import?format=jsonl`, file, {
      'content-type': 'application/x-ndjson',
    });
    expect([put.status, put.body.imported, put.body.skipped]).toEqual([200, LINES, 0]);
    const path = `/v1/rooms/${room}/export?format=jsonl`;
    const here = await bytesOf(`${owner.api.url}${path}`, KEY);
    const there = await bytesOf(`${other.api.url}${path}`, KEY);
    expect(there.status).toBe(200);
    expect(there.text).toBe(here.text);
    expect(there.text.trim().split('\n').length).toBeGreaterThanOrEqual(LINES);
    for (const name of ['content-type', 'content-disposition', 'cache-control']) {
      expect(there.headers.get(name)).toBe(here.headers.get(name));
    }
    expect(other.metric('barrage_api_streams_held')).toBe(0);
    await waitFor(() => owner.metric('barrage_api_streams_held') === 0);
    await waitFor(() => owner.metric('barrage_api_serving') === 0);
  }, 20_000);

  it('A-FWD-4 who goes away in the middle leaves nothing held', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = cluster.nameAt(owner, 'archive');
    const url = `${other.api.url}/v1/rooms/${room}/export?format=jsonl`;
    const dropped = () =>
      owner.metric('barrage_api_streams_total', { end: 'dropped' }) +
      owner.metric('barrage_api_streams_total', { end: 'done' });
    // More than the places for exports: each must be given back.
    for (let i = 0; i < 6; i++) {
      const before = dropped();
      const leaving = new AbortController();
      const answer = await fetch(url, { headers: KEY, signal: leaving.signal });
      expect(answer.status).toBe(200);
      const reader = answer.body!.getReader();
      await reader.read();
      leaving.abort();
      await waitFor(() => owner.metric('barrage_api_streams_held') === 0 && dropped() > before);
    }
    await waitFor(() => owner.metric('barrage_api_serving') === 0);
    expect((await bytesOf(url, KEY)).status).toBe(200);
  }, 20_000);

  it('A-FWD-4 an answer is heard before the body has come whole', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'no-archive');
    await other.call('PATCH', `/v1/rooms/${room}/limits`, { archive: false });
    const path = `/v1/rooms/${room}/import?format=jsonl`;
    const file = 'x'.repeat(2 << 20);
    const there = await other.call('POST', path, file, { 'content-type': 'text/plain' });
    const here = await owner.call('POST', path, 'x', { 'content-type': 'text/plain' });
    expect([there.status, there.body.error.code]).toEqual([here.status, here.body.error.code]);
    expect(here.status).toBeGreaterThanOrEqual(400);
    await waitFor(() => owner.metric('barrage_api_serving') === 0);
  });

  it('A-FWD-4 a long page of history comes whole', async () => {
    const [owner] = cluster.services as [Service];
    const other = cluster.otherThan(owner);
    const room = await roomAt(owner, 'long');
    const text = '长'.repeat(1000);
    for (let i = 0; i < 3; i++) {
      const publications = Array.from({ length: 60 }, () => ({
        ...{ room, kind: 'system', lane: 'control', text, data: 'd'.repeat(900) },
      }));
      const done = await other.call('POST', '/v1/publications:batch', { publications });
      expect(done.body.results.every((one: { ok: boolean }) => one.ok)).toBe(true);
    }
    const path = `/v1/rooms/${room}/publications?limit=180`;
    const here = await bytesOf(`${owner.api.url}${path}`, KEY);
    const there = await bytesOf(`${other.api.url}${path}`, KEY);
    expect(here.text.length).toBeGreaterThan(200_000);
    expect(Buffer.byteLength(here.text)).toBeGreaterThan(512 << 10);
    expect(there.text).toBe(here.text);
    expect(there.headers.get('content-length')).toBe(here.headers.get('content-length'));
    expect(shardOf(room as RoomId)).toBeGreaterThanOrEqual(0);
  });
});
