/** Handing out edges over real HTTP, of real edges that come, drain and go. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { plainQuery } from '../../room/api/dispatch-first.js';
import { edgesSubject } from '../../src/subjects.js';
import { encodeReport } from '../../src/wire/edge-report.js';
import { bearer, request } from '../kit/api.js';
import { tokenFor, until } from '../kit/edge.js';
import { reportOf } from '../kit/edge-reports.js';
import { startTwoEdges, type TwoEdges } from '../kit/two-edges.js';
import { Viewer } from '../kit/viewer.js';

const cdns = [{ id: 'main', url: 'https://cdn.example/lobby', weight: 2 }];
const plain = (kit: TwoEdges, query = '', headers: Record<string, string> = {}) =>
  request(`${kit.api.url}/v1/dispatch${query}`, { method: 'GET', headers });
const keyed = (kit: TwoEdges, query: string) => kit.api.call('GET', `/v1/dispatch?${query}`);
const ids = (answer: { body: { edges: { id: string }[] } }) =>
  answer.body.edges.map(({ id }) => id);
const known = (kit: TwoEdges, count: number) =>
  until(() => kit.dispatch.desk.table.size === count, `${count} edges in the table`);

describe('two edges', () => {
  let kit: TwoEdges;
  beforeAll(async () => {
    kit = await startTwoEdges({
      edges: [{ region: 'eu' }, { region: 'us', advertise: 'https://us.example' }],
      dispatch: {
        defaultRegion: 'us',
        regionHeader: 'cf-ipcountry',
        headerRegions: [{ value: 'DE', region: 'eu' }],
        regions: [
          { range: '127.0.0.0/8', region: 'us' },
          { range: '10.0.0.0/8', region: 'eu' },
        ],
      },
      cdns: (room) => (room === 'lobby' ? cdns : []),
    });
    await known(kit, 2);
  });
  afterAll(() => kit.stop());

  it('D-DISP-8 the edges handed out are where viewers join', async () => {
    const { status, body, headers } = await plain(kit, '?room=lobby&region=eu');
    expect(status).toBe(200);
    const port = kit.edges[0]!.edge.port;
    expect(body).toEqual({
      region: 'eu',
      edges: [
        {
          ...{ id: 'edge-0', url: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}/v1/ws` },
          ...{ region: 'eu', weight: 100 },
        },
        {
          ...{ id: 'edge-1', url: 'https://us.example', ws: 'wss://us.example/v1/ws' },
          ...{ region: 'us', weight: 100 },
        },
      ],
      cdns,
    });
    expect(headers.get('access-control-allow-origin')).toBe('*');
    const viewer = await Viewer.connect(Number(new URL(body.edges[0].ws).port), { room: 'lobby' });
    await viewer.line('joined');
    viewer.close();
  });

  it.each([
    ['what is said', '?region=eu', {}, 'eu'],
    ['the header', '', { 'cf-ipcountry': 'DE' }, 'eu'],
    ['the address', '', {}, 'us'],
    ['the address, not what nobody trusts', '', { 'x-forwarded-for': '10.0.0.1' }, 'us'],
  ])('D-DISP-4 the region of a viewer is told by %s', async (_, query, headers, region) => {
    const answer = await plain(kit, query, headers);
    expect([answer.body.region, answer.body.edges[0].region]).toEqual([region, region]);
  });

  it('D-DISP-4 a trusted proxy tells the address, a caller with a key that of its viewer', async () => {
    kit.dispatch.tune({ ...kit.dispatch.desk.config, trustProxy: true });
    const headers = { 'x-forwarded-for': '192.0.2.1, 10.0.0.1' };
    expect((await plain(kit, '', headers)).body.region).toBe('eu');
    kit.dispatch.tune({ ...kit.dispatch.desk.config, trustProxy: false });
    expect((await keyed(kit, 'address=10.9.9.9')).body.region).toBe('eu');
    const open = await plain(kit, '?address=10.9.9.9');
    expect([open.status, open.body.error.code]).toEqual([401, 'unauthorized']);
  });

  it('D-DISP-9 with a key and a user the answer has a token that lets the user in', async () => {
    const more = 'name=Ann&level=7&role=host&tags=vip,level7&device=d1&ttlMs=120000';
    const { status, body, headers } = await keyed(kit, `room=lobby&region=eu&user=ann&${more}`);
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(ids({ body })).toEqual(['edge-0', 'edge-1']);
    expect(kit.api.tokens.verify(body.token)).toMatchObject({
      ...{ user: 'ann', name: 'Ann', level: 7, role: 'host', rooms: ['lobby'] },
      ...{ tags: ['vip', 'level7'], device: 'd1', expiresAt: body.expiresAt },
    });
    expect(Math.abs(body.expiresAt - Date.now() - 120_000)).toBeLessThan(10_000);
    const without = await keyed(kit, 'room=lobby');
    expect(without.body.token).toBeUndefined();
  });

  const refused: [string, string, object, number, string, string | undefined][] = [
    ['a token without a key', 'room=lobby&user=ann', {}, 401, 'unauthorized', 'authorization'],
    ['a wrong key', 'room=lobby', bearer('no'), 401, 'unauthorized', 'authorization'],
    ['a user without a room', 'user=ann', bearer(), 400, 'invalid', 'room'],
    ['a level without a user', 'room=lobby&level=3', bearer(), 400, 'invalid', 'level'],
    ['a role of no user', 'room=lobby&role=guest', bearer(), 400, 'invalid', 'role'],
    ['a room that is none', 'room=a%20b', {}, 400, 'invalid', 'room'],
    ['a region that is none', 'region=a"b', {}, 400, 'invalid', 'region'],
    ['no edges', 'count=0', {}, 400, 'invalid', 'count'],
    ['too many edges', 'count=17', {}, 400, 'invalid', 'count'],
    ['half an edge', 'count=1.5', {}, 400, 'invalid', 'count'],
    ['an address that is none', 'address=1.2.3', bearer(), 400, 'invalid', 'address'],
    ['tags that are none', 'room=a&user=u&tags=a,,b', bearer(), 400, 'invalid', 'tags'],
    ['a word nobody knows', 'rom=lobby', {}, 400, 'invalid', 'rom'],
  ];
  it.each(refused)('D-DISP-10 %s is refused', async (_, query, headers, status, code, field) => {
    const answer = await plain(kit, `?${query}`, headers as Record<string, string>);
    expect([answer.status, answer.body.error.code, answer.body.error.field]).toEqual([
      ...[status, code, field],
    ]);
    expect(answer.body.error.requestId).toBe(answer.headers.get('x-request-id'));
  });

  it('D-DISP-10 where dispatch is not public a key is needed', async () => {
    kit.dispatch.tune({ ...kit.dispatch.desk.config, public: false });
    const open = await plain(kit, '?room=lobby');
    expect([open.status, open.body.error.code]).toEqual([401, 'unauthorized']);
    expect((await keyed(kit, 'room=lobby')).status).toBe(200);
    kit.dispatch.tune({ ...kit.dispatch.desk.config, public: true });
    expect((await plain(kit, '?room=lobby')).status).toBe(200);
  });

  it('D-DISP-11 edges are listed page by page as they reported', async () => {
    expect((await request(`${kit.api.url}/v1/edges`, { method: 'GET' })).status).toBe(401);
    const all = (await kit.api.call('GET', '/v1/edges')).body;
    expect(all.edges).toHaveLength(2);
    expect(all.next).toBeUndefined();
    expect(all.edges[1]).toMatchObject({
      ...{ id: 'edge-1', url: 'https://us.example', region: 'us', draining: false, busy: 0 },
      ...{ capacity: 18_000, lagMs: expect.any(Number), silentMs: expect.any(Number) },
    });
    const first = (await kit.api.call('GET', '/v1/edges?limit=1')).body;
    expect([first.edges.length, first.next]).toEqual([1, 'edge-0']);
    const rest = (await kit.api.call('GET', '/v1/edges?limit=1&after=edge-0')).body;
    expect([rest.edges[0].id, rest.next]).toEqual(['edge-1', undefined]);
  });

  it('D-DISP-12 the short way answers as the long one does, with the headers of every answer', async () => {
    const short = await plain(kit, '?room=lobby&region=eu&count=2', { 'x-request-id': 'mine-1' });
    // A name that needs decoding takes the long way.
    const long = await plain(kit, '?%72oom=lobby&region=eu&count=2', { 'x-request-id': 'mine-1' });
    expect(long.body).toEqual(short.body);
    const names = (headers: Headers) =>
      [...headers].filter(([name]) => name !== 'date' && name !== 'content-length').sort();
    expect(names(long.headers)).toEqual(names(short.headers));
    expect(short.headers.get('x-request-id')).toBe('mine-1');
    expect(short.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await plain(kit, '')).headers.get('x-request-id')).toMatch(/^\S{8,}$/);
  });

  it('D-DISP-12 only what needs no decoding takes the short way', () => {
    const query = '?room=r-1&count=16&region=eu';
    expect(plainQuery(`/v1/dispatch${query}`)).toEqual({ room: 'r-1', count: 16, region: 'eu' });
    expect(plainQuery('/v1/dispatch')).toEqual({ count: 3 });
    const others = ['s', '/x', '?', '?room', '?room=a&room=b', '?count=0', '?count=17', '?user=u'];
    for (const rest of [...others, '?room=%61', '?region=', '?__proto__=1']) {
      expect(plainQuery(`/v1/dispatch${rest}`)).toBeUndefined();
    }
  });
});

describe('edges that change', () => {
  let kit: TwoEdges | undefined;
  afterEach(async () => {
    await kit?.stop();
    kit = undefined;
  });

  it('D-DISP-1 a drained edge is handed out no more at once, a stopped one is forgotten', async () => {
    const own = (kit = await startTwoEdges({ edges: [{ reportMs: 1000 }, { reportMs: 1000 }] }));
    await known(own, 2);
    expect(ids(await plain(own)).sort()).toEqual(['edge-0', 'edge-1']);
    const began = performance.now();
    const draining = own.edges[0]!.edge.drain(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ids(await plain(own))).toEqual(['edge-1']);
    await draining;
    await own.edges[0]!.edge.stop();
    await known(own, 1);
    // Long before its next report would have been due.
    expect(performance.now() - began).toBeLessThan(900);
  });

  it('D-DISP-1 an edge that is cut off is forgotten within 3 s, and known again when it is back', async () => {
    const own = (kit = await startTwoEdges());
    await known(own, 2);
    own.edges[0]!.cut();
    const began = performance.now();
    await known(own, 1);
    expect(performance.now() - began).toBeLessThan(3050);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(ids(await plain(own))).toEqual(['edge-1']);
    own.bus.publish(edgesSubject(), encodeReport(reportOf('edge-0')));
    await known(own, 2);
  });

  it('D-DISP-10 without an edge the answer is 503 with advice, and nothing else suffers', async () => {
    const own = (kit = await startTwoEdges({ edges: [] }));
    for (const query of ['', '?room=lobby&region=eu']) {
      const { status, body, headers } = await plain(own, query);
      expect([status, body.error.code]).toEqual([503, 'unavailable']);
      expect(body.error.retryAfterMs).toBeGreaterThanOrEqual(1000);
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(headers.get('access-control-allow-origin')).toBe('*');
    }
    expect((await own.api.call('GET', '/v1/rooms/lobby')).status).toBe(200);
    const unread = Buffer.from('{"edge":1}');
    own.bus.publish(edgesSubject(), unread);
    own.bus.publish(edgesSubject(), encodeReport(reportOf('real', { viewers: 1000 })));
    await known(own, 1);
    expect(own.dispatch.meters.reports.get('unreadable')).toBe(1);
    expect((await plain(own)).status).toBe(503);
  });

  it('D-DISP-14 where a room on the CDN is to be read is told with edges and without one', async () => {
    const cdn = {
      ...({ mode: 'on', pollMs: 1000, segmentMs: 1000, manifest: 'lobby/manifest.json' } as const),
      sources: [{ id: 'main', url: 'https://cdn.example/danmaku/', weight: 2 }],
    };
    const cdnFact = (room: string) => (room === 'lobby' ? cdn : undefined);
    const own = (kit = await startTwoEdges({ edges: [{ region: 'eu' }], cdnFact }));
    await known(own, 1);
    // The short way and the long one.
    for (const name of ['room', '%72oom']) {
      const { body } = await plain(own, `?${name}=lobby`);
      expect(body).toMatchObject({ edges: [{ id: 'edge-0' }], cdn });
      expect(Math.abs(body.now - Date.now())).toBeLessThan(5000);
    }
    const user = await keyed(own, 'room=lobby&user=ann');
    expect(user.body).toMatchObject({ cdn, token: expect.any(String) });
    await own.edges[0]!.edge.stop();
    await known(own, 0);
    const { status, body, headers } = await plain(own, '?room=lobby');
    expect(status).toBe(503);
    expect(body).toMatchObject({ error: { code: 'unavailable' }, now: expect.any(Number), cdn });
    expect(headers.get('retry-after')).not.toBeNull();
    expect(Object.keys((await plain(own, '?room=other')).body)).toEqual(['error']);
  });

  it('D-DISP-2 viewers are spread by what edges report of those who came', async () => {
    const own = (kit = await startTwoEdges({
      edges: [{ capacity: 4 }, { capacity: 40 }],
    }));
    await known(own, 2);
    const viewers: Viewer[] = [];
    for (let i = 0; i < 20; i++) {
      const { body } = await plain(own, '?count=1');
      const port = Number(new URL(body.edges[0].url).port);
      viewers.push(await Viewer.connect(port, { room: 'lobby', token: tokenFor(`u${i}`) }));
    }
    const small = () => own.dispatch.desk.table.list('', 1)[0]!;
    await until(() => own.dispatch.desk.table.viewers === 20, 'all viewers reported');
    expect(small().report.viewers).toBeGreaterThan(0);
    expect(small().report.viewers).toBeLessThanOrEqual(4);
    for (const viewer of viewers) viewer.close();
  });
});
