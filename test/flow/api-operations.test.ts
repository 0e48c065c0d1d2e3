/** The studio API under failure and for operators: errors, advice, metrics, documents, the end. */
import { createServer } from 'node:net';
import type { RouteOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { prometheusExposition } from '../../src/adapters/prometheus.js';
import { BarrageError, type ErrorCode } from '../../src/errors.js';
import { silentLog } from '../../src/ports/log.js';
import { Meter } from '../../src/telemetry/meter.js';
import { VERDICTS, VERDICT_STATUS } from '../../src/verdict.js';
import { buildApi, startApi } from '../../room/api/main.js';
import { CallsDouble } from '../kit/calls-double.js';
import { request, startApiKit, type ApiKit } from '../kit/api.js';
import { ManualClock } from '../kit/manual-clock.js';
import { Tokens } from '../../src/tokens.js';

const kits: ApiKit[] = [];
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.end();
});

async function start(...options: Parameters<typeof startApiKit>): Promise<ApiKit> {
  const kit = await startApiKit(...options);
  kits.push(kit);
  return kit;
}

describe('failures', () => {
  it('A-2 each error has its status and keeps its code, and A-9 a 503 its advice', async () => {
    const kit = await start();
    const table: [ErrorCode, number, retryAfterMs: number | undefined, header: string | null][] = [
      ['conflict', 409, undefined, null],
      ['forbidden', 403, undefined, null],
      ['rate_limited', 429, 2100, '3'],
      ['store_full', 503, undefined, '1'],
      ['store_failed', 503, 10, '1'],
      ['fenced', 503, 500, '1'],
      ['bus_down', 503, 1001, '2'],
      ['bus_full', 503, undefined, '1'],
      ['timeout', 503, undefined, '1'],
      ['unavailable', 503, 60_000, '60'],
    ];
    for (const [code, status, retryAfterMs, header] of table) {
      const detail = retryAfterMs === undefined ? {} : { retryAfterMs };
      kit.calls.before = async () => {
        throw new BarrageError(code, 'as told', detail);
      };
      const { body, ...answer } = await kit.call('GET', '/v1/rooms/r');
      expect([code, answer.status, body.error.code]).toEqual([code, status, code]);
      expect(answer.headers.get('retry-after')).toBe(header);
      expect(body.error.message).toBe('as told');
    }
    expect(kit.errors).toEqual([]);
  });

  it('A-2 what nobody foresaw is told as internal and logged by request id', async () => {
    const kit = await start();
    for (const error of [new Error('secret path'), new BarrageError('config', 'secret key'), 7]) {
      kit.errors.length = 0;
      kit.calls.before = async () => {
        throw error;
      };
      const { status, body } = await kit.call('GET', '/v1/rooms/r');
      expect([status, body.error.code]).toEqual([500, 'internal']);
      expect(JSON.stringify(body)).not.toContain('secret');
      expect(kit.errors).toHaveLength(1);
      expect(kit.errors[0]?.fields).toMatchObject({ requestId: body.error.requestId, error });
    }
  });

  it('A-4 a verdict that is a refusal is answered with its status, and A-9 its advice', async () => {
    const kit = await start();
    await kit.call('POST', '/v1/rooms', { room: 'r' });
    for (const verdict of VERDICTS) {
      kit.calls.verdicts.set('chat', { verdict, retryAfterMs: 1200 });
      const answer = await kit.call('POST', '/v1/rooms/r/publications', { kind: 'chat' });
      const status = VERDICT_STATUS[verdict];
      expect([verdict, answer.status]).toEqual([verdict, status]);
      if (status === 200) expect(answer.body.verdict).toBe(verdict);
      else expect(answer.body.error).toMatchObject({ code: verdict, retryAfterMs: 1200 });
      const advised = status === 429 || status === 503;
      expect(answer.headers.get('retry-after')).toBe(advised ? '2' : null);
    }
  });

  it('A-2 a call that is not done in its time is answered timeout, with A-9 advice', async () => {
    const kit = await start({ callMs: 50 });
    kit.calls.before = () => new Promise(() => undefined);
    const { status, body, headers } = await kit.call('GET', '/v1/rooms');
    expect([status, body.error.code, headers.get('retry-after')]).toEqual([503, 'timeout', '1']);
    expect(kit.errors).toEqual([]);
  });

  it('A-9 a key over its quota is answered 429 with Retry-After', async () => {
    const kit = await start({ requestsPerSecond: 0.5, requestsBurst: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await kit.call('GET', '/v1/rooms')).status);
    const { status, headers, body } = await kit.call('GET', '/v1/rooms');
    expect([...statuses, status]).toEqual([200, 200, 429, 429]);
    const { code, retryAfterMs } = body.error;
    expect([code, retryAfterMs > 0 && retryAfterMs <= 2000]).toEqual(['rate_limited', true]);
    expect(headers.get('retry-after')).toBe(`${Math.ceil(retryAfterMs / 1000)}`);
    expect((await request(`${kit.url}/healthz`, { method: 'GET' })).status).toBe(200);
  });

  it('A-9 more calls than can be worked on are answered 503, and the place is given back', async () => {
    const kit = await start({ inFlightMax: 2 });
    const waiting: (() => void)[] = [];
    kit.calls.before = () => new Promise((resolve) => waiting.push(resolve));
    const held = [kit.call('GET', '/v1/rooms'), kit.call('GET', '/v1/rooms')];
    await expect.poll(() => waiting.length).toBe(2);
    const { status, headers } = await kit.call('GET', '/v1/rooms');
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    kit.calls.before = async () => undefined;
    for (const go of waiting) go();
    expect((await Promise.all(held)).map((each) => each.status)).toEqual([200, 200]);
    await expect.poll(async () => (await kit.call('GET', '/v1/rooms')).status).toBe(200);
  });
});

