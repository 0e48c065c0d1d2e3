/**
 * Runs a whole cluster as an operator would: real nats-servers and redis-servers, room services and
 * edges as processes of the built program, each reaching NATS and Redis through a proxy of its own so
 * that it can be cut off. Everything on free ports and in one temporary folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens, type TokenRequest } from '../../src/tokens.js';
import { startBarrage, type BarrageProcess, type ConfigSections } from './barrage-process.js';
import { freePort } from './free-port.js';
import { startNats, startNatsCluster, type NatsServer } from './nats-server.js';
import {
  startRedis,
  startReplica,
  startSentinels,
  until,
  type RedisServer,
} from './redis-server.js';
import { API_KEY, callStudio, TOKEN_KEY, type StudioAnswer } from './service.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export type Role = 'room' | 'edge' | 'cdn-pusher';

export interface ClusterOptions {
  readonly rooms: number;
  readonly edges: number;
  readonly pushers?: number;
  /** With three, a process changes servers by itself and reaches them without a proxy. */
  readonly natsServers?: 1 | 3;
  /** Beside Redis, with sentinels; it is reached without a proxy then. None by default. */
  readonly replicas?: number;
  /** Rooms made at the start. */
  readonly create: readonly string[];
  /** Of the processes of a role. */
  readonly environment?: Partial<Record<Role, Readonly<Record<string, string>>>>;
  /** Merged over the kit's own configuration of every process, section by section. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** One process of the cluster, which may be gone at the moment. */
export interface Member {
  readonly name: string;
  readonly role: Role;
  /** Viewer port of an edge, studio port of a room service; the same after a restart. */
  readonly port: number;
  readonly process: BarrageProcess;
  /** Absent where there are several servers to choose from. */
  readonly natsProxy: TcpProxy | undefined;
  readonly redisProxy: TcpProxy | undefined;
  /** A new process in its place; the old one must be gone. */
  start(): Promise<void>;
}

export interface Cluster {
  readonly rooms: readonly Member[];
  readonly edges: readonly Member[];
  readonly pushers: readonly Member[];
  readonly nats: readonly NatsServer[];
  readonly redis: RedisServer;
  /** Resolves when there is a master, and as many replicas as it began with have what it has. */
  redisWhole(): Promise<void>;
  /** Where viewers may connect. */
  readonly edgeUrls: readonly string[];
  readonly apiKey: string;
  token(user: string, rooms: readonly string[], more?: Partial<TokenRequest>): string;
  studio(member: Member, method: string, path: string, body?: unknown, headers?: object): Answer;
  /** The newest lines of all logs, for the report of a failure. */
  logs(lines: number): string;
  stop(): Promise<void>;
}

type Answer = Promise<StudioAnswer>;

