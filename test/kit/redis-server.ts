/**
 * Owns Redis servers for tests: one, with a replica, under sentinels, as a cluster; each a real
 * process on a free port in a folder of its own, to be killed, frozen and started again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { findOrInstall } from './tools.js';

export interface RedisServer {
  readonly port: number;
  /** `host:port`. */
  readonly address: string;
  /** Where it keeps its files. */
  readonly folder: string;
  readonly pid: () => number;
  /** The newest lines of its log. */
  readonly log: () => string;
  /** One command, over a connection of its own. */
  ask(...words: readonly (string | number)[]): Promise<unknown>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its connections and says nothing. */
  freeze(): void;
  resume(): void;
  /** Starts it again on the same port and folder, after a kill. */
  restart(): Promise<void>;
  /** Kills it and removes its folder. */
  stop(): Promise<void>;
}

const UP_MS = 15_000;
const LOOK_EVERY_MS = 15;
const HOST = '127.0.0.1';
/** Nothing outlives the test's process, whatever happens to it. */
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Options as on the command line (`'--appendfsync', 'always'`); nothing is written to disk by default. */
export async function startRedis(
  args: readonly string[] = [],
  config?: string,
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'barrage-redis-'));
  const program = await findOrInstall('redis-server');
  const port = await freePort();
  const own = ['--port', String(port), '--bind', HOST, '--dir', folder, '--daemonize', 'no'];
  // A replica need not wait five seconds for others to come.
  own.push('--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1');
  const argv = [...(config === undefined ? ['--save', ''] : [config]), ...own, ...args];
  const server = new Process(program, argv, port, folder);
  await server.restart();
  return server;
}

export function startDurableRedis(args: readonly string[] = []): Promise<RedisServer> {
  return startRedis(['--appendonly', 'yes', '--appendfsync', 'always', ...args]);
}

/** Resolves when it has all of its master. */
export async function startReplica(
  master: RedisServer,
  args: readonly string[] = [],
): Promise<RedisServer> {
  const replica = await startRedis(args);
  await replica.ask('REPLICAOF', HOST, master.port);
  // It counts for WAIT from the first offset it has confirmed.
  const online = new RegExp(`port=${replica.port},state=online,offset=[1-9]`);
  await until(async () => online.test(String(await master.ask('INFO', 'replication'))));
  return replica;
}

/**
 * Sentinels that know the replicas and each other. Each next one notices a loss later, and one alone
 * may call the election: where all call it at once a draw costs seconds, which proves nothing here.
 */
export async function startSentinels(
  master: RedisServer,
  name: string,
  count = 3,
): Promise<RedisServer[]> {
  const program = await findOrInstall('redis-server');
  const sentinels = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const folder = mkdtempSync(join(tmpdir(), 'barrage-sentinel-'));
      const port = await freePort();
      const lines = [
        `port ${port}`,
        `bind ${HOST}`,
        `dir ${folder}`,
        `sentinel monitor ${name} ${HOST} ${master.port} 1`,
        `sentinel down-after-milliseconds ${name} ${700 + 900 * index}`,
        `sentinel failover-timeout ${name} 1500`,
      ];
      const config = join(folder, 'sentinel.conf');
      writeFileSync(config, `${lines.join('\n')}\n`);
      const sentinel = new Process(program, [config, '--sentinel'], port, folder);
      await sentinel.restart();
      return sentinel;
    }),
  );
  await Promise.all(
    sentinels.map((sentinel) =>
      until(async () => {
        const flat = (await sentinel.ask('SENTINEL', 'MASTER', name)) as string[];
        const told = (field: string) => Number(flat[flat.indexOf(field) + 1]);
        if (told('num-slaves') < 1 || told('num-other-sentinels') !== count - 1) return false;
        const quorum = String(await sentinel.ask('SENTINEL', 'CKQUORUM', name));
        return quorum.startsWith(`OK ${count} usable`);
      }),
    ),
  );
  return sentinels;
}

