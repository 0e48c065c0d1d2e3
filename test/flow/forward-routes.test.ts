/**
 * Every route of the API, asked of the owner of a room and of a service that is not: status, headers
 * and body are the same. Driven by the description of the API, so that no new route is left out.
 */
import type { RouteOptions } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApi } from '../../room/api/main.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { silentLog } from '../../src/ports/log.js';
import { Meter } from '../../src/telemetry/meter.js';
import { Tokens } from '../../src/tokens.js';
import { bearer } from '../kit/api.js';
import { CallsDouble } from '../kit/calls-double.js';
import { startApiCluster, type ApiCluster, type Service } from '../kit/api-cluster.js';

let cluster: ApiCluster;
let owner: Service;
let other: Service;
beforeAll(async () => {
  cluster = await startApiCluster({ services: 2 });
  [owner, other] = cluster.services as [Service, Service];
}, 20_000);
afterAll(() => cluster.stop());

type Step = readonly [call: string, status: number, body?: unknown, keep?: string];

const chat = { kind: 'chat', text: 'hello' };
const gift = { kind: 'gift', text: 'gift', lane: 'high' };
const R = '/v1/rooms/{room}';
const LATER = Math.floor(new SystemClock().now()) + 3_600_000;

/** In order; `<name>` is the id of the answer kept under that name. */
const STEPS: readonly Step[] = [
  ['POST /v1/rooms', 201, { room: '{room}', title: '直播', labels: ['{room}'] }],
  ['POST /v1/rooms', 409, { room: '{room}' }],
  [`GET ${R}`, 200],
  [`PATCH ${R}`, 200, { title: 'b' }],
  [`GET ${R}/limits`, 200],
  [`PATCH ${R}/limits?dryRun=true`, 200, { slowModeMs: 1000 }],
  [`PATCH ${R}/limits`, 400, { slowModeMs: -1 }],
  [`PATCH ${R}/limits`, 200, { archive: true }],
  [`POST ${R}/publications`, 200, gift, 'gift'],
  [`POST ${R}/publications`, 200, chat],
  [`POST ${R}/publications`, 400, { kind: 'recall' }],
  [`POST ${R}/publications`, 200, { ...gift, to: { users: ['u1'] } }, 'some'],
  [`GET ${R}/publications`, 200],
  [`GET ${R}/publications/<some>/delivery`, 200],
  [`GET ${R}/publications/none/delivery`, 404],
  [`DELETE ${R}/publications/<gift>`, 204],
  [`DELETE ${R}/publications?user=u1`, 200],
  [`PUT ${R}/mutes/u1`, 200],
  [`GET ${R}/mutes`, 200],
  [`DELETE ${R}/mutes/u1`, 204],
  [`DELETE ${R}/mutes/u1`, 404],
  [`PUT ${R}/bans/u1`, 200, { reason: '刷屏' }],
  [`GET ${R}/bans`, 200],
  [`DELETE ${R}/bans/u1`, 204],
  [`PUT ${R}/allowed/u1`, 200],
  [`GET ${R}/allowed`, 200],
  [`DELETE ${R}/allowed/u1`, 204],
  [`POST ${R}/kicks`, 204, { user: 'u1' }],
  [`PUT ${R}/attributes/key`, 200, { value: { a: [1] } }],
  [`GET ${R}/attributes/key`, 200],
  [`PATCH ${R}/attributes`, 409, { set: { b: 1 }, ifVersion: 9 }],
  [`PATCH ${R}/attributes`, 200, { set: { b: 1 } }],
  [`GET ${R}/attributes`, 200],
  [`DELETE ${R}/attributes/key`, 204],
  [`DELETE ${R}/attributes`, 200],
  [`PUT ${R}/queues/mic`, 200, { seats: 1 }],
  [`POST ${R}/queues/mic/acts`, 200, { op: 'join', user: 'u1' }],
  [`GET ${R}/queues/mic`, 200],
  [`GET ${R}/queues`, 200],
  [`DELETE ${R}/queues/mic`, 204],
  [`PUT ${R}/polls/p`, 201, { question: '?', options: ['a', 'b'] }],
  [`GET ${R}/polls/p`, 200],
  [`GET ${R}/polls`, 200],
  [`POST ${R}/polls/p/end`, 200],
  [`DELETE ${R}/polls/p`, 204],
  [`GET ${R}/cdn`, 200],
  ['GET /v1/cdns', 200],
  ['PUT /v1/cdns', 200, { cdns: [{ id: 'a', url: 'https://a.example/', weight: 1 }] }],
  ['DELETE /v1/cdns', 200],
  [`PUT ${R}/tags/u1`, 200, { tags: ['vip'] }],
  [`GET ${R}/tags/u1`, 200],
  [`GET ${R}/tags`, 200],
  [`DELETE ${R}/tags/u1`, 204],
  [`GET ${R}/members`, 200],
  [`GET ${R}/members/u1`, 200],
  [`PUT ${R}/callbacks`, 200, { url: 'http://127.0.0.1:9/', secret: 's'.repeat(32) }],
  [`GET ${R}/callbacks`, 200],
  [`DELETE ${R}/callbacks`, 200],
  [`PUT ${R}/words`, 200, { words: [{ word: 'bad', action: 'block' }] }],
  [`GET ${R}/words`, 200],
  [`DELETE ${R}/words`, 200],
  [`GET ${R}/reviews`, 200],
  [`POST ${R}/reviews/none`, 404, { action: 'approve' }],
  [`PUT ${R}/mute-all`, 200],
  [`GET ${R}/mute-all`, 200],
  [`DELETE ${R}/mute-all`, 204],
  [`PUT ${R}/roles/u1`, 200, { role: 'moderator' }],
  [`GET ${R}/roles`, 200],
  [`DELETE ${R}/roles/u1`, 204],
  [`POST ${R}/pins`, 201, { draft: gift }, 'pin'],
  [`GET ${R}/pins`, 200],
  [`PUT ${R}/pins/<pin>`, 200],
  [`DELETE ${R}/pins/<pin>`, 204],
  [`POST ${R}/drafts`, 201, { draft: gift }, 'draft'],
  [`GET ${R}/drafts`, 200],
  [`PATCH ${R}/drafts/<draft>`, 200, { draft: { text: 'other' } }],
  [`POST ${R}/drafts/<draft>/publish`, 200],
  [`DELETE ${R}/drafts/<draft>`, 200],
  [`POST ${R}/announcements`, 201, { draft: chat, at: LATER }, 'announced'],
  [`GET ${R}/announcements`, 200],
  [`DELETE ${R}/announcements/<announced>`, 204],
  [`POST ${R}/import?format=jsonl`, 200, '{"t":1,"id":"x","kind":"danmaku","text":"a"}\n'],
  [`GET ${R}/export?format=xml`, 200],
  [`GET ${R}/recent`, 200],
  [`GET ${R}/stats`, 200],
  [
    'POST /v1/publications:batch',
    200,
    { publications: [{ room: '{room}', ...gift }, { room: 1 }] },
  ],
  ['POST /v1/broadcasts', 200, { to: { zone: '{room}' }, ...gift }],
  ['POST /v1/broadcasts', 200, { to: { users: ['u1'] }, ...chat }, 'all'],
  ['GET /v1/broadcasts/<all>/delivery', 200],
  ['GET /v1/broadcasts/none/delivery', 404],
  [`DELETE ${R}`, 200],
  [`PATCH ${R}`, 409, { title: 'c' }],
  ['GET /v1/rooms?after={room}&limit=1', 200],
  ['POST /v1/tokens', 200, { rooms: ['{room}'] }],
  ['GET /healthz', 200],
  ['GET /readyz', 200],
  ['GET /metrics', 200],
  ['GET /openapi.json', 200],
  ['GET /page.json', 200],
];

