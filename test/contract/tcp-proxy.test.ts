/** The proxy of the fault tests does what it says, so that they prove what they say. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 5000, interval: 5 });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface End {
  readonly socket: Socket;
  got: string;
  bytes: number;
  ended: boolean;
  closed: boolean;
  error: string;
}

function endOf(socket: Socket): End {
  const end: End = { socket, got: '', bytes: 0, ended: false, closed: false, error: '' };
  socket.on('data', (bytes) => {
    end.bytes += bytes.length;
    if (end.bytes < 1000) end.got += bytes.toString();
  });
  socket.on('end', () => (end.ended = true));
  socket.on('close', () => (end.closed = true));
  socket.on('error', (error) => (end.error = (error as NodeJS.ErrnoException).code ?? ''));
  ends.push(() => void socket.destroy());
  return end;
}

async function listening(): Promise<{ readonly port: number; readonly seen: readonly End[] }> {
  const seen: End[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => seen.push(endOf(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => void server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

function dial(port: number): End {
  return endOf(connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
}

async function pair(): Promise<{ proxy: TcpProxy; near: End; far: End; seen: readonly End[] }> {
  const { port, seen } = await listening();
  const proxy = await startTcpProxy(port);
  ends.push(() => proxy.stop());
  const near = dial(proxy.port);
  near.socket.write('hello');
  await until(() => expect(seen[0]?.got).toBe('hello'));
  return { proxy, near, far: seen[0]!, seen };
}

it('passes bytes and ends, each way by itself', async () => {
  const { proxy, near, far } = await pair();
  near.socket.end('bye');
  await until(() => expect([far.got, far.ended]).toEqual(['hellobye', true]));
  far.socket.write('still');
  await until(() => expect(near.got).toBe('still'));
  expect(near.ended).toBe(false);
  far.socket.end();
  await until(() => expect([near.closed, proxy.connections]).toEqual([true, 0]));
  expect(proxy.passed).toEqual({ up: 8, down: 5 });
});

it('cuts with a reset on both sides and takes new connections', async () => {
  const { proxy, near, far, seen } = await pair();
  expect(proxy.cut()).toBe(1);
  await until(() => expect([near.error, far.error]).toEqual(['ECONNRESET', 'ECONNRESET']));
  dial(proxy.port).socket.write('again');
  await until(() => expect(seen[1]?.got).toBe('again'));
});

it('refuses new connections, keeps the open ones, and listens again on the same port', async () => {
  const { proxy, near, far, seen } = await pair();
  await proxy.refuse();
  const refused = dial(proxy.port);
  await until(() => expect(refused.error).toBe('ECONNREFUSED'));
  near.socket.write('!');
  await until(() => expect(far.got).toBe('hello!'));
  await proxy.heal();
  dial(proxy.port).socket.write('again');
  await until(() => expect(seen[1]?.got).toBe('again'));
});

it.each(['up', 'down'] as const)('stalled %s only, the other way passes', async (direction) => {
  const { proxy, near, far } = await pair();
  proxy.stall(direction);
  near.socket.write('1');
  far.socket.write('2');
  const [open, shut] = direction === 'up' ? [near, far] : [far, near];
  await until(() => expect(open.got.endsWith(direction === 'up' ? '2' : '1')).toBe(true));
  await wait(50);
  expect(shut.got.endsWith(direction === 'up' ? '1' : '2')).toBe(false);
  await proxy.heal();
  await until(() => expect([near.got, far.got]).toEqual(['2', 'hello1']));
});

it('stalled both ways nothing passes, not even an end, and new connections hang', async () => {
  const { proxy, near, far, seen } = await pair();
  proxy.stall();
  near.socket.end('gone');
  const late = dial(proxy.port);
  late.socket.write('late');
  await until(() => expect(seen).toHaveLength(2));
  await wait(50);
  expect([far.got, far.ended, seen[1]!.got, late.error]).toEqual(['hello', false, '', '']);
  near.socket.destroy();
  await wait(20);
  expect(far.closed).toBe(false);
  await proxy.heal();
  await until(() => expect(seen[1]!.got).toBe('late'));
  await until(() => expect(far.ended || far.closed).toBe(true));
});

it('a stalled sender is held back by its own kernel, not by our memory', async () => {
  const { proxy, near, far } = await pair();
  proxy.stall('up');
  const total = 64 << 20;
  near.socket.write(Buffer.alloc(total));
  await wait(200);
  expect(far.bytes).toBe(5);
  expect(near.socket.writableLength).toBeGreaterThan(total / 2);
  await proxy.heal();
  await until(() => expect(far.bytes).toBe(total + 5));
});

it('throttles to bytes per second', async () => {
  const { proxy, near, far } = await pair();
  proxy.throttle(1_000_000);
  const started = performance.now();
  near.socket.write(Buffer.alloc(300_000));
  await until(() => expect(far.bytes).toBe(300_005));
  const took = performance.now() - started;
  expect(took).toBeGreaterThan(250);
  expect(took).toBeLessThan(1500);
});

it('delays without changing the order', async () => {
  const { proxy, near, far } = await pair();
  proxy.delay(80);
  const started = performance.now();
  near.socket.write('1');
  await wait(20);
  near.socket.write('2');
  await until(() => expect(far.got).toBe('hello12'));
  expect(performance.now() - started).toBeGreaterThan(95);
});

it('sends new connections elsewhere', async () => {
  const { proxy, near, far } = await pair();
  const other = await listening();
  proxy.retarget(other.port);
  dial(proxy.port).socket.write('over here');
  await until(() => expect(other.seen[0]?.got).toBe('over here'));
  near.socket.write('!');
  await until(() => expect(far.got).toBe('hello!'));
});
