/** Coming in: the door, joining, tokens, quotas. Real sockets, a scripted owner. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { UserId } from '../../src/ids.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeAll(async () => {
  kit = await startEdgeKit({ origins: ['https://ok.example'], lingerMs: 50 });
});
afterAll(() => kit.stop());

function refusedStatus(port: number, protocols: string[], headers = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, protocols, { headers });
    socket.once('unexpected-response', (_, answer) => resolve(answer.statusCode ?? 0));
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.once('error', reject);
  });
}

it('E-IN-1 the handshake is refused by subprotocol and origin, before any socket', async () => {
  expect(await refusedStatus(kit.port, ['mqtt'])).toBe(400);
  expect(await refusedStatus(kit.port, [])).toBe(101);
  const origin = (name: string) => refusedStatus(kit.port, [], { origin: name });
  expect(await origin('https://evil.example')).toBe(403);
  expect(await origin('https://ok.example')).toBe(101);
  expect(await origin('http://127.0.0.1:3000')).toBe(101);
});

it('E-IN-1 an address has so many connections, streams and polls included; draining refuses all', async () => {
  const small = await startEdgeKit({ connectionsPerAddress: 2 });
  const one = await Viewer.connect(small.port, { room: 'lobby' });
  const two = await Viewer.connect(small.port);
  expect(await refusedStatus(small.port, [])).toBe(429);
  const events = await fetch(`http://127.0.0.1:${small.port}/v1/rooms/lobby/events`);
  expect([events.status, events.headers.get('retry-after')]).toEqual([429, '5']);
  await two.close();
  await until(() => small.metric('barrage_edge_connections') === 1, 'the count to fall');
  const three = await Viewer.connect(small.port);
  const drained = small.edge.drain(100);
  expect(await refusedStatus(small.port, [])).toBe(503);
  await drained;
  await one.until(() => one.closed !== undefined);
  await three.until(() => three.closed !== undefined);
  await small.stop();
});

it('E-IN-2 the query of the upgrade joins at once, a command joins later', async () => {
  kit.lobby.drop(['hello']);
  const atOnce = await Viewer.connect(kit.port, { room: 'lobby' });
  const joined = await atOnce.line('joined');
  expect(atOnce.lines.map((line) => line['type']).slice(0, 2)).toEqual(['welcome', 'joined']);
  expect(joined['publications'].at(-1).text).toBe('hello');
  const later = await Viewer.connect(kit.port);
  await later.line('welcome');
  later.join('lobby', tokenFor('ann'));
  const { user } = await later.line('joined');
  expect(user).toEqual({ id: 'ann', role: 'member', maySpeak: true });
  later.say({ type: 'leave', room: 'lobby' });
  await later.line('left');
  later.join('lobby');
  await later.until(() => later.lines.filter((line) => line['type'] === 'joined').length === 2);
  await Promise.all([atOnce.close(), later.close()]);
});

it.each([
  ['malformed', 'rubbish'],
  ['expired', tokenFor('ann', { ttlMs: -60_000 })],
  ['wrong_room', tokenFor('ann', { rooms: ['other'] })],
  ['bad_signature', `${tokenFor('ann').slice(0, -6)}AAAAAA`],
])('E-IN-3 a token refused as %s, and the connection lives', async (rule, token) => {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', token });
  expect(await viewer.line('error')).toMatchObject({ code: 'unauthorized', rule, room: 'lobby' });
  viewer.join('lobby', tokenFor('ann'));
  await viewer.line('joined');
  await viewer.close();
});

it('E-IN-4 without a token the viewer is a guest and may speak only where guests do', async () => {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby' });
  const { user } = await viewer.line('joined');
  expect(user).toMatchObject({ role: 'guest', maySpeak: false });
  expect(user.id).toMatch(/^guest-/);
  viewer.say({ type: 'send', room: 'lobby', id: 1, text: 'hi' });
  expect(await viewer.line('verdict')).toMatchObject({ id: 1, verdict: 'forbidden' });
  const open = kit.owner.room('open');
  open.rules = { ...open.rules, guestsSpeak: true };
  viewer.join('open');
  expect((await viewer.line('joined', (line) => line['room'] === 'open'))['user'].maySpeak).toBe(
    true,
  );
  viewer.say({ type: 'send', room: 'open', id: 2, text: 'hi' });
  expect(await viewer.line('verdict', (line) => line['id'] === 2)).toMatchObject({
    verdict: 'published',
  });
  await viewer.close();
});

it('E-IN-5 unknown, malformed, banned, full and closed are each said', async () => {
  const viewer = await Viewer.connect(kit.port, { room: 'nowhere' });
  expect(await viewer.line('error')).toMatchObject({ code: 'unknown_room', room: 'nowhere' });
  const before = kit.owner.calls.length;
  viewer.join('nowhere');
  await viewer.until(() => viewer.lines.filter((line) => line['type'] === 'error').length === 2);
  expect(kit.owner.calls.length).toBe(before);
  const malformed = await Viewer.connect(kit.port, { room: '../etc' });
  expect(await malformed.line('error')).toMatchObject({ code: 'invalid', field: 'room' });
  viewer.join('a b');
  expect(await viewer.line('error', (line) => line['code'] === 'invalid')).toMatchObject({
    field: 'room',
  });
  const strict = kit.owner.room('strict');
  strict.banned = [['ann' as UserId, 0]];
  strict.rules = { ...strict.rules, viewersMax: 1 };
  viewer.join('strict', tokenFor('ann'));
  expect(await viewer.line('error', (line) => line['room'] === 'strict')).toMatchObject({
    code: 'banned',
  });
  malformed.join('strict');
  await malformed.line('joined');
  viewer.join('strict', tokenFor('bob'));
  const full = await viewer.line('error', (line) => line['code'] === 'rate_limited');
  expect(full['retryAfterMs']).toBeGreaterThan(0);
  kit.owner.room('over').status = 'closed';
  viewer.join('over');
  expect(await viewer.line('error', (line) => line['room'] === 'over')).toMatchObject({
    code: 'closed',
  });
  await Promise.all([viewer.close(), malformed.close()]);
});

it('E-IN-5 with the owner down joins are refused as unavailable, and joins at once ask once', async () => {
  kit.owner.isDown = true;
  const viewer = await Viewer.connect(kit.port, { room: 'crowd' });
  expect(await viewer.line('error')).toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
  kit.owner.isDown = false;
  kit.owner.room('crowd');
  let release = () => undefined as void;
  kit.owner.gate = new Promise((resolve) => (release = resolve));
  const before = kit.owner.calls.length;
  const crowd = await Promise.all(
    Array.from({ length: 20 }, () => Viewer.connect(kit.port, { room: 'crowd' })),
  );
  await Promise.all(crowd.map((one) => one.line('welcome')));
  release();
  await Promise.all(crowd.map((one) => one.line('joined')));
  expect(kit.owner.calls.length).toBe(before + 1);
  await Promise.all([viewer, ...crowd].map((one) => one.close()));
});

it('E-IN-6 a room is joined once; beyond the quota commands are refused without work', async () => {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor('ann') });
  await viewer.line('joined');
  const calls = kit.owner.calls.length;
  const join = '{"type":"join","room":"lobby"}';
  viewer.raw(Array.from({ length: 20 }, () => join).join('\n'));
  await viewer.until(
    () => viewer.lines.filter((line) => line['code'] === 'already_joined').length === 20,
  );
  for (let i = 0; i < 100; i++) viewer.raw(`${join}\n`.repeat(100));
  const refused = await viewer.line('error', (line) => line['code'] === 'rate_limited');
  expect(refused['retryAfterMs']).toBeGreaterThan(0);
  await until(() => kit.metric('barrage_edge_commands_total', 'over_quota') > 9_900, 'all counted');
  expect(kit.owner.calls.length).toBe(calls);
  // One line a message at most.
  expect(viewer.lines.filter((line) => line['code'] === 'rate_limited').length).toBeLessThan(110);
  viewer.say({ type: 'send', room: 'lobby', id: 'over', text: 'x' });
  expect(await viewer.line('verdict')).toMatchObject({ id: 'over', verdict: 'rate_limited' });
  await viewer.close();
});

it('E-IN-7 the oldest connection of a user over the bound is closed with 4500', async () => {
  const small = await startEdgeKit({ connectionsPerUser: 2 });
  const viewers: Viewer[] = [];
  for (let i = 0; i < 3; i++) {
    const viewer = await Viewer.connect(small.port, { room: 'lobby', token: tokenFor('ann') });
    await viewer.line('joined');
    viewers.push(viewer);
  }
  await viewers[0]!.until(() => viewers[0]!.closed !== undefined);
  expect(viewers[0]!.closed).toMatchObject({ code: 4500 });
  expect(viewers[1]!.closed).toBeUndefined();
  await small.stop();
});

it('E-IN-8 a viewer that does not answer pings is closed as idle, one that does stays', async () => {
  const quick = await startEdgeKit({ heartbeatMs: 100, idleMs: 400 });
  const lively = await Viewer.connect(quick.port, { room: 'lobby' });
  const silent = connect(quick.port, '127.0.0.1');
  silent.write(
    'GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  const chunks: Buffer[] = [];
  silent.on('data', (chunk) => chunks.push(chunk));
  await new Promise((resolve) => silent.once('close', resolve));
  const bytes = Buffer.concat(chunks);
  // A close frame (0x88) with code 4003.
  expect(bytes.includes(Buffer.from([0x0f, 0xa3]))).toBe(true);
  expect(quick.metric('barrage_edge_closed_total', 'idle')).toBe(1);
  expect(lively.closed).toBeUndefined();
  await lively.close();
  await quick.stop();
});

it('E-IN-8 nobody is closed as idle for what the edge itself was late: who answers stays', async () => {
  const quick = await startEdgeKit({ heartbeatMs: 100, idleMs: 400 });
  const viewers = await Promise.all(
    Array.from({ length: 50 }, () => Viewer.connect(quick.port, { room: 'lobby' })),
  );
  for (let round = 0; round < 3; round++) {
    // Longer than all may be silent, and just before they would have been asked.
    const end = performance.now() + 600;
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(quick.metric('barrage_edge_closed_total', 'idle')).toBe(0);
  expect(viewers.map(({ closed }) => closed)).toEqual(viewers.map(() => undefined));
  for (const viewer of viewers) await viewer.close();
  await quick.stop();
});

it('E-IN-8 silent, half and trickling requests are closed by time limits', async () => {
  const trickle = (socket: ReturnType<typeof connect>) =>
    setInterval(() => socket.write('x'), 1000);
  const begin = (text: string, drips = false) => {
    const socket = connect(kit.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    if (text !== '') socket.write(text);
    const timer = drips ? trickle(socket) : undefined;
    return new Promise<void>((resolve) => {
      socket.once('close', () => {
        clearInterval(timer);
        resolve();
      });
    });
  };
  const post = 'POST /v1/rooms/lobby/danmaku HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n';
  await Promise.all([
    begin(''),
    begin('GET /v1/ws HTTP/1.1\r\nHos'),
    begin('GET /v1/ws HTTP/1.1\r\nHos', true),
    begin(post),
    begin(post, true),
  ]);
  const viewer = await Viewer.connect(kit.port, { room: 'lobby' });
  await viewer.line('joined');
  await viewer.close();
}, 30_000);
