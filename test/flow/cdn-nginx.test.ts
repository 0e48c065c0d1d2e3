/**
 * The whole way over real servers: pusher, nginx with DAV as origin, nginx as the CDN of
 * deploy/nginx-cdn.conf in front. Viewers are plain HTTP requests.
 */
import { createHash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { RoomId } from '../../src/ids.js';
import { silentLog } from '../../src/ports/log.js';
import { systemRandom } from '../../src/random.js';
import { shardOf } from '../../src/shards.js';
import { cdnSubject, roomSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';
import { ADMIT_ALL, encodeFrame } from '../../src/wire/envelope.js';
import { encodeJson } from '../../src/wire/internal.js';
import { startPusher } from '../../cdn-pusher/main.js';
import { PUSHER_DEFAULTS } from '../../cdn-pusher/options.js';
import { HttpOrigin } from '../../cdn-pusher/origins/http.js';
import { freePort } from '../kit/free-port.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { read } from '../kit/source-tree.js';

const room = 'lobby' as RoomId;
const clock = new SystemClock();
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** deploy/nginx-cdn.conf as it is, but for its ports; with brotli as an operator adds it. */
async function cdn(hasBrotli = false): Promise<{ nginx: Nginx; origin: string }> {
  const originPort = await freePort();
  const brotli = 'nginx-cdn-brotli.conf';
  const nginx = await prepareNginx({
    modules: [
      'ngx_http_dav_ext_module.so',
      ...(hasBrotli ? (['ngx_http_brotli_static_module.so'] as const) : []),
    ],
    beside: hasBrotli ? { [brotli]: read(`deploy/${brotli}`) } : {},
    http: (port) =>
      read('deploy/nginx-cdn.conf')
        .replaceAll('127.0.0.1:8090', `127.0.0.1:${originPort}`)
        .replace('listen 8091', `listen 127.0.0.1:${port}`),
  });
  ends.push(() => nginx.stop());
  await nginx.start();
  return { nginx, origin: `http://127.0.0.1:${originPort}/` };
}

/** A pusher and a room that says something 50 times a second. */
async function broadcast(origin: string): Promise<{ sent: string[]; quiet(): void }> {
  const bus = new MemoryBus();
  const pusher = await startPusher(
    { ...PUSHER_DEFAULTS, member: 'p1' },
    {
      ...{ bus, store: new MemoryStore(clock), clock, random: systemRandom() },
      ...{ log: silentLog, meter: new Meter() },
      origin: new HttpOrigin({ url: origin, authorization: '' }),
    },
  );
  ends.push(() => pusher.stop());
  const note = encodeJson({ epoch: 1, rooms: [[room, 'on']] });
  const announce = () => bus.publish(cdnSubject(shardOf(room)), note);
  announce();
  const announcing = clock.every(1000, announce);
  const sent: string[] = [];
  const talking = clock.every(20, () => {
    const tick = sent.length + 1;
    const lane = tick % 2 === 0 ? 'normal' : 'low';
    const at = Math.floor(clock.now());
    const text = JSON.stringify({
      id: `p${tick}`,
      kind: 'danmaku',
      lane,
      at,
      text: `弹幕 ${tick}`,
    });
    sent.push(text);
    const head = { room, class: 'drop' as const, epoch: 1, tick, offset: 0, online: 9, shed: 0 };
    bus.publish(roomSubject(room), encodeFrame({ ...head, admission: ADMIT_ALL }, [text]));
  });
  ends.push(() => announcing.cancel());
  ends.push(() => talking.cancel());
  return { sent, quiet: () => talking.cancel() };
}

async function manifestAt(nginx: Nginx): Promise<Manifest | undefined> {
  const answer = await fetch(`${nginx.url}${room}/manifest.json`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  return answer.ok ? decodeManifest(bytes) : undefined;
}

async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error('waited 10 s');
    await new Promise((resolve) => clock.after(50, () => resolve(undefined)));
  }
}

const withSegments = (nginx: Nginx, count: number) =>
  until(async () => {
    const manifest = await manifestAt(nginx);
    return manifest !== undefined && manifest.segments.length >= count ? manifest : undefined;
  });

/** Headers and body as they are on the wire; `fetch` unpacks and hides. */
function raw(url: string, headers: Record<string, string>) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }>(
    (resolve, reject) => {
      const asked = request(url, { headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const { statusCode: status = 0, headers: had } = answer;
          resolve({ status, headers: had, body: Buffer.concat(chunks) });
        });
      });
      asked.on('error', reject);
      asked.end();
    },
  );
}