describe('documents', () => {
  it('A-7 every route served is described with its schemas, and nothing else is', async () => {
    const served = new Set<string>();
    const kit = await start();
    const parts = {
      ...{ calls: kit.calls, tokens: () => kit.tokens, keys: () => kit.keys },
      ...{ clock: new ManualClock(), log: silentLog, meter: new Meter() },
      ready: () => kit.readiness,
    };
    const options = { host: '', port: 0, webFolder: '/', viewerPort: () => 1, tokenTtlMs: 1 };
    const app = await buildApi(options, parts, (route: RouteOptions) => {
      for (const method of [route.method].flat()) {
        if (method !== 'HEAD') served.add(`${method} ${braced(route.url)}`);
      }
    });
    await app.close();
    const ours = [...served].filter((each) => !/ \/(docs.*|\*|)$/.test(each));
    const { body } = await request(`${kit.url}/openapi.json`, { method: 'GET' });
    expect(body.openapi).toBe('3.1.0');
    const described = Object.entries<any>(body.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(ours.sort());
    expect(described.length).toBe(87);
    for (const [path, operations] of Object.entries<any>(body.paths)) {
      for (const [method, operation] of Object.entries<any>(operations)) {
        checkOperation(`${method} ${path}`, operation, path, method);
      }
    }
  });

  it('A-7 the settings are described with the bounds of the table', async () => {
    const kit = await start();
    const { body } = await request(`${kit.url}/openapi.json`, { method: 'GET' });
    const patch = body.paths['/v1/rooms/{room}/limits'].patch.requestBody;
    const { properties } = patch.content['application/json'].schema;
    expect(properties.tickMs).toMatchObject({
      ...{ type: ['integer', 'null'], minimum: 20, maximum: 5000 },
      description: 'the room sends at most once in this time, control apart; ms, default 100',
    });
    expect(properties.guestsSpeak.type).toEqual(['boolean', 'null']);
    const batch = body.paths['/v1/publications:batch'].post.requestBody;
    const item = batch.content['application/json'].schema.properties.publications.items;
    expect(Object.keys(item.properties)).toContain('key');
  });

  it('A-1 documents, pages and health need no key and A-7 load nothing from outside', async () => {
    const kit = await start();
    const get = (path: string) => request(`${kit.url}${path}`, { method: 'GET' });
    const docs = await get('/docs');
    expect([docs.status, docs.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect(docs.headers.get('content-security-policy')).toContain("default-src 'none'");
    const links = [...(docs.body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1]!);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) {
      expect(link).toMatch(/^(\.?\/)?(docs\/)?static\//);
      expect((await get(link.startsWith('/') ? link : `/${link}`)).status).toBe(200);
    }
    const page = await get('/');
    expect(page.body).toContain('<title>Barrage</title>');
    expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self';.*connect-src/);
    expect((await get('/studio')).body).toContain('<title>Studio</title>');
    expect((await get('/page.json')).body).toEqual({ viewerPort: 8080 });
    for (const path of ['/.hidden', '/../package.json', '/%2e%2e/package.json', '/x%00y']) {
      const { status, body } = await get(path);
      expect([path, [400, 403, 404].includes(status)]).toEqual([path, true]);
      expect(body.error.requestId).toBeTypeOf('string');
    }
  });
});

describe('operation', () => {
  it('A-8 health and readiness answer without a key, with the reasons', async () => {
    const kit = await start();
    const get = (path: string) => request(`${kit.url}${path}`, { method: 'GET' });
    expect((await get('/healthz')).body).toEqual({ status: 'ok' });
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { ready: true, reasons: [] } });
    kit.readiness = { ready: false, reasons: ['store', 'bus'] };
    const waiting = await get('/readyz');
    expect(waiting.status).toBe(503);
    expect(waiting.body).toEqual({ ready: false, reasons: ['store', 'bus'] });
    expect(waiting.headers.get('retry-after')).toBe('1');
    expect((await get('/healthz')).status).toBe(200);
  });

  it('A-8 the metrics count every verdict by its word, calls by group and refusals by code', async () => {
    const kit = await start();
    const verdicts = kit.meter.counters('barrage_test_verdicts_total', 'V', 'verdict', VERDICTS);
    verdicts.add('shed', 3);
    await kit.call('GET', '/v1/rooms');
    await kit.call('GET', '/v1/rooms/none');
    await kit.call('GET', '/nothing');
    await request(`${kit.url}/v1/rooms`, { method: 'GET' });
    const { body, headers } = await request(`${kit.url}/metrics`, { method: 'GET' });
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = body as string;
    for (const verdict of VERDICTS) {
      const count = verdict === 'shed' ? 3 : 0;
      expect(text).toContain(`barrage_test_verdicts_total{verdict="${verdict}"} ${count}\n`);
    }
    expect(text).toContain('barrage_api_requests_total{group="rooms",status="2xx"} 1\n');
    expect(text).toContain('barrage_api_requests_total{group="rooms",status="4xx"} 2\n');
    expect(text).toContain('barrage_api_requests_total{group="unknown",status="4xx"} 1\n');
    expect(text).toContain('barrage_api_errors_total{code="unauthorized"} 1\n');
    expect(text).toContain('barrage_api_errors_total{code="not_found"} 2\n');
    expect(text).toMatch(/process_resident_memory_bytes \d+/);
    expect(text).toMatch(/nodejs_eventloop_lag_seconds /);
  });

  it('A-8 a histogram is written as Prometheus reads it', async () => {
    const meter = new Meter();
    const exposition = prometheusExposition(meter);
    const seconds = meter.histogram('barrage_test_seconds', 'S', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    meter.gauge('barrage_test_gauge', 'a "quoted"\nhelp', () => [
      { labels: { name: 'a"b\\c\n' }, value: 1.5 },
    ]);
    const text = await exposition.render();
    expect(text).toContain(
      [
        '# HELP barrage_test_seconds S',
        '# TYPE barrage_test_seconds histogram',
        'barrage_test_seconds_bucket{le="0.1"} 2',
        'barrage_test_seconds_bucket{le="1"} 3',
        'barrage_test_seconds_bucket{le="+Inf"} 4',
        'barrage_test_seconds_sum 7.65',
        'barrage_test_seconds_count 4',
      ].join('\n'),
    );
    expect(text).toContain('barrage_test_gauge{name="a\\"b\\\\c\\n"} 1.5');
    expect(await exposition.render()).toContain('barrage_test_seconds_count 4');
  });

  it('O-2 a port in use is said in one line', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const parts = {
      ...{ calls: new CallsDouble(), tokens: () => tokens, keys: () => [] },
      ...{ clock: new ManualClock(), log: silentLog, meter: new Meter() },
      ready: () => ({ ready: true, reasons: [] }),
    };
    const tokens = new Tokens([{ kid: 'k', secret: 'x'.repeat(32) }], 'a');
    const options = { webFolder: '/', viewerPort: () => 1, tokenTtlMs: 1 };
    const failed = startApi({ ...options, host: '127.0.0.1', port }, parts);
    await expect(failed).rejects.toMatchObject({
      code: 'port_in_use',
      message: `127.0.0.1:${port} is in use by another process`,
    });
    const elsewhere = startApi(
      { ...options, host: '192.0.2.1', port: 0 },
      { ...parts, meter: new Meter() },
    );
    await expect(elsewhere).rejects.toMatchObject({ code: 'config', field: 'studio.host' });
    await new Promise((resolve) => taken.close(resolve));
  });

  it('O-3 a stop finishes what is in flight and takes nothing new', async () => {
    const kit = await start();
    let go = (): void => undefined;
    kit.calls.before = (call) =>
      call === 'list' ? new Promise((resolve) => (go = resolve)) : Promise.resolve();
    let began = false;
    const held = kit.call('GET', '/v1/rooms');
    const watch = kit.calls.before;
    kit.calls.before = (call) => {
      began = true;
      return watch(call);
    };
    await expect.poll(() => began).toBe(true);
    const stopAt = performance.now();
    const stopped = kit.api.stop();
    const healthz = () => request(`${kit.url}/healthz`, { method: 'GET' });
    await expect.poll(() => healthz().then(String, () => 'refused')).toBe('refused');
    go();
    expect((await held).status).toBe(200);
    await stopped;
    expect(performance.now() - stopAt).toBeLessThan(4000);
  });

  it('O-3 a stop ends in its time though a call never does', async () => {
    const kit = await start({ stopMs: 50 });
    let began = false;
    kit.calls.before = () => {
      began = true;
      return new Promise(() => undefined);
    };
    const held = kit.call('GET', '/v1/rooms').catch((error: Error) => error);
    await expect.poll(() => began).toBe(true);
    await kit.api.stop();
    expect(await held).toBeInstanceOf(Error);
  });
});

function braced(url: string): string {
  return url
    .replaceAll('::', '\u0000')
    .replace(/:(\w+)/g, '{$1}')
    .replaceAll('\u0000', ':');
}

/** Every operation says what it takes and what it answers, and what it refuses. */
function checkOperation(name: string, operation: any, path: string, method: string): void {
  const { responses, parameters = [], requestBody, summary } = operation;
  expect([name, summary]).toEqual([name, expect.any(String)]);
  const good = Object.keys(responses).find((status) => status.startsWith('2'))!;
  const schema = Object.values<any>(responses[good].content ?? {})[0]?.schema;
  expect([name, good === '204' || schema !== undefined]).toEqual([name, true]);
  const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const inPath = parameters.filter((each: any) => each.in === 'path');
  expect(inPath.map((each: any) => each.name)).toEqual(named);
  for (const each of inPath)
    expect([name, each.schema.pattern]).toEqual([name, expect.any(String)]);
  const isOrder = /\/(publish|end|pins\/\{id\})$/.test(path);
  const takesBody = ['post', 'put', 'patch'].includes(method) && !isOrder;
  expect([name, requestBody !== undefined]).toEqual([name, takesBody]);
  const open = JSON.stringify(operation.security) === '[]';
  expect([name, open]).toEqual([name, !path.startsWith('/v1/')]);
  expect([name, open || responses['4XX'] !== undefined]).toEqual([name, true]);
}