const MASTER = 'kit';
/** As in deploy/nats.conf: a process that is lost is not given requests for minutes. */
const PINGS = 'ping_interval: "2s"\nping_max: 2';
const APPEND = ['--appendonly', 'yes', '--appendfsync', 'everysec'];
/** Sentinel makes a master that came back a replica after 8 s at the earliest. */
const WHOLE_MS = 30_000;
/** Stacks are not worth their place in a report. */
const LINE_CHARACTERS_MAX = 240;

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-cluster-'));
  const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end().catch(() => undefined);
  };
  try {
    const servers = await startServers(options, ends);
    const make = (role: Role, count: number) =>
      Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const place = { name: `${role}-${i + 1}`, role, folder };
          const member = await makeMember(place, options, servers);
          ends.push(() => endMember(member));
          return member;
        }),
      );
    const rooms = await make('room', options.rooms);
    const edges = await make('edge', options.edges);
    const pushers = await make('cdn-pusher', options.pushers ?? 0);
    const members = [...rooms, ...edges, ...pushers];
    for (const member of members) await member.start();
    const tokens = new Tokens([TOKEN_KEY], 'barrage');
    return {
      ...{ rooms, edges, pushers, nats: servers.nats, redis: servers.redis },
      ...{ stop, apiKey: API_KEY },
      redisWhole: () => redisWhole(servers),
      edgeUrls: edges.map(({ port }) => `http://127.0.0.1:${port}`),
      token: (user, of, more = {}) =>
        tokens.issue({ user, rooms: of, ttlMs: 3_600_000, ...more }, Date.now()),
      studio: ({ port }, method, path, body, headers) =>
        callStudio(port, { method, path, body, headers }),
      logs: (lines) =>
        members.map(({ name, process: { log } }) => `== ${name}\n${newest(log, lines)}`).join('\n'),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Servers {
  readonly nats: readonly NatsServer[];
  readonly redis: RedisServer;
  readonly replicas: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
}

async function startServers(
  options: ClusterOptions,
  ends: (() => Promise<unknown>)[],
): Promise<Servers> {
  const nats =
    options.natsServers === 3
      ? (await startNatsCluster(3)).servers
      : [await startNats({ config: PINGS })];
  ends.push(() => Promise.all(nats.map((server) => server.stop())));
  // A process that is killed leaves what it wrote with the kernel: no flush at each write is needed.
  const redis = await startRedis(APPEND);
  ends.push(() => redis.stop());
  const replicas: RedisServer[] = [];
  const { replicas: count = 0 } = options;
  if (count === 0) return { nats, redis, replicas, sentinels: [] };
  for (let i = 0; i < count; i++) {
    const replica = await startReplica(redis, APPEND);
    ends.push(() => replica.stop());
    replicas.push(replica);
  }
  const sentinels = await startSentinels(redis, MASTER);
  ends.push(() => Promise.all(sentinels.map((sentinel) => sentinel.stop())));
  return { nats, redis, replicas, sentinels };
}

async function redisWhole({ redis, replicas, sentinels }: Servers): Promise<void> {
  const [sentinel] = sentinels;
  if (sentinel === undefined) return;
  await until(async () => {
    const flat = (await sentinel.ask('SENTINEL', 'MASTER', MASTER)) as string[];
    const told = (field: string) => flat[flat.indexOf(field) + 1];
    if (told('flags') !== 'master') return false;
    const master = [redis, ...replicas].find(({ port }) => String(port) === told('port'));
    const info = String(await master?.ask('INFO', 'replication'));
    const online = info.match(/state=online,offset=[1-9]/g)?.length ?? 0;
    return info.includes('role:master') && online === replicas.length;
  }, WHOLE_MS);
}

interface Place {
  readonly name: string;
  readonly role: Role;
  readonly folder: string;
}

async function makeMember(
  { name, role, folder }: Place,
  options: ClusterOptions,
  { nats, redis, sentinels }: Servers,
): Promise<Member> {
  const [onlyNats] = nats;
  const natsProxy = nats.length === 1 ? await startTcpProxy(onlyNats!.port) : undefined;
  const hasProxy = role === 'room' && sentinels.length === 0;
  const redisProxy = hasProxy ? await startTcpProxy(redis.port) : undefined;
  const port = await freePort();
  const operations = role === 'edge' ? await freePort() : port;
  const config = merge(
    {
      bus: 'nats',
      nats: { servers: natsProxy ? [natsProxy.address] : nats.map(({ url }) => url) },
      store: 'redis',
      redis:
        sentinels.length === 0
          ? { addresses: [(redisProxy ?? redis).address] }
          : {
              mode: 'sentinel',
              masterName: MASTER,
              addresses: sentinels.map(({ address }) => address),
              waitReplicas: 1,
            },
      edge: {
        host: '127.0.0.1',
        port: role === 'edge' ? port : 0,
        ...(role === 'edge' && { advertise: `http://127.0.0.1:${port}` }),
      },
      studio: { host: '127.0.0.1', port: operations, keys: [{ id: 'kit', secret: API_KEY }] },
      tokens: { keys: [TOKEN_KEY] },
      rooms: { create: options.create.map((room) => ({ room })) },
      data: { folder: join(folder, name) },
      drain: { window: '500ms' },
    },
    options.config ?? {},
  );
  let running: BarrageProcess | undefined;
  return {
    ...{ name, role, port, natsProxy, redisProxy },
    get process() {
      if (running === undefined) throw new Error(`${name} was never started`);
      return running;
    },
    start: async () => {
      const file = join(folder, `${name}.yaml`);
      running = await startBarrage(role, file, config, options.environment?.[role]);
    },
  };
}

function newest(log: readonly string[], lines: number): string {
  return log
    .slice(-lines)
    .map((line) => line.slice(0, LINE_CHARACTERS_MAX))
    .join('\n');
}

function merge(
  base: Record<string, unknown>,
  over: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): ConfigSections {
  const merged = { ...base };
  for (const [section, values] of Object.entries(over)) {
    merged[section] = { ...(merged[section] as object | undefined), ...values };
  }
  return merged;
}

async function endMember({ process, natsProxy, redisProxy }: Member): Promise<void> {
  await process.kill().catch(() => undefined);
  await natsProxy?.stop();
  await redisProxy?.stop();
}