/** What differs between two rooms and two moments that did the same. */
const OWN = new Set(['id', 'at', 'createdAt', 'updatedAt', 'epoch', 'requestId', 'token']);
const OWN_TOO = new Set(['tick', 'verdicts', 'rooms', 'published']);
/** Of a connection: a short export goes whole where it was carried. */
const OWN_HEADERS = new Set([
  'date',
  'x-request-id',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
]);

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === 'number' && value > 1.6e12 && value !== LATER) return 'a time';
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, inner]) => [
    name,
    OWN.has(name) || OWN_TOO.has(name) ? typeof inner : shown(inner),
  ]);
  return Object.fromEntries(fields);
}

async function runOne(at: Service, room: string, step: Step, kept: Map<string, string>) {
  const [call, , body, keep] = step;
  const filled = call.replace('{room}', room).replace(/<(\w+)>/, (_, name) => kept.get(name) ?? '');
  const [method = '', path = ''] = filled.split(' ');
  const text = typeof body === 'string' ? body : JSON.stringify(body)?.replaceAll('{room}', room);
  const type = typeof body === 'string' ? 'text/plain' : 'application/json';
  const answer = await fetch(`${at.api.url}${path}`, {
    method,
    headers: { ...bearer(), ...(text === undefined ? {} : { 'content-type': type }) },
    ...(text === undefined ? {} : { body: text }),
  });
  const raw = await answer.text();
  let json: any;
  try {
    json = JSON.parse(raw);
  } catch {
    json = raw;
  }
  if (keep !== undefined) kept.set(keep, json.id ?? json.publication?.id);
  const headers = [...answer.headers].filter(([name]) => !OWN_HEADERS.has(name));
  const isText = typeof json === 'string';
  const seen = call === 'GET /metrics' ? '' : isText ? json : JSON.stringify(shown(json));
  return {
    status: answer.status,
    headers: JSON.stringify(headers).replaceAll(room, '{room}'),
    body: seen.replaceAll(room, '{room}').replaceAll(/user="[^"]*"|p="[^"]*"/g, ''),
  };
}