/** Masters without replicas that share the slots evenly. */
export async function startRedisCluster(masters = 3): Promise<RedisServer[]> {
  const nodes = await Promise.all(Array.from({ length: masters }, () => startNode()));
  const [first] = nodes;
  for (const [index, { node, busPort }] of nodes.entries()) {
    const from = Math.floor((16_384 * index) / masters);
    const to = Math.floor((16_384 * (index + 1)) / masters) - 1;
    await node.ask('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await node.ask('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (index > 0) await first!.node.ask('CLUSTER', 'MEET', HOST, node.port, busPort);
  }
  const servers = nodes.map(({ node }) => node);
  await until(async () => {
    const infos = await Promise.all(servers.map((node) => node.ask('CLUSTER', 'INFO')));
    const wanted = [`cluster_state:ok`, `cluster_known_nodes:${masters}`, 'cluster_slots_ok:16384'];
    return infos.every((info) => wanted.every((line) => String(info).includes(line)));
  });
  return servers;
}

/** A replica of a cluster's node, found by the others. */
export async function startClusterReplica(master: RedisServer): Promise<RedisServer> {
  const id = String(await master.ask('CLUSTER', 'MYID'));
  const nodes = String(await master.ask('CLUSTER', 'NODES'));
  const busPort = /@(\d+)/.exec(nodes.split('\n').find((line) => line.startsWith(id)) ?? '')?.[1];
  const { node } = await startNode();
  await node.ask('CLUSTER', 'MEET', HOST, master.port, busPort ?? '');
  await until(async () => {
    if (!String(await node.ask('CLUSTER', 'NODES')).includes(id)) return false;
    return (await node.ask('CLUSTER', 'REPLICATE', id)) === 'OK';
  });
  return node;
}

async function startNode(): Promise<{ readonly node: RedisServer; readonly busPort: string }> {
  const busPort = String(await freePort());
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  return { node: await startRedis([...cluster, '--cluster-port', busPort]), busPort };
}

/** Resolves when it holds; what it throws meanwhile counts as not yet. */
export async function until(holds: () => Promise<boolean> | boolean, ms = UP_MS): Promise<void> {
  const end = performance.now() + ms;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`it did not come true within ${ms} ms${last === undefined ? '' : `: ${last}`}`);
}

function textOf(error: unknown): string {
  return String(error);
}

class Process implements RedisServer {
  readonly port: number;
  readonly #program: string;
  readonly #argv: readonly string[];
  readonly folder: string;
  #child: ChildProcess | undefined;
  #said = '';

  constructor(program: string, argv: readonly string[], port: number, folder: string) {
    this.#program = program;
    this.#argv = argv;
    this.port = port;
    this.folder = folder;
  }

  get address(): string {
    return `${HOST}:${this.port}`;
  }

  log(): string {
    return this.#said;
  }

  pid(): number {
    return this.#child?.pid ?? 0;
  }

  async ask(...words: readonly (string | number)[]): Promise<unknown> {
    const [command = 'PING', ...rest] = words;
    const redis = new Redis({
      ...{ host: HOST, port: this.port, lazyConnect: true, commandTimeout: 5000 },
      ...{ retryStrategy: () => null, enableReadyCheck: false, maxRetriesPerRequest: 0 },
    });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await redis.call(String(command), ...rest);
    } finally {
      redis.disconnect();
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    running.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#said = '';
    const child = spawn(this.#program, this.#argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.#said = (this.#said + bytes).slice(-4000)));
    }
    await until(async () => {
      if (child.exitCode !== null) return true;
      const pong = await this.ask('PING').catch(textOf);
      // One that wants a password is up too.
      return pong === 'PONG' || String(pong).includes('NOAUTH');
    });
    if (child.exitCode !== null) throw new Error(`redis-server ended: ${this.#said}`);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
