/** An edge of several processes over a real NATS, as an operator runs it, with viewers by the SDK. */
import { connect, createServer, type AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startBarrage, type BarrageProcess } from '../kit/barrage-process.js';
import { until } from '../kit/edge.js';
import { startNats, type NatsServer } from '../kit/nats-server.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { API_KEY, callStudio, TOKEN_KEY } from '../kit/service.js';

const VIEWERS = 200;
const WORKERS = ['1', '2'];

let folder: string;
let nats: NatsServer;
let room: BarrageProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-workers-'));
  nats = await startNats();
  room = await startBarrage('room', join(folder, 'room.yaml'), {
    ...common(),
    store: 'memory',
    studio: { host: '127.0.0.1', port: 0, keys: [{ id: 'kit', secret: API_KEY }] },
    rooms: { create: [{ room: 'uws' }, { room: 'ws' }] },
    data: { folder: join(folder, 'room') },
  });
});
afterAll(async () => {
  await room?.kill();
  await nats?.stop();
  await rm(folder, { recursive: true, force: true });
});

const common = () => ({
  bus: 'nats',
  nats: { servers: [nats.url] },
  tokens: { keys: [TOKEN_KEY] },
});

const edgeConfig = (edge: object = {}) => ({
  ...common(),
  edge: { host: '127.0.0.1', port: 0, processes: 2, reconnectJitter: '200ms', ...edge },
  studio: { host: '127.0.0.1', port: 0 },
  drain: { window: '500ms' },
});

const startEdges = (name: string, edge: object = {}): Promise<BarrageProcess> =>
  startBarrage('edge', join(folder, `${name}.yaml`), edgeConfig(edge));

const post = async (to: string, text: string) => {
  const port = Number(room.ready['studioPort']);
  const body = { kind: 'notice', lane: 'high', text };
  const answer = await callStudio(port, {
    ...{ method: 'POST', path: `/v1/rooms/${to}/publications`, body },
  });
  expect([200, 201]).toContain(answer.status);
};

const follow = (port: unknown, to: string, count: number): SdkViewer[] =>
  Array.from(
    { length: count },
    () => new SdkViewer({ url: `http://127.0.0.1:${String(port)}`, room: to }),
  );

const haveAll = (viewers: readonly SdkViewer[], text: string) =>
  until(() => viewers.every(({ texts }) => texts.includes(text)), `${text} everywhere`);