it('A-FWD-3 every route answers alike through the owner and through another', async () => {
  const mine = cluster.nameAt(owner, 'twin-a');
  const twin = cluster.nameAt(owner, 'twin-b');
  const kept = [new Map<string, string>(), new Map<string, string>()] as const;
  for (const step of STEPS) {
    const there = await runOne(other, twin, step, kept[1]);
    const here = await runOne(owner, mine, step, kept[0]);
    expect.soft([step[0], here.status], here.body).toEqual([step[0], step[1]]);
    expect.soft([step[0], there]).toEqual([step[0], here]);
  }
  expect(other.metric('barrage_api_asked_total', { end: 'answered' })).toBeGreaterThan(70);
  // The table of CDNs is of no room: its keeper is whoever owns the shard of its name.
  const ofTable = STEPS.filter(([call]) => call.endsWith(' /v1/cdns')).length;
  const asked = owner.owns('cdns') ? 0 : ofTable;
  expect(owner.metric('barrage_api_asked_total', { end: 'answered' })).toBe(asked);
}, 20_000);

it('A-FWD-3 every route described is among those asked', async () => {
  const { body } = await owner.call('GET', '/openapi.json');
  const described = Object.entries(body.paths as Record<string, object>).flatMap(
    ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const asked = STEPS.map(([call]) => call.replace(/\?.*/, ''));
  const patterns = described.map((call) => {
    const pattern = call.replace(/\{room\}/g, '\\{room\\}').replace(/\{(?!room)\w+\\?\}/g, '[^/]+');
    return { call, is: new RegExp(`^${pattern}$`) };
  });
  expect(patterns.filter(({ is }) => !asked.some((call) => is.test(call)))).toEqual([]);
});

it('A-FWD-3 every route says whose call it is', async () => {
  const routes: RouteOptions[] = [];
  const app = await buildApi(
    {
      ...{ host: '127.0.0.1', port: 0, webFolder: import.meta.dirname, viewerPort: () => 1 },
      tokenTtlMs: 60_000,
    },
    {
      ...{
        calls: new CallsDouble(),
        tokens: () => new Tokens([{ kid: 'k', secret: 'x'.repeat(32) }], 'b'),
      },
      ...{ keys: () => [], clock: new SystemClock(), log: silentLog, meter: new Meter() },
      ready: () => ({ ready: true, reasons: [] }),
    },
    (route) => void routes.push(route),
  );
  await app.close();
  const own = routes.filter(({ config }) => config !== undefined && 'reach' in config);
  expect(own.length).toBeGreaterThan(80);
  const unsaid = own.filter(({ config }) => config?.reach === undefined);
  expect(unsaid.map(({ method, url }) => `${String(method)} ${url}`)).toEqual([]);
  const all = own.filter(({ config, method }) => config?.reach === 'all' && method !== 'HEAD');
  expect(all.map(({ url }) => url).sort()).toEqual([
    ...['/v1/broadcasts/:id/delivery', '/v1/publications::batch', '/v1/rooms'],
  ]);
});
