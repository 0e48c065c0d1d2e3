/**
 * Owns many edge processes over one NATS bus with one room, and the viewers they are filled with: so
 * many of each as one machine holds. Knows no figure.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '../src/tokens.js';
import { clock, freePort, until } from './kit.js';
import { pinned, SERVER_CORE, usageOf, type Usage } from './machine.js';
import { nodeArguments } from './service.js';
import { Studio } from './studio.js';
import { ViewerLoad, type Builder } from './viewer-load.js';

export const ROOM = 'room';
const SERVERS = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'];
const JOIN_MS_MAX = 120_000;
/** A million take a quarter of an hour to join. */
const SECONDS_MAX = 3600;
const START_MS_MAX = 30_000;
/** Connections of one source address at most: from half of its ports on, finding a free one is slow. */
const ADDRESS_VIEWERS = 12_000;

export interface CrowdEdge {
  readonly pid: number;
  readonly port: number;
}

export class EdgeCrowd {
  readonly edges: CrowdEdge[] = [];
  readonly loads: ViewerLoad[] = [];
  readonly #builder: Builder;
  readonly #addresses: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'barrage-idle-'));
  readonly #children: ChildProcess[] = [];
  readonly #tokens: Tokens;
  readonly #file: string;
  readonly studio: Studio;
  #users = 0;

  private constructor(builder: Builder, viewers: number, ports: { nats: number; studio: number }) {
    const secret = randomBytes(32).toString('base64url');
    const apiKey = randomBytes(32).toString('base64url');
    this.#builder = builder;
    this.#addresses = Math.max(8, Math.ceil(viewers / ADDRESS_VIEWERS));
    this.#tokens = new Tokens([{ kid: 'bench', secret }], 'barrage');
    this.studio = new Studio(ports.studio, apiKey);
    this.#file = join(this.#folder, 'barrage.yaml');
    writeFileSync(this.#file, configText({ natsPort: ports.nats, apiKey, secret }));
  }

  /** Bus and room service, for `viewers` at most; rejects where nats-server is missing. */
  static async start(builder: Builder, viewers: number): Promise<EdgeCrowd> {
    const program = SERVERS.find((path) => existsSync(path));
    if (program === undefined) throw new Error('nats-server is missing');
    const ports = { nats: await freePort(), studio: await freePort() };
    const crowd = new EdgeCrowd(builder, viewers, ports);
    try {
      crowd.#spawn(program, ['-a', '127.0.0.1', '-p', String(ports.nats)], {});
      crowd.#barrage('room', { BARRAGE_STUDIO_PORT: String(ports.studio) });
      await ready(crowd.studio);
      await crowd.studio.must('POST', '/v1/rooms', { room: ROOM });
    } catch (error) {
      await crowd.stop();
      throw error;
    }
    return crowd;
  }

  /** One more edge process. */
  async addEdge(): Promise<CrowdEdge> {
    const [port, operations] = [await freePort(), await freePort()];
    const pid = this.#barrage('edge', {
      BARRAGE_EDGE_PORT: String(port),
      BARRAGE_STUDIO_PORT: String(operations),
    });
    await ready(new Studio(operations, ''));
    const edge = { pid, port };
    this.edges.push(edge);
    return edge;
  }

  /** Joins more viewers at an edge, each a user of its own. */
  async join({ port }: CrowdEdge, viewers: number): Promise<void> {
    const first = this.#users;
    this.#users += viewers;
    const tokens = Array.from({ length: viewers }, (_, i) => this.#token(`u${first + i}`));
    const load = new ViewerLoad(this.#builder, {
      ...{ port, room: ROOM, path: `/v1/ws?room=${ROOM}`, viewers, tokens },
      // As many on their way as an edge answers within the time a handshake may take.
      ...{ rate: 20_000, pending: 512, addresses: this.#addresses, secondsMax: SECONDS_MAX },
    });
    this.loads.push(load);
    await load.ready(JOIN_MS_MAX);
  }

  usage(): Usage[] {
    return this.edges.map(({ pid }) => usageOf(pid));
  }

  async stop(): Promise<void> {
    this.studio.close();
    await Promise.all(this.loads.map((load) => load.stop()));
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #token(user: string): string {
    const request = { user, rooms: [ROOM], role: 'member', ttlMs: 3_600_000 } as const;
    return this.#tokens.issue(request, clock.now());
  }

  #barrage(role: string, env: NodeJS.ProcessEnv): number {
    const args = nodeArguments('barrage.js', role, '--config', this.#file);
    return this.#spawn(process.execPath, args, env);
  }

  #spawn(program: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
    const log = openSync(join(this.#folder, `${this.#children.length}.log`), 'w');
    const [file, ...rest] = pinned(SERVER_CORE, program, args) as [string, ...string[]];
    const child = spawn(file, rest, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    this.#children.push(child);
    return child.pid ?? 0;
  }
}

function ready(studio: Studio): Promise<void> {
  const isReady = async () =>
    (await studio.call('GET', '/readyz').catch(() => undefined))?.status === 200;
  return until(isReady, 'a process to be ready', START_MS_MAX);
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
