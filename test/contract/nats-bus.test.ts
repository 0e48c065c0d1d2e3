/** What the NATS bus promises beyond the contract of every bus: bounds, access, many processes. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NatsBusOptions } from '../../src/nats-settings.js';
import { freePort } from '../kit/free-port.js';
import { closeBuses, openBus } from '../kit/nats-bus.js';
import { startNats, type NatsServer } from '../kit/nats-server.js';
import { findOrInstall } from '../kit/tools.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeBuses();
  for (const end of ends.splice(0).reverse()) await end();
});
async function start(config = '', port?: number): Promise<NatsServer> {
  const server = await startNats({ config, ...(port !== undefined && { port }) });
  ends.push(() => server.stop());
  return server;
}
const fixture = (name: string) =>
  fileURLToPath(new URL(`fixtures/nats-tls-${name}.pem`, import.meta.url));
const bytes = (value: string) => Buffer.from(value);
const text = (value: Uint8Array) => Buffer.from(value).toString();
const until = (holds: () => void, ms = 5000) => vi.waitFor(holds, { timeout: ms, interval: 5 });
async function failureOf(promise: Promise<unknown>): Promise<{ code?: string; message?: string }> {
  return promise.then(
    () => ({}),
    (error: unknown) => error as { code: string; message: string },
  );
}
function hold(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('bounds', () => {
  it('N-BUS-5 a slow subscriber loses what is over its bound, counted, and no other suffers', async () => {
    const server = await start();
    const slow = await openBus({ servers: [server.url], inboundItemsMax: 400 });
    const near = await openBus({ servers: [server.url] });
    let [hot, most] = [0, 0];
    slow.bus.subscribe('hot', () => {
      hot++;
      most = Math.max(most, slow.count('inbound_items'));
      hold(1);
    });
    const calm = slow.listen('calm');
    await slow.settle();
    for (let i = 0; i < 5000; i++) {
      near.bus.publish('hot', bytes('x'));
      if (i % 100 === 0) near.bus.publish('calm', bytes(String(i)));
    }
    await until(() => expect(calm).toHaveLength(50));
    await until(() => expect(slow.count('inbound_items')).toBe(0));
    const dropped = slow.count('arrivals_total', 'dropped');
    expect(dropped).toBeGreaterThan(0);
    expect(hot + dropped).toBe(5000);
    expect(slow.count('arrivals_total', 'taken')).toBe(hot + 50);
    expect(most).toBeLessThanOrEqual(400);
    expect(calm).toEqual(Array.from({ length: 50 }, (_, i) => String(i * 100)));
    expect(slow.changes).toEqual([]);
  });

  it('N-BUS-5 a subscriber is bounded in bytes, too', async () => {
    const server = await start();
    const slow = await openBus({ servers: [server.url], inboundBytesMax: 400_000 });
    const near = await openBus({ servers: [server.url] });
    const got: number[] = [];
    slow.bus.subscribe('s', (each) => {
      got.push(each.byteLength);
      expect(slow.count('inbound_bytes')).toBeLessThanOrEqual(400_000);
      hold(2);
    });
    await slow.settle();
    for (let i = 0; i < 200; i++) near.bus.publish('s', Buffer.alloc(20_000));
    await until(() => expect(got.length + slow.count('arrivals_total', 'dropped')).toBe(200));
    expect(slow.count('arrivals_total', 'dropped')).toBeGreaterThan(0);
  });

  it('N-BUS-6 more than the server takes at once is refused and the connection stays', async () => {
    const server = await start('max_payload: 64KB');
    const { bus, count, changes, log, listen } = await openBus({ servers: [server.url] });
    const got = listen('s');
    bus.serve('grow', async () => Buffer.alloc(70_000));
    expect(bus.publish('s', Buffer.alloc(65_537))).toBe('full');
    expect(bus.publish('s', Buffer.alloc(65_536))).toBe('sent');
    const refused = await failureOf(bus.request('grow', Buffer.alloc(65_537), 2000));
    expect(refused).toMatchObject({ code: 'too_large', rule: 'at most 65536 bytes' });
    expect(await failureOf(bus.request('grow', bytes('?'), 2000))).toMatchObject({
      code: 'internal',
      message: 'an answer of 70000 bytes is too large',
    });
    await until(() => expect(got.map(({ length }) => length)).toEqual([65_536]));
    expect([count('publishes_total', 'too_large'), changes]).toEqual([1, []]);
    expect(log.filter((line) => !line.includes('connected'))).toEqual([]);
  });

  it('N-BUS-6 megabytes arrive as they were, and small ones behind them in order', async () => {
    const server = await start();
    const near = await openBus({ servers: [server.url] });
    const far = await openBus({ servers: [server.url] });
    const got: Uint8Array[] = [];
    far.bus.subscribe('s', (each) => got.push(each));
    far.bus.serve('echo', async (asked) => asked);
    await far.settle();
    const large = Buffer.from(Array.from({ length: 6 << 20 }, (_, i) => (i * 31) >> 3));
    near.bus.publish('s', large);
    near.bus.publish('s', bytes('behind'));
    await until(() => expect(got).toHaveLength(2));
    expect(large.equals(got[0]!)).toBe(true);
    expect(Buffer.from(got[1]!).toString()).toBe('behind');
    expect(large.equals(await near.bus.request('echo', large, 5000))).toBe(true);
  });
});

describe('access', () => {
  const seed = 'SUAOPU6TPH5XAADETSGY5N47HSZJ52DGS7GSYG2ZEBXWQ6UEMHLDH4N5RU';
  const users = 'authorization { user: bus, password: "s3cret" }';
  const open = (server: NatsServer, options: Partial<NatsBusOptions>) =>
    openBus({ servers: [server.url], ...options });
  async function file(content: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'barrage-nats-access-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'access'), content);
    return join(folder, 'access');
  }

  it('N-BUS-7 user and password, token and nkey open the door; wrong ones are a config error at start', async () => {
    const server = await start(users);
    expect((await open(server, { user: 'bus', password: 's3cret' })).bus.isUp()).toBe(true);
    const wrong = await failureOf(open(server, { user: 'bus', password: 'guess' }));
    expect(wrong.code).toBe('config');
    expect(wrong.message).toMatch(/Authorization Violation/);
    expect(wrong.message).not.toMatch(/guess/);
    expect(await failureOf(open(server, {}))).toMatchObject({ code: 'config' });
    const byToken = await start('authorization { token: "t0ken" }');
    expect((await open(byToken, { token: 't0ken' })).bus.isUp()).toBe(true);
    expect(await failureOf(open(byToken, { token: 'other' }))).toMatchObject({ code: 'config' });
  });

  it('N-BUS-7 credential files are read and checked before anything is connected', async () => {
    const server = await start(
      `authorization { users: [{ nkey: "UDEGHLQGDKHW37OLP7Q2ROYODXEIFAGTL3DJ6UH2IOID66XE7UJFSUWF" }] }`,
    );
    const credentials = await file(`${seed}\n`);
    expect((await open(server, { credentials })).bus.isUp()).toBe(true);
    const bad = await file('-----BEGIN NATS USER JWT-----\nno end');
    expect(await failureOf(open(server, { credentials: bad }))).toMatchObject({
      code: 'config',
      field: 'nats.credentials',
    });
    const missing = await failureOf(open(server, { credentials: '/nowhere/bus.creds' }));
    expect(missing).toMatchObject({ code: 'config', field: 'nats.credentials' });
    expect(missing.message).toMatch(/cannot be read \(ENOENT\)/);
    const tls = { enabled: true, ca: '/nowhere/ca.pem', cert: '', key: '' };
    expect(await failureOf(open(server, { tls }))).toMatchObject({ field: 'nats.tls.ca' });
    expect(await failureOf(open(server, { servers: ['nats://a:b:c'] }))).toMatchObject({
      code: 'config',
      field: 'nats.servers',
    });
  });

  it('N-BUS-7 with TLS the server must show a certificate of a known authority, and must have TLS at all', async () => {
    const [cert, key] = [fixture('cert'), fixture('key')];
    const server = await start(`tls { cert_file: "${cert}", key_file: "${key}", timeout: 5 }`);
    const tls = { enabled: true, ca: cert, cert: '', key: '' };
    const secure = await open(server, { tls });
    const got = secure.listen('s');
    secure.bus.publish('s', bytes('sealed'));
    await until(() => expect(got).toEqual(['sealed']));
    const named = await open(server, { tls, servers: [`tls://localhost:${server.port}`] });
    expect(named.bus.isUp()).toBe(true);
    const unknown = { ...tls, ca: '' };
    expect(await failureOf(open(server, { tls: unknown }))).toMatchObject({ code: 'config' });
    expect(await failureOf(open(await start(), { tls }))).toMatchObject({ code: 'config' });
  });

  it('N-BUS-8 a connection the server ends for good is made anew as soon as it lets us in again', async () => {
    const server = await start(users);
    const { bus, changes, log, listen } = await open(server, { user: 'bus', password: 's3cret' });
    const got = listen('s');
    await server.reload('authorization { user: bus, password: "changed" }');
    await until(() => expect(bus.isUp()).toBe(false));
    await until(() => expect(log.join('\n')).toMatch(/error no NATS server takes us.*Authoriz/));
    await server.reload(users);
    await until(() => expect(bus.isUp()).toBe(true));
    bus.publish('s', bytes('again'));
    await until(() => expect(got).toEqual(['again']));
    expect(changes).toEqual([false, true]);
  });

  it('N-BUS-8 a server that is not there yet is no error: it is tried until it comes', async () => {
    const port = await freePort();
    const servers = [`127.0.0.1:${port}`];
    const { bus, changes, count, listen, log } = await openBus({ servers });
    expect(bus.isUp()).toBe(false);
    expect(bus.publish('s', bytes('lost'))).toBe('down');
    expect(await failureOf(bus.request('s', bytes('?'), 100))).toMatchObject({ code: 'bus_down' });
    const got = listen('s');
    bus.serve('echo', async (asked) => asked);
    await until(() => expect(count('connect_failures_total')).toBeGreaterThan(3));
    await start('', port);
    await until(() => expect(changes).toEqual([true]));
    bus.publish('s', bytes('1'));
    await until(() => expect(got).toEqual(['1']));
    expect(await bus.request('echo', bytes('abc'), 2000)).toHaveLength(3);
    expect(log.filter((line) => line.includes('takes us'))).toHaveLength(1);
  });
});

describe('between processes', () => {
  it('N-BUS-10 each of those that serve a subject hears each request, the first answer counts', async () => {
    const server = await start();
    const buses = [1, 2, 3].map(() => openBus({ servers: [server.url] }));
    const [asker, ...servers] = await Promise.all(buses);
    const heard = servers.map((): string[] => []);
    servers.forEach(({ bus }, i) =>
      bus.serve('ask', async (asked) => {
        heard[i]!.push(text(asked));
        return bytes(`${text(asked)} by ${i}`);
      }),
    );
    await Promise.all(servers.map((each) => each.settle()));
    const asked = Array.from({ length: 200 }, (_, i) => String(i));
    const replies = await Promise.all(
      asked.map((each) => asker!.bus.request('ask', bytes(each), 5000)),
    );
    expect(replies.map((each) => text(each).split(' ')[0])).toEqual(asked);
    await until(() => expect(heard).toEqual([asked, asked]));
    expect(() => servers[0]!.bus.serve('ask', async (each) => each)).toThrow(/served already/);
  });

  it('N-BUS-10 whoever serves says so when it has too much to answer', async () => {
    const server = await start();
    const busy = await openBus({ servers: [server.url], pendingItemsMax: 2 });
    const asker = await openBus({ servers: [server.url] });
    let finish = () => undefined as void;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    busy.bus.serve('ask', async (asked) => {
      await gate;
      return asked;
    });
    await busy.settle();
    const first = [1, 2].map(() => asker.bus.request('ask', bytes('x'), 5000));
    const third = await failureOf(asker.bus.request('ask', bytes('x'), 5000));
    expect(third.code).toBe('bus_full');
    // The refusal counts as an answer until the server confirms it.
    await until(() => expect(busy.count('pending_items', 'answers')).toBe(0));
    finish();
    expect(await Promise.all(first)).toHaveLength(2);
    expect(busy.count('answers_total', 'refused')).toBe(1);
  });

  it('N-BUS-9 drain sends what was handed over, answers what was asked, and then nobody serves', async () => {
    const server = await start();
    const [leaving, staying] = await Promise.all([
      openBus({ servers: [server.url] }),
      openBus({ servers: [server.url] }),
    ]);
    const got = staying.listen('s');
    await staying.settle();
    let asked = false;
    let finish = () => undefined as void;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    leaving.bus.serve('ask', async (each) => {
      asked = true;
      await gate;
      return each;
    });
    await leaving.settle();
    const request = staying.bus.request('ask', bytes('last'), 5000);
    await until(() => expect(asked).toBe(true));
    for (let i = 0; i < 3000; i++) leaving.bus.publish('s', Buffer.alloc(1000, 'x'));
    const drained = leaving.bus.drain();
    expect(leaving.bus.publish('s', bytes('late'))).toBe('down');
    setTimeout(finish, 50);
    await drained;
    expect(Buffer.from(await request).toString()).toBe('last');
    await until(() => expect(got).toHaveLength(3000));
    expect(leaving.count('pending_items')).toBe(0);
    expect(leaving.count('unconfirmed_total')).toBe(0);
    expect(await failureOf(staying.bus.request('ask', bytes('x'), 2000))).toMatchObject({
      code: 'bus_down',
    });
  });
});

it('N-BUS-12 the configuration that ships is accepted by the server', async () => {
  const program = await findOrInstall('nats-server');
  const file = fileURLToPath(new URL('../../deploy/nats.conf', import.meta.url));
  const env = {
    ...{ NATS_NAME: 'one', NATS_USER: 'bus', NATS_PASSWORD: 's3cret' },
    ...{ NATS_ROUTE_1: 'nats://bus:s3cret@127.0.0.1:1', NATS_ROUTE_2: 'nats://127.0.0.1:2' },
    NATS_ROUTE_3: 'nats://127.0.0.1:3',
  };
  const checked = await promisify(execFile)(program, ['-t', '-c', file], { env });
  expect(`${checked.stdout}${checked.stderr}`).toMatch(/is valid/);
  const without = promisify(execFile)(program, ['-t', '-c', file], { env: {} });
  await expect(without).rejects.toThrow(/variable reference/);
});