/** Every sample of the edge by name and labels. */
async function scrape(edges: BarrageProcess): Promise<Map<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${String(edges.ready['operationsPort'])}/metrics`);
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).split('\n').filter((line) => /^barrage/.test(line));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const of = (samples: Map<string, number>, name: string) =>
  WORKERS.map((worker) => samples.get(`${name}{worker="${worker}"}`) ?? -1);

/** Process ids of the workers, by what the kernel knows. */
async function workersOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** Asks anything on a connection of its own; resolves when that is answered or cut. */
const answeredOrCut = (port: number) =>
  new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
    );
    for (const end of ['data', 'error', 'close']) socket.once(end, () => resolve());
    socket.once('data', () => socket.destroy());
  });

async function metricsSay(
  edges: BarrageProcess,
  holds: (samples: Map<string, number>) => boolean,
): Promise<Map<string, number>> {
  const end = performance.now() + 10_000;
  for (;;) {
    const samples = await scrape(edges);
    if (holds(samples)) return samples;
    if (performance.now() > end) throw new Error(JSON.stringify([...samples].slice(0, 40)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.each(['uws', 'ws'])('two processes over %s', (sockets) => {
  let edges: BarrageProcess;
  let viewers: SdkViewer[];
  beforeAll(async () => {
    edges = await startEdges(sockets, { sockets });
    viewers = follow(edges.ready['viewerPort'], sockets, VIEWERS);
    await until(() => viewers.every(({ states }) => states.at(-1)?.name === 'live'), 'all joined');
  });
  afterAll(async () => {
    for (const { stream } of viewers ?? []) stream.close();
    await edges?.stop();
  });

  it('E-PROC-1, E-PROC-3 viewers spread over the workers, all are sent everything, and metrics add up', async () => {
    await post(sockets, 'to all');
    await haveAll(viewers, 'to all');
    const samples = await metricsSay(
      edges,
      (all) => all.get('barrage_edge_connections') === VIEWERS,
    );
    const each = of(samples, 'barrage_worker_connections');
    expect(each[0]! + each[1]!).toBe(VIEWERS);
    expect(Math.min(...each)).toBeGreaterThan(VIEWERS / 10);
    expect(of(samples, 'barrage_worker_up')).toEqual([1, 1]);
    expect(samples.get('barrage_bus_up')).toBe(1);
    expect(samples.get('barrage_edge_let_through')).toBe(1);
    expect(samples.get('barrage_edge_deliveries_total')).toBeGreaterThanOrEqual(VIEWERS);
  });

  it('E-PROC-4 a worker that is killed is replaced, its viewers come back and miss nothing', async () => {
    const before = await scrape(edges);
    const pids = await workersOf(edges.pid);
    expect(pids).toHaveLength(2);
    process.kill(pids[0]!, 'SIGKILL');
    await post(sockets, 'meanwhile');
    await metricsSay(
      edges,
      (all) =>
        all.get('barrage_worker_restarts_total') === 1 &&
        of(all, 'barrage_worker_up').every((up) => up === 1) &&
        all.get('barrage_edge_connections') === VIEWERS,
    );
    await post(sockets, 'after');
    await haveAll(viewers, 'after');
    for (const { texts, gaps } of viewers) {
      expect(texts).toEqual(['to all', 'meanwhile', 'after']);
      expect(gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
    }
    const name = 'barrage_edge_deliveries_total';
    const now = (await scrape(edges)).get(name)!;
    expect(now).toBeGreaterThanOrEqual(before.get(name)! + VIEWERS);
    expect((await workersOf(edges.pid)).includes(pids[0]!)).toBe(false);
  });

  it('E-PROC-5 a changed file reaches every worker; one that hangs is told by a metric', async () => {
    const config = edgeConfig({ sockets, connectionsMax: VIEWERS });
    await writeFile(join(folder, `${sockets}.yaml`), stringify(config));
    await until(() => edges.log.some((line) => line.includes('edge.connectionsMax')), 'the change');
    const [hung] = await workersOf(edges.pid);
    process.kill(hung!, 'SIGSTOP');
    try {
      const samples = await scrape(edges);
      expect(of(samples, 'barrage_worker_up').sort()).toEqual([0, 1]);
      expect(samples.get('barrage_edge_connections')).toBe(VIEWERS);
    } finally {
      process.kill(hung!, 'SIGCONT');
    }
    await metricsSay(edges, (all) => of(all, 'barrage_worker_up').every((up) => up === 1));
  });

  it('E-PROC-4 nobody hangs on the way to a worker that is killed', async () => {
    const [hung] = await workersOf(edges.pid);
    process.kill(hung!, 'SIGSTOP');
    let ended = 0;
    const asked = Array.from({ length: 40 }, () =>
      answeredOrCut(Number(edges.ready['viewerPort'])).then(() => ended++),
    );
    await until(() => ended > 0, 'the other worker answers');
    expect(ended).toBeLessThan(asked.length);
    process.kill(hung!, 'SIGKILL');
    await until(() => ended === asked.length, 'all are answered or cut');
    await metricsSay(edges, (all) => of(all, 'barrage_worker_up').every((up) => up === 1));
  });

  it('E-PROC-2 a port that is taken is refused, by one or many processes', async () => {
    const port = Number(edges.ready['viewerPort']);
    for (const processes of [1, 2]) {
      const again = startEdges(`again-${processes}`, { port, processes, sockets });
      await expect(again).rejects.toThrow(new RegExp(`127\\.0\\.0\\.1:${port}: the port is taken`));
    }
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const taken = (other.address() as AddressInfo).port;
    const refused = startEdges('other', { port: taken, sockets });
    await expect(refused).rejects.toThrow(/the port is taken/);
    other.close();
  });

  it('E-PROC-6 SIGTERM drains all workers within the window and leaves no process', async () => {
    const pids = await workersOf(edges.pid);
    const code = await edges.stop(8000);
    expect(code).toBe(0);
    await until(
      () => viewers.every(({ states }) => states.at(-1)?.name !== 'live'),
      'all sent away',
    );
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
    expect(edges.log.filter((line) => line.includes('"stopped"'))).toHaveLength(3);
  });
});

it('E-PROC-2 several processes need the bus nats; workers go when their supervisor is killed', async () => {
  const alone = startBarrage('edge', join(folder, 'memory.yaml'), {
    edge: { processes: 2 },
    tokens: { keys: [TOKEN_KEY] },
  });
  await expect(alone).rejects.toThrow(/edge\.processes.*needs bus nats/);
  const edges = await startEdges('orphans');
  const pids = await workersOf(edges.pid);
  await edges.kill();
  const isGone = (pid: number) => {
    try {
      return !process.kill(pid, 0);
    } catch {
      return true;
    }
  };
  await until(() => pids.every(isGone), 'the workers gone');
});
