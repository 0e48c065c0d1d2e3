/** Everything broken, malicious or clumsy that arrives is answered by name, and the service lives. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Tokens } from '../../src/tokens.js';
import { TOKEN_KEY, startService, type Service } from '../kit/service.js';
import { Viewer, type Line } from '../kit/viewer.js';

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  expect((await service.studio('GET', '/readyz')).status).toBe(200);
  expect(await service.stop()).toBe(0);
});

const send = (fields: object) => JSON.stringify({ type: 'send', room: 'lobby', id: 1, ...fields });

const LINES: readonly [name: string, raw: string | Buffer, answer: Line][] = [
  ['not JSON', 'hello', { type: 'error', code: 'invalid', rule: 'JSON' }],
  ['an array', '[]', { type: 'error', code: 'invalid' }],
  ['null', 'null', { type: 'error', code: 'invalid' }],
  ['no type', '{}', { type: 'error', code: 'invalid', field: 'type' }],
  ['unknown type', '{"type":"shout"}', { type: 'error', code: 'invalid', field: 'type' }],
  ['a type of the prototype', '{"type":"__proto__"}', { type: 'error', field: 'type' }],
  ['deep nesting', `${'['.repeat(4000)}${']'.repeat(4000)}`, { type: 'error', code: 'invalid' }],
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), { type: 'error', rule: 'valid UTF-8' }],
  ['a wrong type', send({ text: 7 }), { type: 'verdict', verdict: 'invalid', field: 'text' }],
  ['an unknown field', send({ txt: 'x' }), { type: 'verdict', verdict: 'invalid', field: 'txt' }],
  ['a lone surrogate', send({ text: 'a' }).replace('"a"', '"\\ud800"'), { verdict: 'invalid' }],
  ['NUL', send({ text: 'a\u0000b' }), { verdict: 'invalid', field: 'text' }],
  ['a bell', send({ text: 'a\u0007b' }), { verdict: 'invalid', field: 'text' }],
  ['blank text', send({ text: ' \t ' }), { verdict: 'invalid', field: 'text' }],
  ['text over the room', send({ text: 'x'.repeat(101) }), { verdict: 'invalid', field: 'text' }],
  [
    'deep data',
    send({ text: 'x', data: [[[[[[[[[1]]]]]]]]] }),
    { verdict: 'invalid', field: 'data' },
  ],
  [
    'large data',
    send({ text: 'x', data: 'y'.repeat(1100) }),
    { verdict: 'invalid', field: 'data' },
  ],
  [
    'a huge number',
    send({ text: 'x', id: 1e300 }),
    { type: 'error', code: 'invalid', field: 'id' },
  ],
  ['a bad colour', send({ text: 'x', style: { color: 'red' } }), { field: 'style.color' }],
  ['a kind of the studio', send({ text: 'x', kind: 'gift' }), { verdict: 'forbidden' }],
  ['a room not joined', send({ text: 'x', room: 'other' }), { verdict: 'not_joined' }],
  ['a bad room id', '{"type":"join","room":"a b"}', { type: 'error', field: 'room' }],
  ['an unknown room', '{"type":"join","room":"nowhere"}', { type: 'error', code: 'unknown_room' }],
  ['too large', send({ text: 'x'.repeat(9000) }), { code: 'too_large' }],
];

it.each(LINES)('W-7 %s is answered by name', async (_, raw, answer) => {
  const viewer = await Viewer.connect(service.viewerPort, {
    room: 'lobby',
    token: service.token('clumsy'),
  });
  await viewer.line('joined');
  const before = viewer.lines.length;
  viewer.raw(Buffer.isBuffer(raw) ? raw : Buffer.from(raw));
  await viewer.until(() => viewer.lines.length > before, 'an answer');
  expect(viewer.lines[before]).toMatchObject(answer);
  viewer.say({ type: 'ping' });
  await viewer.line('pong');
  viewer.cut();
});

it('T-2 tokens that are malformed, expired, foreign, altered or of an unknown key are refused by name', async () => {
  const good = new Tokens([TOKEN_KEY], 'barrage');
  const now = Date.now();
  const request = { user: 'u', rooms: ['lobby'], ttlMs: 60_000 };
  const cases: readonly [token: string, rule: string][] = [
    ['rubbish', 'malformed'],
    [good.issue(request, now - 7_200_000), 'expired'],
    [new Tokens([TOKEN_KEY], 'elsewhere').issue(request, now), 'wrong_audience'],
    [new Tokens([{ ...TOKEN_KEY, kid: 'who' }], 'barrage').issue(request, now), 'unknown_key'],
    [
      new Tokens([{ ...TOKEN_KEY, secret: 'x'.repeat(40) }], 'barrage').issue(request, now),
      'bad_signature',
    ],
    [good.issue({ ...request, rooms: ['another'] }, now), 'wrong_room'],
  ];
  for (const [token, rule] of cases) {
    const viewer = await Viewer.connect(service.viewerPort);
    viewer.join('lobby', token);
    const error = await viewer.line('error');
    expect(error).toMatchObject({ code: 'unauthorized', rule });
    viewer.say({ type: 'ping' });
    await viewer.line('pong');
    viewer.cut();
  }
});

it('E-IN-1 unknown subprotocols and foreign origins are refused before the handshake', async () => {
  const status = async (protocol: string, origin?: string) => {
    const answer = await upgrade(service.viewerPort, protocol, origin);
    return Number(answer.split(' ')[1]);
  };
  expect(await status('chat.v9')).toBe(400);
  expect(await status('barrage.v1+json')).toBe(101);
  expect(await status('chat.v9, barrage.v1+json')).toBe(101);
  expect(await status('barrage.v1+json', 'https://evil.example')).toBe(403);
  expect(await status('barrage.v1+json', 'http://127.0.0.1:8081')).toBe(101);
});

/** The first line of the answer to a bare upgrade request. */
function upgrade(port: number, protocol: string, origin?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        [
          'GET /v1/ws HTTP/1.1',
          `Host: 127.0.0.1:${port}`,
          'Upgrade: websocket',
          'Connection: Upgrade',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          `Sec-WebSocket-Protocol: ${protocol}`,
          ...(origin === undefined ? [] : [`Origin: ${origin}`]),
          '',
          '',
        ].join('\r\n'),
      );
    });
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n')[0]!);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