it('C-SEG-1, C-SEG-4 segments carry the bytes of the sockets, compressed, cacheable, in parts', async () => {
  const { nginx, origin } = await cdn();
  const { sent, quiet } = await broadcast(origin);
  const { segments } = await withSegments(nginx, 2);
  quiet();
  const entry = segments.at(-1)!;
  const url = `${nginx.url}${room}/${entry.name}`;
  const packed = await raw(url, { 'accept-encoding': 'br, gzip, deflate' });
  expect(packed.headers).toMatchObject({
    'content-encoding': 'gzip',
    'cache-control': 'public, max-age=31536000, immutable',
    'access-control-allow-origin': '*',
    'content-type': 'text/plain; charset=utf-8',
  });
  const plain = await raw(url, {});
  expect(gunzipSync(packed.body)).toEqual(plain.body);
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(plain.body.byteLength).toBe(entry.bytes);
  const digest = createHash('sha256').update(plain.body).digest('base64');
  expect(entry.hash).toBe(`sha256-${digest}`);
  const lines = plain.body.toString().trimEnd().split('\n');
  expect(lines.every((line) => sent.includes(line))).toBe(true);
  const first = entry.parts[0]!;
  expect(first.priority).toBe(1);
  const range = { range: `bytes=0-${first.end - 1}`, 'accept-encoding': 'gzip' };
  const part = await raw(url, range);
  expect(part.status).toBe(206);
  expect(part.body).toEqual(plain.body.subarray(0, first.end));
  const wanted = part.body.toString().trimEnd().split('\n');
  expect(wanted).toHaveLength(first.count);
  expect(wanted.every((line) => line.includes('"lane":"normal"'))).toBe(true);
  const told = await raw(`${nginx.url}${room}/manifest.json`, {});
  expect(told.headers['cache-control']).toContain('max-age=1,');
}, 30_000);

it('C-ORIG-6 with its module nginx gives brotli to who accepts it, gzip and plain files to the others', async () => {
  const { nginx, origin } = await cdn(true);
  const { quiet } = await broadcast(origin);
  const { segments } = await withSegments(nginx, 2);
  quiet();
  // The last manifest with its compressed forms is there.
  await new Promise<void>((resolve) => clock.after(2500, () => resolve()));
  const entry = segments.at(-1)!;
  const files = {
    [`${nginx.url}${room}/${entry.name}`]: {
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/plain; charset=utf-8',
    },
    [`${nginx.url}${room}/manifest.json`]: {
      'cache-control': 'public, max-age=1, stale-while-revalidate=1, stale-if-error=10',
      'content-type': 'application/json',
    },
  };
  const unpack = {
    br: brotliDecompressSync,
    gzip: gunzipSync,
    plain: (bytes: Buffer) => bytes,
  } as const;
  const cases = [
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0, br;q=0.000', 'plain'],
    ['identity', 'plain'],
    ['brotli', 'plain'],
    ['', 'plain'],
  ] as const;
  for (const [url, own] of Object.entries(files)) {
    const sizes: Record<string, number> = {};
    const plain = (await raw(url, {})).body;
    for (const [accepted, form] of cases) {
      const answer = await raw(url, accepted === '' ? {} : { 'accept-encoding': accepted });
      expect([accepted, answer.status]).toEqual([accepted, 200]);
      const { headers } = answer;
      const said = headers['content-encoding'] ?? 'plain';
      expect([accepted, said]).toEqual([accepted, form]);
      expect(headers).toMatchObject({
        ...own,
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'Age, Content-Range, Date, ETag',
        'x-content-type-options': 'nosniff',
        vary: 'Accept-Encoding',
      });
      expect(headers.etag).toBeUndefined();
      if (url.endsWith('.jsonl')) expect(unpack[form](answer.body)).toEqual(plain);
      else decodeManifest(unpack[form](answer.body));
      sizes[form] = answer.body.byteLength;
    }
    expect(sizes['br']).toBeLessThan(sizes['gzip']!);
    expect(sizes['gzip']).toBeLessThan(sizes['plain']!);
  }
  const first = entry.parts[0]!;
  const range = { range: `bytes=0-${first.end - 1}`, 'accept-encoding': 'br' };
  const part = await raw(Object.keys(files)[0]!, range);
  expect([part.status, part.headers['content-encoding']]).toEqual([206, undefined]);
  expect(part.body.byteLength).toBe(first.end);
}, 30_000);

