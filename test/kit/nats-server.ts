/**
 * Starts real NATS servers for tests, one or a cluster, each on its own free ports and in its own
 * temporary folder. A server can be killed, frozen, resumed and started again on the same ports.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.js';
import { findOrInstall } from './tools.js';

const READY_MS = 10_000;
const TRIES = 3;

export interface NatsOptions {
  /** Further lines of its configuration: `authorization { … }`, `tls { … }`. */
  readonly config?: string;
  readonly port?: number;
}

export interface NatsServer {
  readonly port: number;
  /** `nats://127.0.0.1:port` */
  readonly url: string;
  readonly pid: number;
  readonly log: readonly string[];
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops all its threads: connections stay open and nothing is answered. */
  freeze(): void;
  resume(): void;
  /** Takes up other lines of configuration while running. */
  reload(config: string): Promise<void>;
  /** A new process on the same ports; the old one must be gone. Other lines of configuration if given. */
  restart(config?: string): Promise<void>;
  /** Ends it, frozen or not, and removes its folder. */
  stop(): Promise<void>;
}

export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  readonly urls: readonly string[];
  /** The server with this `host:port`. */
  at(address: string | undefined): NatsServer;
  stop(): Promise<void>;
}

export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const port = options.port ?? (await freePort());
  return startOne(port, options.config ?? '', options.port === undefined ? TRIES : 1);
}

/** `count` servers that all know each other; resolves when all routes are there. */
export async function startNatsCluster(count: number): Promise<NatsCluster> {
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const routePorts = await Promise.all(Array.from({ length: count }, () => freePort()));
  const routes = routePorts.map((port) => `nats://127.0.0.1:${port}`).join(', ');
  const configOf = (i: number) =>
    `cluster { name: kit, listen: "127.0.0.1:${routePorts[i]}", routes: [${routes}] }`;
  const servers = await Promise.all(ports.map((port, i) => startOne(port, configOf(i), 1)));
  await Promise.all(servers.map((server) => routesMade(server, count - 1)));
  return {
    servers,
    urls: servers.map(({ url }) => url),
    at: (address) => {
      const found = servers.find(({ port }) => address === `127.0.0.1:${port}`);
      if (found === undefined) throw new Error(`no server of the cluster is at ${address}`);
      return found;
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startOne(port: number, config: string, tries: number): Promise<NatsServer> {
  const program = await findOrInstall('nats-server');
  const folder = await mkdtemp(join(tmpdir(), 'barrage-nats-'));
  const file = join(folder, 'nats.conf');
  const log: string[] = [];
  const own = `listen: "127.0.0.1:${port}"\nmax_payload: 8MB\nserver_name: kit-${port}\n`;
  const launch = async (more: string): Promise<ChildProcess> => {
    await writeFile(file, `${own}${more}\n`);
    log.length = 0;
    return ready(spawn(program, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] }), log);
  };
  let child: ChildProcess;
  try {
    child = await launch(config);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    if (tries <= 1) throw error;
    return startOne(await freePort(), config, tries - 1);
  }
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid!;
    },
    log,
    kill: () => end(child, 'SIGKILL'),
    freeze: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    reload: async (more) => {
      await writeFile(file, `${own}${more}\n`);
      const before = log.length;
      child.kill('SIGHUP');
      await said(log, /Reloaded server configuration/, before);
    },
    restart: async (more = config) => {
      child = await launch(more);
    },
    stop: async () => {
      await end(child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ready(child: ChildProcess, log: string[]): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`nats-server ${why}\n${log.join('\n')}`));
    };
    const timer = setTimeout(() => fail('was not ready in time'), READY_MS);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`ended with ${code}`));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      log.push(line);
      if (!line.includes('Server is ready')) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(child);
    });
  });
}

async function routesMade(server: NatsServer, count: number): Promise<void> {
  await said(server.log, /Route connection created/, 0, count);
}

/** Resolves when `count` lines from `from` on match. */
async function said(log: readonly string[], line: RegExp, from: number, count = 1): Promise<void> {
  const until = performance.now() + READY_MS;
  while (log.slice(from).filter((each) => line.test(each)).length < count) {
    if (performance.now() > until) throw new Error(`never said ${line}:\n${log.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
