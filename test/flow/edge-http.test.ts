/** Server-sent events, long polls, POST and CORS through real HTTP. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { EventViewer, jsonOf, poll } from '../kit/http-viewer.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  kit = await startEdgeKit({ origins: ['https://ok.example'], ringCount: 30 });
});
afterEach(() => kit.stop());

const EVENTS = '/v1/rooms/lobby/events';

function say(body: unknown, headers: Record<string, string> = {}, room = 'lobby') {
  return fetch(`http://127.0.0.1:${kit.port}/v1/rooms/${room}/danmaku`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenFor('ann')}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

it('E-OUT-1 json, deflate, events and polls get the same publications', async () => {
  const json = await Viewer.connect(kit.port, { room: 'lobby' });
  const deflate = await Viewer.connect(kit.port, { room: 'lobby', encoding: 'deflate' });
  await Promise.all([json.line('joined'), deflate.line('joined')]);
  const events = await EventViewer.connect(kit.port, EVENTS);
  await until(() => events.events.length > 0, 'joined');
  let { cursor } = (await poll(kit.port, {})).body;
  const polled: unknown[] = [];
  const following = (async () => {
    while (polled.length < 120) {
      const { body } = await poll(kit.port, { cursor, waitMs: 2000 });
      polled.push(...body.publications);
      cursor = body.cursor;
    }
  })();
  for (let i = 1; i <= 40; i++) {
    kit.lobby.keep([`k${i}`]);
    kit.lobby.drop([`弹幕 ${i}`, `d${i}`]);
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all([
    following,
    ...[json, deflate].map((viewer) => viewer.until(() => viewer.publications.length === 120)),
    until(() => events.publications.length === 120, 'all events'),
  ]);
  expect(deflate.publications).toEqual(json.publications);
  expect(events.publications).toEqual(json.publications);
  expect(polled).toEqual(json.publications);
  events.close();
});

it('E-SSE-1 Last-Event-ID resumes the keepable stream exactly', async () => {
  const first = await EventViewer.connect(kit.port, `${EVENTS}?token=${tokenFor('ann')}`);
  await until(() => first.events.length === 1, 'joined');
  expect(first.events[0]).toMatchObject({ event: 'joined', id: '1.0.0' });
  expect(first.retryMs).toBeGreaterThanOrEqual(0);
  expect(first.events[0]!.data.user.id).toBe('ann');
  kit.lobby.keep(['a', 'b']);
  kit.lobby.drop(['c']);
  await until(() => first.publications.length === 3, 'three');
  const { lastId } = first;
  first.close();
  await until(() => kit.metric('barrage_edge_connections') === 0, 'the stream to be gone');
  kit.lobby.keep(['d']);
  kit.lobby.keep(['e']);
  for (const [path, headers] of [
    [EVENTS, { 'last-event-id': lastId! }],
    [`${EVENTS}?lastEventId=${lastId}`, {}],
  ] as const) {
    const again = await EventViewer.connect(kit.port, path, headers);
    await until(() => again.events.length > 0, 'joined');
    expect(again.events[0]!.data).toMatchObject({ recovered: true, offset: 4 });
    expect(again.publications.map(({ text }) => text)).toEqual(['d', 'e']);
    again.close();
  }
});

it('E-SSE-1 a stream is refused as plain HTTP, and said goodbye to', async () => {
  const status = (path: string, headers = {}) =>
    EventViewer.connect(kit.port, path, headers).then(
      () => 200,
      (error: Error) => Number(error.message),
    );
  expect(await status('/v1/rooms/nowhere/events')).toBe(404);
  expect(await status(`${EVENTS}?token=rubbish`)).toBe(401);
  expect(await status(EVENTS, { 'last-event-id': 'x' })).toBe(400);
  expect(await status(EVENTS, { origin: 'https://evil.example' })).toBe(403);
  expect(await status('/v1/rooms/a%20b/events')).toBe(400);
  const stream = await EventViewer.connect(kit.port, EVENTS);
  await until(() => stream.events.length === 1, 'joined');
  await kit.edge.drain(50);
  await until(() => stream.isOver, 'the end');
  expect(stream.events.at(-1)).toMatchObject({ event: 'bye', data: { code: 4000 } });
});

it('E-POLL-1 answers at one cursor are the same bytes for everyone, then and later', async () => {
  kit.lobby.keep(['a', 'b']);
  const start = await Promise.all([poll(kit.port, {}), poll(kit.port, {})]);
  expect(start[0]!.text).toBe(start[1]!.text);
  const { cursor } = start[0]!.body;
  const waiting = Array.from({ length: 20 }, () => poll(kit.port, { cursor, waitMs: 5000 }));
  await until(() => kit.metric('barrage_edge_connections') === 20, 'all to wait');
  kit.lobby.keep(['c']);
  kit.lobby.drop(['d']);
  const answers = await Promise.all(waiting);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(answers[0]!.body.publications.map(({ text }: any) => text)).toEqual(['c', 'd']);
  kit.lobby.keep(['e']);
  expect((await poll(kit.port, { cursor })).text).toBe(answers[0]!.text);
  const empties = await Promise.all(
    [1, 2].map(async () => {
      const { body } = await poll(kit.port, { cursor: answers[0]!.body.cursor });
      return (await poll(kit.port, { cursor: body.cursor, waitMs: 30 })).text;
    }),
  );
  expect(empties[0]).toBe(empties[1]);
  expect(JSON.parse(empties[0]!).publications).toEqual([]);
});

it('E-POLL-7 heads of polls and streams tell the time they leave, the bytes are shared all the same', async () => {
  kit.lobby.keep(['a']);
  const url = `http://127.0.0.1:${kit.port}/v1/rooms/lobby`;
  const asked = async (query: string) => {
    const from = Date.now();
    const answer = await fetch(`${url}/${query}`, { headers: { origin: 'https://ok.example' } });
    const now = Number(answer.headers.get('x-barrage-now'));
    const between = [now - from, Date.now() - now];
    expect(Math.min(...between), `${between}`).toBeGreaterThanOrEqual(-1);
    expect(answer.headers.get('access-control-expose-headers')).toContain('x-barrage-now');
    return { now, answer, tookMs: Date.now() - from };
  };
  const first = await asked('publications');
  const { cursor } = JSON.parse(await first.answer.text());
  kit.lobby.keep(['b']);
  const texts: string[] = [];
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { now, answer } = await asked(`publications?cursor=${cursor}`);
    texts.push(await answer.text());
    times.push(now);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(new Set(texts).size).toBe(1);
  expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(50);
  // One that waits is told the end of its waiting.
  const head = JSON.parse(texts[0]!).cursor;
  const waited = await asked(`publications?cursor=${head}&waitMs=300`);
  expect(waited.tookMs).toBeGreaterThan(250);
  expect(Date.now() - waited.now).toBeLessThan(250);
  await (await asked('events')).answer.body!.cancel();
});

it('E-POLL-2 a poll waits for something new, at most waitMs, and says when to come again', async () => {
  kit.lobby.keep(['a']);
  const { cursor, pollAfterMs, ...first } = (await poll(kit.port, {})).body;
  expect(first).toMatchObject({
    type: 'publications',
    room: 'lobby',
    epoch: 1,
    offset: 1,
    recovered: false,
    closed: false,
  });
  expect(pollAfterMs).toBeGreaterThanOrEqual(0);
  const before = performance.now();
  const empty = await poll(kit.port, { cursor, waitMs: 150 });
  expect(performance.now() - before).toBeGreaterThan(140);
  expect(empty.body).toMatchObject({ cursor, publications: [], recovered: true });
  const woken = poll(kit.port, { cursor, waitMs: 8000 });
  await until(() => kit.metric('barrage_edge_connections') === 1, 'the poll to wait');
  // Only news of the online count: nothing to wake for.
  kit.lobby.online = 5;
  kit.lobby.drop([]);
  await until(() => kit.metric('barrage_edge_frames_total', 'drop') === 1, 'the empty frame');
  kit.lobby.drop(['b']);
  expect((await woken).body).toMatchObject({ online: 5, publications: [{ text: 'b' }] });
  expect(performance.now() - before).toBeLessThan(5000);
  await until(() => kit.owner.audience.get('lobby') === 1, 'the poller to be counted');
  for (const query of [{ waitMs: -1 }, { waitMs: 'x' }, { waitMs: 1e9 }, { cursor: 'x' }]) {
    const { status, body } = await poll(kit.port, query as Record<string, string>);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'invalid', field: Object.keys(query)[0] });
  }
});

it('E-POLL-3 following the cursors gives every keepable once in order, or recovered false', async () => {
  kit.lobby.rules = { ...kit.lobby.rules, replay: 100, recent: 10 };
  kit.lobby.keep(['k1']);
  let { cursor, publications } = (await poll(kit.port, {})).body;
  const offsets: number[] = publications.map(({ offset }: any) => offset);
  for (let i = 2; i <= 200; i++) {
    kit.lobby.keep([`k${i}`], { lost: i % 50 === 0 && i < 200 });
    if (i % 17 !== 0) continue;
    const { body } = await poll(kit.port, { cursor, waitMs: 100 });
    expect(body.recovered).toBe(true);
    offsets.push(...body.publications.map(({ offset }: any) => offset));
    cursor = body.cursor;
  }
  while (offsets.at(-1) !== 200) {
    const { body } = await poll(kit.port, { cursor, waitMs: 1000 });
    offsets.push(...body.publications.map(({ offset }: any) => offset));
    cursor = body.cursor;
  }
  expect(offsets).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  // From the log, beyond the ring; and beyond what may be replayed.
  const far = (await poll(kit.port, { cursor: '1.110.0' })).body;
  expect([far.recovered, far.publications.length]).toEqual([true, 90]);
  const tooFar = (await poll(kit.port, { cursor: '1.90.0' })).body;
  expect([tooFar.recovered, tooFar.publications.length]).toEqual([false, 10]);
});

it('E-SAY-2 a POST is answered with its verdict and status, without a viewer of the room here', async () => {
  kit.owner.answer = ({ text }) =>
    text === 'slow'
      ? { verdict: 'slow_mode', retryAfterMs: 2500 }
      : { verdict: 'published', id: 'p9' };
  const good = await say({ id: 'x', text: 'hi' });
  expect(good.status).toBe(200);
  expect(await jsonOf(good)).toEqual({ verdict: 'published', id: 'x', publication: 'p9' });
  expect(kit.owner.said[0]).toMatchObject({ user: { id: 'ann' }, role: 'member', kind: 'danmaku' });
  const slow = await say({ text: 'slow' });
  expect([slow.status, slow.headers.get('retry-after')]).toEqual([429, '3']);
  expect((await jsonOf(slow)).error).toMatchObject({ code: 'slow_mode', retryAfterMs: 2500 });
  for (const [body, field] of [
    ['{', ''],
    [{ text: 'a', nonsense: 1 }, 'nonsense'],
    [{ text: '   ' }, 'text'],
    [{ style: { color: 'red' }, text: 'a' }, 'style.color'],
  ] as const) {
    const answer = await say(body);
    expect(answer.status).toBe(400);
    const { error } = await jsonOf(answer);
    expect(error).toMatchObject({ code: 'invalid', field });
    expect(error.requestId).toBeTruthy();
  }
  expect((await say('x'.repeat(9000))).status).toBe(413);
  expect((await say({ text: 'a' }, { authorization: 'Bearer rubbish' })).status).toBe(401);
});

it('E-SAY-2 what the edge knows is refused at once with its status', async () => {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby' });
  await viewer.line('joined');
  const guest = await say({ text: 'hi' }, { authorization: '' });
  expect(guest.status).toBe(403);
  expect((await jsonOf(guest)).verdict).toBe('forbidden');
  const long = await say({ text: 'x'.repeat(101) });
  expect(long.status).toBe(400);
  expect((await jsonOf(long)).error).toMatchObject({ field: 'text', rule: 'maxLength 100' });
  expect(kit.owner.said).toEqual([]);
  await viewer.close();
});

it('E-IN-1 pages of allowed origins get CORS headers, others 403; other paths are 404', async () => {
  const base = `http://127.0.0.1:${kit.port}`;
  const url = `${base}/v1/rooms/lobby/danmaku`;
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin: 'https://ok.example' },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe('https://ok.example');
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
  const evil = await fetch(url, { method: 'OPTIONS', headers: { origin: 'https://evil.example' } });
  expect([evil.status, evil.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  const good = await say({ text: 'hi' }, { origin: 'https://ok.example' });
  expect(good.headers.get('access-control-allow-origin')).toBe('https://ok.example');
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  const nothing = await fetch(`${base}/nothing`);
  expect([nothing.status, (await jsonOf(nothing)).error.code]).toEqual([404, 'not_found']);
  expect((await fetch(`${base}/v1/ws`)).status).toBe(426);
  expect((await fetch(url)).status).toBe(405);
});
