/** What the NATS bus makes of servers that die, freeze and come back, and of bad networks. */
import { afterEach, expect, it, vi } from 'vitest';
import { closeBuses, openBus, type OpenBus } from '../kit/nats-bus.js';
import { startNats, startNatsCluster } from '../kit/nats-server.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeBuses();
  for (const end of ends.splice(0).reverse()) await end();
});
function keep<T extends { stop(): Promise<void> }>(started: T): T {
  ends.push(() => started.stop());
  return started;
}

const bytes = (value: string) => Buffer.from(value);
const text = (value: Uint8Array) => Buffer.from(value).toString();
const until = (holds: () => void, ms = 5000) => vi.waitFor(holds, { timeout: ms, interval: 5 });
const isUp = (opened: OpenBus, up: boolean) => () => expect(opened.bus.isUp()).toBe(up);
async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'answered',
    (error: unknown) => String((error as { code?: unknown }).code ?? error),
  );
}

/** Publishes until something arrives: the subscription holds on both sides. */
async function carries(from: OpenBus, to: OpenBus, subject: string): Promise<void> {
  const got = to.listen(subject);
  await until(() => {
    from.bus.publish(subject, bytes('here'));
    expect(got.length).toBeGreaterThan(0);
  });
}

it('N-BUS-1 a killed server that comes back is found within a second, and all holds again', async () => {
  const server = keep(await startNats());
  const [near, far] = [
    await openBus({ servers: [server.url] }),
    await openBus({ servers: [server.url] }),
  ];
  const got = far.listen('news');
  far.bus.serve('ask', async (asked) => bytes(`${text(asked)}!`));
  const cancelled: string[] = [];
  far.bus.subscribe('news', (each) => cancelled.push(text(each))).cancel();
  await far.settle();
  near.bus.publish('news', bytes('before'));
  await until(() => expect(got).toEqual(['before']));

  await server.kill();
  await until(() => expect([near.bus.isUp(), far.bus.isUp()]).toEqual([false, false]), 500);
  expect(near.bus.publish('news', bytes('lost'))).toBe('down');
  expect(await codeOf(near.bus.request('ask', bytes('?'), 5000))).toBe('bus_down');
  const whileDown = far.listen('later');

  await server.restart();
  const took = await timed(() =>
    until(() => expect([near.bus.isUp(), far.bus.isUp()]).toEqual([true, true])),
  );
  expect(took).toBeLessThan(1200);
  near.bus.publish('news', bytes('after'));
  near.bus.publish('later', bytes('new'));
  await until(() => expect([got, whileDown]).toEqual([['before', 'after'], ['new']]));
  expect(text(await near.bus.request('ask', bytes('x'), 2000))).toBe('x!');
  expect(cancelled).toEqual([]);
  expect(near.changes).toEqual([false, true]);
  expect(near.count('connections_total')).toBe(2);
  expect(near.count('publishes_total', 'down')).toBe(1);
});

it('N-BUS-1 a request under way when the connection is lost ends as timeout, for it may have begun', async () => {
  const server = keep(await startNats());
  const opened = await openBus({ servers: [server.url] });
  let asked = false;
  opened.bus.serve('slow', () => {
    asked = true;
    return new Promise(() => undefined);
  });
  const request = codeOf(opened.bus.request('slow', bytes('?'), 60_000));
  await until(() => expect(asked).toBe(true));
  await server.kill();
  expect(await request).toBe('timeout');
});

it('N-BUS-2 a frozen server is noticed within 3 s and found again when it goes on', async () => {
  const server = keep(await startNats());
  const opened = await openBus({ servers: [server.url] });
  const got = opened.listen('s');
  server.freeze();
  expect(await timed(() => until(isUp(opened, false)))).toBeLessThan(3000);
  expect(opened.bus.publish('s', bytes('lost'))).toBe('down');
  expect(opened.count('stale_total')).toBe(1);
  server.resume();
  await until(isUp(opened, true));
  opened.bus.publish('s', bytes('back'));
  await until(() => expect(got).toEqual(['back']));
  expect(opened.changes).toEqual([false, true]);
});

it('N-BUS-2 with a frozen server of a cluster another one is used, found by what the first one told', async () => {
  const cluster = keep(await startNatsCluster(3));
  const first = await openBus({ servers: [cluster.urls[0]!] });
  const other = await openBus({ servers: [cluster.urls[1]!] });
  await carries(other, first, 'warm');
  const got = first.listen('s');
  // Long enough to have heard of the others.
  await until(() => expect(first.bus.server).toBe(`127.0.0.1:${cluster.servers[0]!.port}`));
  cluster.servers[0]!.freeze();
  await until(isUp(first, false), 3000);
  const took = await timed(() => until(isUp(first, true)));
  expect(took).toBeLessThan(1000);
  expect(first.bus.server).not.toBe(`127.0.0.1:${cluster.servers[0]!.port}`);
  await until(() => {
    other.bus.publish('s', bytes('x'));
    expect(got.length).toBeGreaterThan(0);
  });
});

it('N-BUS-3 the loss of one server of a cluster costs less than a second', async () => {
  const cluster = keep(await startNatsCluster(3));
  const servers = cluster.urls;
  const [near, far] = [await openBus({ servers }), await openBus({ servers })];
  await carries(near, far, 'warm');
  const got = far.listen('s');
  far.bus.serve('ask', async (asked) => asked);
  await cluster.at(far.bus.server).kill();
  const took = await timed(() =>
    until(async () => {
      near.bus.publish('s', bytes('x'));
      expect(got.length).toBeGreaterThan(0);
    }),
  );
  expect(took).toBeLessThan(1000);
  expect(await codeOf(near.bus.request('ask', bytes('?'), 2000))).toBe('answered');
  expect(far.bus.isUp()).toBe(true);
});

