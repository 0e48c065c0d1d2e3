/** What the studio API refuses, and how: keys, bodies, parameters, each by field and rule. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson, illFormedPath } from '../../room/api/input.js';
import { digestKeys, matchKey } from '../../room/api/keys.js';
import { InFlight, RequestQuota } from '../../room/api/request-quota.js';
import { API_BODY_BYTES_MAX } from '../../src/limits.js';
import { bearer, KEY, request, startApiKit, type ApiKit } from '../kit/api.js';

let kit: ApiKit;
beforeAll(async () => {
  kit = await startApiKit();
  await kit.call('POST', '/v1/rooms', { room: 'r' });
});
afterAll(() => kit.end());

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { d: value };
  return value;
}

describe('keys', () => {
  it.each([
    ['none', {}],
    ['an unknown one', bearer('wrong')],
    ['the start of the right one', bearer(KEY.secret.slice(0, -1))],
    ['the right one and more', bearer(`${KEY.secret}x`)],
    ['another scheme', { authorization: `Basic ${KEY.secret}` }],
    ['an empty header', { 'x-api-key': '' }],
  ])('A-1 a call with no good key is refused 401: %s', async (_what, headers) => {
    const {
      status,
      body,
      headers: told,
    } = await request(`${kit.url}/v1/rooms`, {
      ...{ method: 'GET', headers },
    });
    expect([status, body.error.code]).toEqual([401, 'unauthorized']);
    expect(told.get('www-authenticate')).toContain('Bearer');
  });

  it('A-1 either header carries the key, and a change of keys holds at once', async () => {
    const get = (headers: Record<string, string>) =>
      request(`${kit.url}/v1/rooms`, { method: 'GET', headers });
    expect((await get(bearer())).status).toBe(200);
    expect((await get({ 'x-api-key': KEY.secret })).status).toBe(200);
    kit.keys = [{ id: 'next', secret: 'next-secret' }];
    expect((await get(bearer())).status).toBe(401);
    expect((await get(bearer('next-secret'))).status).toBe(200);
    kit.keys = [{ id: 'void', secret: '' }];
    expect((await get({})).status).toBe(401);
    kit.keys = [KEY];
  });

  it('A-1 the key is asked for before the body is read', async () => {
    const { status } = await request(`${kit.url}/v1/rooms`, { method: 'POST', body: '{broken' });
    expect(status).toBe(401);
  });

  it('A-1 a secret is compared with every key as digests of one length', () => {
    const keys = digestKeys([
      { id: 'a', secret: 'first' },
      { id: 'b', secret: 'a much longer second secret' },
      { id: 'c', secret: 'third' },
    ]);
    for (const [secret, id] of [
      ['first', 'a'],
      ['third', 'c'],
      ['none of them', undefined],
      ['', undefined],
    ] as const) {
      const lengths: number[] = [];
      const found = matchKey(secret, keys, (a, b) => {
        lengths.push(a.length, b.length);
        return a.equals(b);
      });
      expect([found, lengths]).toEqual([id, [32, 32, 32, 32, 32, 32]]);
      expect(matchKey(secret, keys)).toBe(id);
    }
  });
});

const long = 'x'.repeat(1001);
const posts = '/v1/rooms/r/publications';
const badInput: [
  what: string,
  method: string,
  path: string,
  body: unknown,
  field: string,
  rule: RegExp,
][] = [
  ['no body', 'POST', posts, undefined, '', /type object/],
  ['an empty body', 'POST', posts, '', '', /type object/],
  ['a list', 'POST', posts, [], '', /type object/],
  ['broken JSON', 'POST', posts, '{"kind":', '', /JSON/],
  ['bytes that are no UTF-8', 'POST', posts, Buffer.from('{"kind":"\xff"}', 'latin1'), '', /UTF-8/],
  ['__proto__', 'POST', posts, '{"kind":"chat","__proto__":{"a":1}}', '', /JSON/],
  ['no kind', 'POST', posts, {}, 'kind', /required/],
  ['a bad kind', 'POST', posts, { kind: 'Chat' }, 'kind', /pattern/],
  ["the room's own kind", 'POST', posts, { kind: 'recall' }, 'kind', /own/],
  ['an unknown field', 'POST', posts, { kind: 'chat', txet: 'a' }, 'txet', /no unknown field/],
  [
    'a deep unknown field',
    'POST',
    posts,
    { kind: 'chat', style: { blink: 1 } },
    'style.blink',
    /no unknown/,
  ],
  ['a number as text', 'POST', posts, { kind: 'chat', text: 7 }, 'text', /type string/],
  [
    'a text as number',
    'POST',
    posts,
    { kind: 'chat', style: { size: '25' } },
    'style.size',
    /type integer/,
  ],
  ['an unknown lane', 'POST', posts, { kind: 'chat', lane: 'top' }, 'lane', /one of control, high/],
  [
    'a bad colour',
    'POST',
    posts,
    { kind: 'chat', style: { color: 'red' } },
    'style.color',
    /pattern/,
  ],
  ['an empty text', 'POST', posts, { kind: 'chat', text: '' }, 'text', /minLength 1/],
  ['a blank text', 'POST', posts, { kind: 'chat', text: ' \n ' }, 'text', /not blank/],
  ['a long text', 'POST', posts, { kind: 'chat', text: long }, 'text', /maxLength 1000/],
  ['a lone surrogate', 'POST', posts, { kind: 'chat', text: 'a\ud83d' }, 'text', /well-formed/],
  ['a control character', 'POST', posts, { kind: 'chat', text: 'a\u001b[2J' }, 'text', /control/],
  [
    'a surrogate in a name',
    'POST',
    posts,
    { kind: 'chat', user: { id: 'u', name: '\udc00' } },
    'user.name',
    /well-formed/,
  ],
  [
    'a surrogate in data',
    'POST',
    posts,
    { kind: 'chat', data: { a: ['\ud800'] } },
    'data.a.0',
    /well-formed/,
  ],
  [
    'a control character in a name',
    'POST',
    posts,
    { kind: 'chat', user: { id: 'u', name: '\u0007' } },
    'user.name',
    /pattern/,
  ],
  [
    'a user id with a space',
    'POST',
    posts,
    { kind: 'chat', user: { id: 'a b' } },
    'user.id',
    /pattern/,
  ],
  ['data too deep', 'POST', posts, { kind: 'chat', data: deep(9) }, 'data', /maxDepth 8/],
  [
    'data far too deep',
    'POST',
    posts,
    `{"kind":"chat","data":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    'data',
    /maxDepth 8/,
  ],
  [
    'data too big',
    'POST',
    posts,
    { kind: 'chat', data: 'x'.repeat(1023) },
    'data',
    /maxBytes 1024/,
  ],
  ['a bad room id', 'GET', '/v1/rooms/a.b', undefined, 'room', /pattern/],
  ['a long room id', 'GET', `/v1/rooms/${'r'.repeat(65)}`, undefined, 'room', /pattern/],
  ['a very long room id', 'GET', `/v1/rooms/${'r'.repeat(3000)}`, undefined, 'room', /pattern/],
  ['a bad room id in a body', 'POST', '/v1/rooms', { room: 'ä' }, 'room', /pattern/],
  [
    'a long title',
    'POST',
    '/v1/rooms',
    { room: 'q', title: 'x'.repeat(201) },
    'title',
    /maxLength 200/,
  ],
  [
    'a surrogate in a title',
    'POST',
    '/v1/rooms',
    { room: 'q', title: '\ud800' },
    'title',
    /well-formed/,
  ],
  [
    'too many labels',
    'POST',
    '/v1/rooms',
    { room: 'q', labels: Array.from({ length: 17 }, (_, i) => `l${i}`) },
    'labels',
    /maxItems 16/,
  ],
  [
    'a limit that is none',
    'POST',
    '/v1/rooms',
    { room: 'q', limits: { tick: 1 } },
    'limits.tick',
    /no unknown field/,
  ],
  [
    'null where nothing can be given back',
    'POST',
    '/v1/rooms',
    { room: 'q', limits: { tickMs: null } },
    'limits.tickMs',
    /type integer/,
  ],
  ['an empty change', 'PATCH', '/v1/rooms/r', {}, '', /minProperties 1/],
  [
    'closing by a change',
    'PATCH',
    '/v1/rooms/r',
    { status: 'closed' },
    'status',
    /one of open, frozen/,
  ],
  ['a page of nothing', 'GET', '/v1/rooms?limit=0', undefined, 'limit', /minimum 1/],
  ['a page too large', 'GET', '/v1/rooms?limit=201', undefined, 'limit', /maximum 200/],
  ['a page that is no number', 'GET', '/v1/rooms?limit=ten', undefined, 'limit', /type integer/],
  ['two limits', 'GET', '/v1/rooms?limit=1&limit=2', undefined, 'limit', /type integer/],
  ['a bad cursor', 'GET', '/v1/rooms?after=%20', undefined, 'after', /pattern/],
  ['an unknown parameter', 'GET', '/v1/rooms?page=2', undefined, 'page', /no unknown field/],
  ['a negative offset', 'GET', `${posts}?from=-1`, undefined, 'from', /minimum 0/],
  ['an offset past all', 'GET', `${posts}?from=1e300`, undefined, 'from', /maximum/],
  [
    'a dry run maybe',
    'PATCH',
    '/v1/rooms/r/limits?dryRun=maybe',
    { tickMs: 100 },
    'dryRun',
    /type boolean/,
  ],
  [
    'shares of 96',
    'PATCH',
    '/v1/rooms/r/limits',
    {
      lanes: Object.fromEntries(
        ['control', 'high', 'normal', 'low'].map((lane) => [
          lane,
          { share: 24, depth: 10, bytes: 8192 },
        ]),
      ),
    },
    'lanes',
    /100/,
  ],
  [
    'a lane of another name',
    'PATCH',
    '/v1/rooms/r/limits',
    { kinds: { gift: 'top' } },
    'kinds.gift',
    /one of/,
  ],
  [
    'a kind that is none',
    'PATCH',
    '/v1/rooms/r/limits',
    { kinds: { 'GIFT!': 'high' } },
    'kinds',
    /pattern|property name/,
  ],
  ['two ends', 'PUT', '/v1/rooms/r/mutes/u', { forMs: 1, until: 4e12 }, 'until', /not together/],
  ['an end that has passed', 'PUT', '/v1/rooms/r/bans/u', { until: 1000 }, 'until', /future/],
  ['a user id with a space in the path', 'PUT', '/v1/rooms/r/mutes/a%20b', {}, 'user', /pattern/],
  ['a long user id', 'PUT', `/v1/rooms/r/mutes/${'%E4%B8%AD'.repeat(65)}`, {}, 'user', /pattern/],
  ['a kick of nobody', 'POST', '/v1/rooms/r/kicks', { reason: 'x' }, 'user', /required/],
  [
    'a batch of nothing',
    'POST',
    '/v1/publications:batch',
    { publications: [] },
    'publications',
    /minItems 1/,
  ],
  [
    'a batch of 101',
    'POST',
    '/v1/publications:batch',
    { publications: Array.from({ length: 101 }, () => ({})) },
    'publications',
    /maxItems 100/,
  ],
  ['a token for no room', 'POST', '/v1/tokens', { rooms: [] }, 'rooms', /minItems 1/],
  ['a token for a pattern', 'POST', '/v1/tokens', { rooms: ['a*'] }, 'rooms.0', /pattern/],
  ['a token for ever', 'POST', '/v1/tokens', { rooms: ['*'], ttlMs: 1e12 }, 'ttlMs', /maximum/],
  [
    'a token for a moment',
    'POST',
    '/v1/tokens',
    { rooms: ['*'], ttlMs: 1 },
    'ttlMs',
    /minimum 60000/,
  ],
  ['a host without a name', 'POST', '/v1/tokens', { rooms: ['*'], role: 'host' }, 'role', /guest/],
  [
    'a token too long to join with',
    'POST',
    '/v1/tokens',
    { user: 'u', rooms: Array.from({ length: 100 }, (_, i) => `${i}`.padStart(64, 'r')) },
    'rooms',
    /4096/,
  ],
];

describe('input', () => {
  it.each(badInput)(
    'A-2 %s is refused by field and rule',
    async (_w, method, path, body, field, rule) => {
      const { status, body: told, headers } = await kit.call(method, path, body);
      expect([status, told.error?.code, told.error?.field]).toEqual([400, 'invalid', field]);
      expect(told.error.rule).toMatch(rule);
      expect(told.error.message).not.toBe('');
      expect(told.error.requestId).toBe(headers.get('x-request-id'));
    },
  );

  it('A-2 nothing of what was refused reached a room', () => {
    expect(kit.calls.asked).toEqual([]);
    expect([...kit.calls.rooms.keys()]).toEqual(['r']);
    expect(kit.errors).toEqual([]);
  });

  it.each(['', ' ', 'a b', 'é', 'x'.repeat(129)])(
    'A-2 an idempotency key %j is refused by name',
    async (key) => {
      const headers = { 'idempotency-key': key };
      const { status, body } = await kit.call('POST', posts, { kind: 'chat' }, headers);
      expect([status, body.error.field]).toEqual([400, 'idempotency-key']);
    },
  );

  it('A-2 a body over the bound is 413, another type 415, a bad URL 400, another path 404', async () => {
    const big = { kind: 'chat', data: 'x'.repeat(API_BODY_BYTES_MAX) };
    const large = await kit.call('POST', posts, big);
    expect([large.status, large.body.error.code]).toEqual([413, 'too_large']);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const typed = await kit.call('POST', posts, 'kind=chat', form);
    expect([typed.status, typed.body.error.field]).toEqual([415, 'content-type']);
    const plain = await kit.call('POST', posts, 'hello', { 'content-type': 'text/plain' });
    expect(plain.status).toBe(415);
    const url = await kit.call('GET', '/v1/rooms/%zz');
    expect([url.status, url.body.error.code]).toEqual([400, 'invalid']);
    expect(url.body.error.requestId).toBe(url.headers.get('x-request-id'));
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['PUT', '/v1/rooms'],
      ['POST', '/v1/publications'],
      ['GET', '/nothing.html'],
    ] as const) {
      const { status, body } = await kit.call(method, path);
      expect([path, status, body.error.code]).toEqual([path, 404, 'not_found']);
    }
  });

  it('A-2 what is no HTTP is answered in the same form and the server lives on', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(kit.api.port, '127.0.0.1', () => socket.end('NONSENSE\r\n\r\n'));
      let got = '';
      socket.on('data', (bytes) => (got += bytes.toString()));
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    const { error } = JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as any;
    expect(text).toContain(`x-request-id: ${error.requestId}`);
    expect((await kit.call('GET', '/v1/rooms')).status).toBe(200);
  });

  it('A-2 a caller’s request id is kept when it can be written, otherwise replaced', async () => {
    const kept = await kit.call('GET', '/v1/rooms', undefined, { 'x-request-id': 'trace-1' });
    expect(kept.headers.get('x-request-id')).toBe('trace-1');
    const odd = await kit.call('GET', '/v1/rooms', undefined, { 'x-request-id': 'x'.repeat(65) });
    expect(odd.headers.get('x-request-id')).toMatch(/^[\w-]{12}$/);
  });
});

describe('small machines', () => {
  it('R-KEEP-5 the canonical JSON of equal drafts is equal, of others not', () => {
    expect(canonicalJson({ b: 1, a: [{ d: null, c: undefined }] })).toBe(
      '{"a":[{"d":null}],"b":1}',
    );
    expect(canonicalJson({ a: ['1'] })).not.toBe(canonicalJson({ a: [1] }));
    expect(canonicalJson({ a: 'x","b":"y' })).not.toBe(canonicalJson({ a: 'x', b: 'y' }));
  });

  it('A-2 strings and names are looked at at any depth', () => {
    expect(illFormedPath({ a: [{ b: 'fine 🎉' }] })).toBeUndefined();
    expect(illFormedPath({ a: [{ b: '\ud800' }] })).toBe('a.0.b');
    expect(illFormedPath({ a: { '\udfff': 1 } })).toBe('a');
    let deepest: unknown = '\ud800';
    for (let i = 0; i < 100_000; i++) deepest = [deepest];
    expect(illFormedPath(deepest)).toMatch(/^0\.0/);
  });

  it('A-9 a key’s quota lets the burst in, then the rate, and says how long to wait', () => {
    const quota = new RequestQuota(10, 3);
    const takes = (at: number, n: number) => Array.from({ length: n }, () => quota.take('k', at));
    expect(takes(1000, 4)).toEqual([0, 0, 0, 100]);
    expect(quota.take('other', 1000)).toBe(0);
    expect(takes(1100, 2)).toEqual([0, 100]);
    expect(takes(900, 1)).toEqual([100]);
    expect(takes(60_000, 4)).toEqual([0, 0, 0, 100]);
  });

  it('A-9 what is worked on is bounded in calls and in bytes', () => {
    const inFlight = new InFlight(2, 100);
    expect([inFlight.enter(60), inFlight.enter(60), inFlight.enter(40)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(inFlight.enter(0)).toBe(false);
    inFlight.leave(60);
    expect(inFlight.enter(60)).toBe(true);
  });
});