/** Polls once a second as a viewer does, spread over the second; returns what it saw. */
async function watch(nginx: Nginx, viewers: number, forMs: number): Promise<Set<string>> {
  const seen = new Set<string>();
  const one = async (delayMs: number): Promise<void> => {
    const own = new Set<string>();
    await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    for (let passed = 0; passed < forMs; passed += 1000) {
      const began = performance.now();
      for (const { name } of (await manifestAt(nginx))?.segments.slice(-2) ?? []) {
        if (own.has(name)) continue;
        own.add(name);
        const answer = await fetch(`${nginx.url}${room}/${name}`);
        for (const line of (await answer.text()).trimEnd().split('\n')) seen.add(line);
      }
      const restMs = Math.max(0, 1000 - (performance.now() - began));
      await new Promise<void>((resolve) => clock.after(restMs, resolve));
    }
  };
  await Promise.all(Array.from({ length: viewers }, (_, i) => one((i * 1000) / viewers)));
  return seen;
}

/** Requests that went through to the origin: all but hits and what was there meanwhile. */
function throughOf(lines: readonly string[]): { asked: number; through: number } {
  const viewers = lines.filter((line) =>
    / GET \/lobby\/.* (HIT|STALE|UPDATING|MISS|EXPIRED|REVALIDATED)$/.test(line),
  );
  const through = lines.filter((line) => / GET \/lobby\/.* -$/.test(line));
  return { asked: viewers.length, through: through.length };
}

it('C-ORIG-5 the origin is asked as often for 200 viewers as for one', async () => {
  const { nginx, origin } = await cdn();
  const { sent } = await broadcast(origin);
  await withSegments(nginx, 2);
  const count = async (viewers: number) => {
    const before = (await nginx.accesses()).length;
    const seen = await watch(nginx, viewers, 4000);
    expect(seen.size).toBeGreaterThan(50);
    expect([...seen].every((line) => sent.includes(line))).toBe(true);
    return throughOf((await nginx.accesses()).slice(before));
  };
  const one = await count(1);
  const many = await count(200);
  expect(one.through).toBeGreaterThan(3);
  expect(many.asked).toBeGreaterThan(50 * one.asked);
  // A manifest and a segment a second, and the seconds do not begin alike.
  expect(many.through).toBeLessThan(one.through * 1.5 + 4);
}, 40_000);

it('C-ORIG-4 an nginx that is killed and started again goes on where it was', async () => {
  const { nginx, origin } = await cdn();
  const { sent, quiet } = await broadcast(origin);
  const before = await withSegments(nginx, 1);
  await nginx.kill();
  await new Promise<void>((resolve) => clock.after(1500, resolve));
  await nginx.start();
  quiet();
  const last = `"id":"p${sent.length}"`;
  const lines: string[] = [];
  const seen = new Set<string>();
  await until(async () => {
    for (const { name } of (await manifestAt(nginx))?.segments ?? []) {
      if (seen.has(name)) continue;
      seen.add(name);
      const text = await (await fetch(`${nginx.url}${room}/${name}`)).text();
      lines.push(...text.trimEnd().split('\n'));
    }
    return lines.some((line) => line.includes(last)) ? true : undefined;
  });
  expect(before.segments.length).toBeGreaterThan(0);
  expect(lines.toSorted()).toEqual(sent.toSorted());
}, 40_000);