async function throughProxy(
  staleMs = 2000,
): Promise<{ proxy: TcpProxy; near: OpenBus; direct: OpenBus }> {
  const server = keep(await startNats());
  const proxy = keep(await startTcpProxy(server.port));
  const near = await openBus({ servers: [proxy.address], staleMs });
  return { proxy, near, direct: await openBus({ servers: [server.url] }) };
}

it('N-BUS-1 a cut connection is made again at once', async () => {
  const { proxy, near, direct } = await throughProxy();
  const got = near.listen('s');
  expect(proxy.cut()).toBe(1);
  await until(() => expect(near.changes).toEqual([false, true]), 1000);
  await near.settle();
  direct.bus.publish('s', bytes('1'));
  await until(() => expect(got).toEqual(['1']));
});

it.each(['both', 'up', 'down'] as const)(
  'N-BUS-2 a connection stalled (%s) is left in time, then made again',
  async (direction) => {
    const { proxy, near, direct } = await throughProxy(600);
    const got = near.listen('s');
    await near.settle();
    proxy.stall(direction);
    expect(await timed(() => until(isUp(near, false)))).toBeLessThan(1600);
    expect(near.bus.publish('s', bytes('lost'))).toBe('down');
    await proxy.heal();
    await until(isUp(near, true));
    direct.bus.publish('s', bytes('1'));
    await until(() => expect(got).toEqual(['1']));
  },
);

it('N-BUS-2 a server that is heard but does not hear is left, too', async () => {
  const { proxy, near, direct } = await throughProxy();
  near.listen('s');
  await carries(direct, near, 'warm');
  const talk = setInterval(() => direct.bus.publish('s', bytes('still here')), 50);
  ends.push(async () => clearInterval(talk));
  const fast = await openBus({ servers: [proxy.address], staleMs: 500 });
  fast.listen('s');
  proxy.stall('up');
  await until(() => expect(fast.count('stale_total')).toBe(1), 4000);
  expect(fast.bus.isUp()).toBe(false);
});

it('N-BUS-4 while nobody takes what is sent, publishes are full at the bound and what is lost is counted', async () => {
  const { proxy, near } = await throughProxy();
  const bounded = await openBus({
    servers: [proxy.address],
    pendingItemsMax: 1000,
    pendingBytesMax: 4 << 20,
    staleMs: 600,
  });
  proxy.stall('up');
  const payload = Buffer.alloc(10_000);
  const answers = Array.from({ length: 600 }, () => bounded.bus.publish('s', payload));
  const sent = answers.filter((each) => each === 'sent').length;
  expect(sent).toBe(Math.floor((4 << 20) / 10_000));
  expect(answers.at(-1)).toBe('full');
  expect(bounded.count('pending_bytes')).toBe(sent * 10_000);
  expect(bounded.count('publishes_total', 'full')).toBe(600 - sent);
  expect(near.bus.publish('s', payload)).toBe('sent');
  await until(isUp(bounded, false));
  expect(bounded.count('unconfirmed_total')).toBe(sent);
  expect(bounded.count('pending_bytes')).toBe(0);
  await proxy.heal();
  await until(isUp(bounded, true));
  expect(bounded.bus.publish('s', payload)).toBe('sent');
});

it('N-BUS-4 over a slow network the answer is full and sent by turns, and nothing sent is lost', async () => {
  const { proxy, direct } = await throughProxy();
  const slow = await openBus({ servers: [proxy.address], pendingBytesMax: 200_000 });
  let got = 0;
  direct.bus.subscribe('s', () => got++);
  await carries(direct, slow, 'warm');
  proxy.throttle(1 << 20);
  let [sent, full] = [0, 0];
  const started = performance.now();
  while (performance.now() - started < 1500) {
    for (let i = 0; i < 20; i++) {
      if (slow.bus.publish('s', Buffer.alloc(5000)) === 'sent') sent++;
      else full++;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => expect(got).toBe(sent));
  expect(full).toBeGreaterThan(0);
  expect(sent * 5000).toBeGreaterThan(400_000);
  expect(slow.changes).toEqual([]);
});

it('N-BUS-9 drain ends in time with a frozen server, and while there is none', async () => {
  const server = keep(await startNats());
  const frozen = await openBus({ servers: [server.url] });
  server.freeze();
  frozen.bus.publish('s', bytes('held'));
  expect(await timed(() => frozen.bus.drain())).toBeLessThan(2600);
  await server.kill();
  const alone = await openBus({ servers: [server.url] });
  expect(alone.bus.isUp()).toBe(false);
  expect(await timed(() => alone.bus.drain())).toBeLessThan(500);
  expect(alone.changes).toEqual([]);
});

it('N-BUS-10 one that serves and is lost without the server noticing delays no answer', async () => {
  const server = keep(await startNats());
  const proxy = keep(await startTcpProxy(server.port));
  const lost = await openBus({ servers: [`nats://${proxy.address}`] });
  const next = await openBus({ servers: [server.url] });
  const asker = await openBus({ servers: [server.url] });
  lost.bus.serve('ask', async () => bytes('lost'));
  await lost.settle();
  proxy.stall();
  await until(isUp(lost, false));
  next.bus.serve('ask', async () => bytes('next'));
  await next.settle();
  for (let i = 0; i < 20; i++) {
    expect(text(await asker.bus.request('ask', bytes('?'), 1000))).toBe('next');
  }
});
