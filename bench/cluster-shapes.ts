/**
 * Owns the shapes of the service the cluster bench compares: all in one process, or NATS, Redis, a
 * room service and edges as processes of their own. All of them on the server core. Knows no load.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokens } from '../src/tokens.js';
import { clock, freePort, until } from './kit.js';
import type { Usage } from './machine.js';
import { Program } from './peers/program.js';
import { findProgram } from './programs.js';
import { nodeArguments, startService } from './service.js';
import { Studio } from './studio.js';

export const SHAPES = ['embedded', 'cluster 1 edge', 'cluster 2 edges'] as const;
export type Shape = (typeof SHAPES)[number];
export const PARTS = ['room', 'edge', 'nats', 'redis'] as const;
export type Part = (typeof PARTS)[number];

export interface RunningShape {
  /** Where viewers connect, in turn. */
  readonly edgePorts: readonly number[];
  readonly studio: Studio;
  token(user: string, room: string): string;
  /** What all processes of a part used so far; only `all` in one process. */
  usage(part: Part | 'all'): Usage | undefined;
  /** What each process used so far, always in the same order. */
  processes(): readonly NamedUsage[];
  /** Notes that came into NATS and went out of it so far. */
  notes(): Promise<number>;
  stop(): Promise<void>;
}

export interface NamedUsage {
  /** Its part, numbered where the part has several. */
  readonly name: string;
  readonly usage: Usage;
}

const READY_MS = 15_000;

/** What the shapes beside the embedded one cannot do without; undefined when all is there. */
export function missingPrograms(): string | undefined {
  const missing = ['nats-server', 'redis-server'].filter(
    (name) => findProgram([name]) === undefined,
  );
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not found`;
}

export function startShape(shape: Shape): Promise<RunningShape> {
  return shape === 'embedded'
    ? startEmbedded()
    : startCluster({ edges: shape === 'cluster 1 edge' ? 1 : 2 });
}

async function startEmbedded(): Promise<RunningShape> {
  const server = await startService();
  return {
    edgePorts: [server.edgePort],
    studio: server.studio,
    token: (user, room) => server.token(user, room),
    usage: (part) => (part === 'all' ? server.usage() : undefined),
    processes: () => [{ name: 'all', usage: server.usage() }],
    notes: () => Promise.resolve(0),
    stop: () => server.stop(),
  };
}

interface Secrets {
  readonly apiKey: string;
  readonly tokenKey: { readonly kid: string; readonly secret: string };
}

/** What of the cluster may differ. */
interface ClusterOptions {
  /** Edges, each on a port of its own. */
  readonly edges: number;
  /** Processes of each edge; 1 where nothing is said. */
  readonly processes?: number;
}

/** NATS, Redis, a room service and edges. Rejects when one of them does not start. */
export async function startCluster(options: ClusterOptions): Promise<RunningShape> {
  const { edges, processes = 1 } = options;
  const secret = (): string => randomBytes(32).toString('base64url');
  const secrets: Secrets = { apiKey: secret(), tokenKey: { kid: 'bench', secret: secret() } };
  const programs = new Map<Program, Part>();
  const add = async (part: Part, program: Program, port: number): Promise<void> => {
    programs.set(program, part);
    await program.ready([port]);
  };
  const of = (part: Part | 'all'): Program[] =>
    [...programs].filter(([, one]) => part === 'all' || one === part).map(([program]) => program);
  const stop = async (): Promise<void> => {
    for (const program of [...programs.keys()].reverse()) await program.stop();
  };
  try {
    const ports = { nats: await freePort(), monitor: await freePort(), redis: await freePort() };
    await add('nats', natsProgram(ports.nats, ports.monitor), ports.nats);
    await add('redis', redisProgram(ports.redis), ports.redis);
    const common = commonConfig(ports, secrets);
    const studioPort = await freePort();
    await add('room', barrageProgram('room', common(0, studioPort)), studioPort);
    await untilReady(studioPort);
    const edgePorts: number[] = [];
    for (let i = 0; i < edges; i++) {
      const [port, operations] = [await freePort(), await freePort()];
      await add('edge', barrageProgram('edge', common(port, operations, processes)), port);
      await untilReady(operations);
      edgePorts.push(port);
    }
    const studio = new Studio(studioPort, secrets.apiKey);
    const tokens = new Tokens([secrets.tokenKey], 'barrage');
    return {
      ...{ edgePorts, studio },
      token: (user, room) =>
        tokens.issue({ user, rooms: [room], role: 'member', ttlMs: 3_600_000 }, clock.now()),
      usage: (part) => sumOf(of(part).map((program) => program.usage())),
      processes: () => [...programs].flatMap(([program, part]) => named(part, program.each())),
      notes: () => notesOf(ports.monitor),
      stop: async () => {
        studio.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function natsProgram(port: number, monitorPort: number): Program {
  const program = findProgram(['nats-server'])!;
  return new Program(() => [
    ...[program, '-a', '127.0.0.1', '-p', String(port), '-m', String(monitorPort)],
  ]);
}

/** As durable as the embedded store: each commit is on the disk before it is acknowledged. */
function redisProgram(port: number): Program {
  const program = findProgram(['redis-server'])!;
  const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  return new Program((folder) => [
    ...[program, '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...durable],
  ]);
}

function barrageProgram(role: 'room' | 'edge', config: object): Program {
  return new Program((folder) => {
    const file = join(folder, 'barrage.yaml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ ...config, data: { folder: join(folder, 'data') } }));
    return [process.execPath, ...nodeArguments('barrage.js', role, '--config', file)];
  });
}

/** Nothing but the load may bound a measurement: quotas and logging are out of the way. */
function commonConfig(ports: { readonly nats: number; readonly redis: number }, of: Secrets) {
  return (edgePort: number, studioPort: number, processes = 1): object => ({
    bus: 'nats',
    nats: { servers: [`nats://127.0.0.1:${ports.nats}`] },
    store: 'redis',
    redis: { addresses: [`127.0.0.1:${ports.redis}`] },
    edge: { host: '127.0.0.1', port: edgePort, connectionsPerAddress: 20_000, processes },
    studio: {
      ...{ host: '127.0.0.1', port: studioPort, requestsPerSecond: 1_000_000 },
      keys: [{ id: 'bench', secret: of.apiKey }],
    },
    tokens: { keys: [of.tokenKey] },
    drain: { window: '0s' },
    log: { level: 'warn' },
  });
}

async function untilReady(port: number): Promise<void> {
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200;
  await until(isReady, `/readyz of port ${port}`, READY_MS);
}

async function notesOf(monitorPort: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/varz`);
  const { in_msgs: came, out_msgs: went } = (await answer.json()) as Record<string, number>;
  return (came ?? 0) + (went ?? 0);
}

/** Of an edge of several processes the first one looks after the others and carries no viewer. */
function named(part: Part, usages: readonly Usage[]): NamedUsage[] {
  if (part !== 'edge' || usages.length === 1) return [{ name: part, usage: sumOf(usages) }];
  return usages.map((usage, i) => ({ name: i === 0 ? 'supervisor' : `edge${i}`, usage }));
}

function sumOf(usages: readonly Usage[]): Usage {
  return {
    cpuSeconds: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    rssBytes: usages.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
  };
}
