/**
 * Owns the question of idle viewers: how many of them edge processes on this machine hold over a NATS
 * bus, the memory of each, their heartbeats' cost, and the time a publication takes to the last one.
 * It ends by itself when memory gets short. Run: node dist/bench/idle.js --viewers 100000
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokens } from '../src/tokens.js';
import { clock, freePort, nowUs, say, sleep, until } from './kit.js';
import { usageOf } from './machine.js';
import { projectFolder } from './service.js';
import { Studio } from './studio.js';
import { buildViewers, ViewerLoad } from './viewer-load.js';

const ROOM = 'room';
/** Under the 20,000 descriptors a process may have here. */
const EDGE_VIEWERS = 18_000;
/** Joined before an edge's memory counts as its fixed cost. */
const WARM_VIEWERS = 200;
const FREE_BYTES_MIN = 3 * 2 ** 30;
const IDLE_SECONDS = 25;
const JOIN_MS_MAX = 120_000;
const SERVERS = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'];

/** Figures of one run; units are in the names. */
export interface IdleFigures {
  readonly viewers: number;
  readonly edges: number;
  readonly endedBy: 'all joined' | 'memory' | 'time';
  readonly joinsPerSecond: number;
  /** Resident memory of the edges beyond what they had with their first viewers. */
  readonly residentBytesPerViewer: number;
  readonly residentMegabytesPerEdge: number;
  /** Kernel and both ends included. */
  readonly machineBytesPerViewer: number;
  /** Heartbeats and whatever else an idle edge does, of one core. */
  readonly idleCorePercentPer100k: number;
  readonly lastDeliveryMs: number;
  readonly medianDeliveryMs: number;
  readonly delivered: number;
  readonly closed: number;
}

interface World {
  readonly folder: string;
  readonly children: ChildProcess[];
  readonly loads: ViewerLoad[];
  readonly edges: { readonly pid: number; readonly port: number; baseBytes: number }[];
  readonly token: (user: string) => string;
}