it('E-IN-6 a hundred thousand joins of one room by one connection cost little and kill nothing', async () => {
  const viewer = await Viewer.connect(service.viewerPort);
  await viewer.line('welcome');
  const line = '{"type":"join","room":"lobby"}\n';
  for (let i = 0; i < 1000; i++) viewer.raw(line.repeat(100));
  await viewer.line('error', (error) => error['code'] === 'rate_limited');
  viewer.cut();
  const other = await Viewer.connect(service.viewerPort, { room: 'lobby' });
  await other.line('joined');
  await other.close();
});

it('E-IN-8 half a request and a half-closed socket are let go without harm', async () => {
  const loris = connect(service.viewerPort, '127.0.0.1');
  await new Promise((resolve) => loris.once('connect', resolve));
  loris.write('GET /v1/ws HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const half = connect({ port: service.viewerPort, host: '127.0.0.1', allowHalfOpen: true });
  await new Promise((resolve) => half.once('connect', resolve));
  half.end('GET /v1/rooms/lobby/publications HTTP/1.1\r\nHost: a\r\n\r\n');
  half.resume();
  await Promise.all(
    [loris, half].map((socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      return new Promise((resolve) => socket.once('close', resolve));
    }),
  );
  const other = await Viewer.connect(service.viewerPort, { room: 'lobby' });
  await other.line('joined');
  await other.close();
}, 40_000);