/** Joins up to `viewers`, looks at them idle, publishes once; `secondsMax` bounds the joining. */
export async function runIdle(viewers: number, secondsMax: number): Promise<IdleFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'barrage-idle-'));
  const key = { kid: 'bench', secret: randomBytes(32).toString('base64url') };
  const tokens = new Tokens([key], 'barrage');
  const token = (user: string) =>
    tokens.issue({ user, rooms: [ROOM], role: 'member', ttlMs: 3_600_000 }, clock.now());
  const world: World = { folder, children: [], loads: [], edges: [], token };
  const apiKey = randomBytes(32).toString('base64url');
  try {
    const natsPort = await startNats(world);
    const file = join(folder, 'barrage.yaml');
    writeFileSync(file, configText({ natsPort, apiKey, secret: key.secret }));
    const studio = new Studio(await freePort(), apiKey);
    startBarrage(world, 'room', file, { BARRAGE_STUDIO_PORT: String(studio.port) });
    await ready(studio);
    await studio.must('POST', '/v1/rooms', { room: ROOM });
    return await fill(world, { viewers, secondsMax, file, studio });
  } finally {
    await Promise.all(world.loads.map((load) => load.stop()));
    for (const child of world.children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Task {
  readonly viewers: number;
  readonly secondsMax: number;
  readonly file: string;
  readonly studio: Studio;
}

async function fill(world: World, { viewers, secondsMax, file, studio }: Task) {
  const began = clock.now();
  const freeBefore = freeBytes();
  let joined = 0;
  let joinMs = 0;
  let endedBy: IdleFigures['endedBy'] = 'all joined';
  while (joined < viewers) {
    if (freeBytes() < FREE_BYTES_MIN) endedBy = 'memory';
    else if (clock.now() - began > secondsMax * 1000) endedBy = 'time';
    if (endedBy !== 'all joined') break;
    const count = Math.min(EDGE_VIEWERS, viewers - joined);
    const edge = await startEdge(world, file);
    await joinViewers(world, edge.port, Math.min(WARM_VIEWERS, count));
    edge.baseBytes = usageOf(edge.pid).rssBytes;
    const started = clock.now();
    if (count > WARM_VIEWERS) await joinViewers(world, edge.port, count - WARM_VIEWERS);
    joinMs += clock.now() - started;
    joined += count;
    say(
      `${joined} viewers on ${world.edges.length} edges, ${Math.round(freeBytes() / 2 ** 20)} MiB free`,
    );
  }
  const warm = Math.min(joined, WARM_VIEWERS * world.edges.length);
  const resident = world.edges.map(({ pid, baseBytes }) => usageOf(pid).rssBytes - baseBytes);
  const fixed = world.edges.reduce((sum, { baseBytes }) => sum + baseBytes, 0);
  const freeAfter = freeBytes();
  const idle = await idleShare(world);
  const told = await publish(world, studio, joined);
  return {
    viewers: joined,
    edges: world.edges.length,
    endedBy,
    joinsPerSecond: Math.round((joined - warm) / (joinMs / 1000)),
    residentBytesPerViewer: Math.round(sum(resident) / (joined - warm)),
    residentMegabytesPerEdge: Math.round(fixed / world.edges.length / 1e6),
    machineBytesPerViewer: Math.round((freeBefore - freeAfter - fixed) / joined),
    idleCorePercentPer100k: Math.round(((idle * 100) / joined) * 1e5 * 100) / 100,
    ...told,
  };
}

/** Share of a core all edges take together while nothing is said. */
async function idleShare({ edges }: World): Promise<number> {
  await sleep(3000);
  const cpu = () => sum(edges.map(({ pid }) => usageOf(pid).cpuSeconds));
  const [before, began] = [cpu(), nowUs()];
  await sleep(IDLE_SECONDS * 1000);
  return (cpu() - before) / ((nowUs() - began) / 1e6);
}

async function publish({ loads }: World, studio: Studio, viewers: number) {
  await Promise.all(loads.map((load) => load.mark()));
  const said = { kind: 'notice', lane: 'control', text: 'hear', data: { bt: nowUs() } };
  await studio.must('POST', `/v1/rooms/${ROOM}/publications`, said);
  const all = () => Promise.all(loads.map((load) => load.report()));
  let reports = await all();
  const end = clock.now() + 60_000;
  while (sum(reports.map((each) => each.deliveries)) < viewers && clock.now() < end) {
    await sleep(250);
    reports = await all();
  }
  const totals = await Promise.all(loads.map((load) => load.total()));
  const medians = reports.map((each) => each.latencyMs.p50).sort((a, b) => a - b);
  return {
    lastDeliveryMs: Math.max(...reports.map((each) => each.latencyMs.max)),
    medianDeliveryMs: medians[medians.length >> 1] ?? NaN,
    delivered: sum(reports.map((each) => each.deliveries)),
    closed: sum(totals.map((each) => each.closed)),
  };
}

/** Joins more viewers at an edge, each a user of its own. */
async function joinViewers(world: World, port: number, viewers: number): Promise<void> {
  const first = world.loads.length * EDGE_VIEWERS;
  const load = new ViewerLoad(buildViewers(), {
    ...{ port, room: ROOM, path: `/v1/ws?room=${ROOM}`, viewers, rate: 20_000, isPinned: false },
    tokens: Array.from({ length: viewers }, (_, i) => world.token(`u${first + i}`)),
  });
  world.loads.push(load);
  await load.ready(JOIN_MS_MAX);
}

async function startEdge(world: World, file: string) {
  const [port, operations] = [await freePort(), await freePort()];
  const pid = startBarrage(world, 'edge', file, {
    BARRAGE_EDGE_PORT: String(port),
    BARRAGE_STUDIO_PORT: String(operations),
  });
  await ready(new Studio(operations, ''));
  const edge = { pid, port, baseBytes: 0 };
  world.edges.push(edge);
  return edge;
}

function startBarrage(world: World, role: string, file: string, env: NodeJS.ProcessEnv): number {
  const program = join(projectFolder, 'dist', 'barrage.js');
  return start(world, process.execPath, [program, role, '--config', file], env);
}

async function startNats(world: World): Promise<number> {
  const program = SERVERS.find((path) => existsSync(path));
  if (program === undefined) throw new Error('nats-server is missing');
  const port = await freePort();
  start(world, program, ['-a', '127.0.0.1', '-p', String(port)], {});
  return port;
}

function start(world: World, file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const log = openSync(join(world.folder, `${world.children.length}.log`), 'w');
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  world.children.push(child);
  return child.pid ?? 0;
}

function ready(studio: Studio): Promise<void> {
  const isReady = async () =>
    (await studio.call('GET', '/readyz').catch(() => undefined))?.status === 200;
  return until(isReady, 'a process to be ready', 30_000);
}

function configText(of: { natsPort: number; apiKey: string; secret: string }): string {
  return [
    'bus: nats',
    `nats: { servers: ["127.0.0.1:${of.natsPort}"] }`,
    'store: memory',
    'edge: { host: 127.0.0.1, connectionsPerAddress: 20000, connectionsMax: 19000 }',
    `studio: { keys: [{ id: bench, secret: "${of.apiKey}" }] }`,
    `tokens: { keys: [{ kid: bench, secret: "${of.secret}" }] }`,
    'log: { level: warn }',
    '',
  ].join('\n');
}

function freeBytes(): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, each) => all + each, 0);
}

const { values } = parseArgs({
  options: { viewers: { type: 'string' }, seconds: { type: 'string' } },
});
const figures = await runIdle(Number(values.viewers ?? 100_000), Number(values.seconds ?? 240));
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
