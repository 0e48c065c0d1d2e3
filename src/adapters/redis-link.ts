/**
 * Owns the connection: one server, one found through sentinels, or a cluster; connecting for ever,
 * leaving a node that went silent. The only importer of ioredis. Knows no keys and no rules.
 */
import { readFileSync } from 'node:fs';
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { BarrageError } from '../errors.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { systemRandom } from '../random.js';
import type { RedisStoreOptions } from '../redis-settings.js';
import type { Script } from './redis-scripts.js';

export interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** A reply, or what it was refused with. */
export type Outcome = { readonly reply: unknown } | { readonly error: unknown };

export interface LinkTools {
  readonly clock: Clock;
  readonly log: Log;
  /** The connection came back after it was lost. */
  readonly reconnected: () => void;
}

const BACKOFF_MS = { first: 50, most: 300 } as const;
/** A cluster tells where its slots are this often; a lost node is noticed by this. */
const SLOTS_EVERY_MS = 1000;
/** A closed connection is given this long to say goodbye. */
const GOODBYE_MS = 50;
/** Replicas that are there answer at once. */
const LOOK_MS = 20;
const LIBRARY_WORDS = /enableOfflineQueue|Connection is closed|Failed to refresh slots cache/;

export class RedisLink {
  readonly #redis: Redis | Cluster;
  readonly #options: RedisStoreOptions;
  readonly #tools: LinkTools;
  #wasReady = false;
  #isDown = true;
  #lastError = '';
  #probing = false;
  #closed = false;

  constructor(options: RedisStoreOptions, tools: LinkTools) {
    this.#options = options;
    this.#tools = tools;
    this.#redis = connect(options);
    this.#redis.on('ready', () => this.#up());
    this.#redis.on('close', () => this.#down());
    this.#redis.on('end', () => this.#again());
    this.#redis.on('error', (error: Error) => this.#failed(error));
    this.#redis.on('node error', (error: Error) => this.#failed(error));
  }

  /** Commands would be sent now. */
  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Resolves when connected; rejects with `store_failed` when that takes too long. */
  ready(): Promise<void> {
    const { connectTimeoutMs, addresses } = this.#options;
    if (this.isReady) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = this.#tools.clock.after(connectTimeoutMs, () => {
        const why =
          this.#lastError === '' ? 'no answer, or none that Redis gives' : this.#lastError;
        const sentence = `Redis at ${addresses.join(', ')} cannot be used: ${why}`;
        reject(new BarrageError('store_failed', sentence, { field: 'redis.addresses' }));
      });
      this.#redis.once('ready', () => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Runs it; `whole` sends the text and not its digest. Rejects with what Redis or the library says. */
  run({ script, keys, args }: Call, whole = false): Promise<unknown> {
    return whole
      ? this.#redis.eval(script.text, keys.length, ...keys, ...args)
      : this.#redis.evalsha(script.sha, keys.length, ...keys, ...args);
  }

  /**
   * Runs them in order on one connection and then waits there for replicas: WAIT tells of what was
   * written on its own connection only. Answers how many replicas have all of it. `told` holds the
   * digests Redis knows: of another script the text goes once ahead of it.
   *
   * Replicas count that were there before the writes, too: a Redis that was just started and has none
   * does not count what it writes (7.0: `master_repl_offset` stays 0), and WAIT then takes the next
   * one that comes for one that has it.
   */
  async runAndWait(
    calls: readonly Call[],
    told: ReadonlySet<string>,
  ): Promise<{ readonly outcomes: Outcome[]; readonly replicas: number }> {
    const { waitReplicas, waitMs } = this.#options;
    const pipeline = this.#redis.pipeline();
    pipeline.wait(waitReplicas, LOOK_MS);
    const known = new Set(told);
    for (const { script, keys, args } of calls) {
      if (known.has(script.sha)) {
        pipeline.evalsha(script.sha, keys.length, ...keys, ...args);
      } else {
        pipeline.eval(script.text, keys.length, ...keys, ...args);
        known.add(script.sha);
      }
    }
    pipeline.wait(waitReplicas, waitMs);
    const results = (await pipeline.exec()) ?? [];
    const outcomes = results
      .slice(1, -1)
      .map(([refusal, reply]): Outcome => (refusal === null ? { reply } : { error: refusal }));
    return { outcomes, replicas: Math.min(countOf(results[0]), countOf(results.at(-1))) };
  }

  /** Asks every node for a sign of life and leaves those that give none. */
  async probe(): Promise<void> {
    if (this.#probing || this.#closed || !this.isReady) return;
    this.#probing = true;
    const redis = this.#redis;
    const nodes = redis instanceof Cluster ? redis.nodes('all') : [redis];
    await Promise.all(nodes.map((node) => this.#probeNode(node, redis instanceof Cluster)));
    this.#probing = false;
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  async #probeNode(node: Redis, isOfCluster: boolean): Promise<void> {
    if (node.status !== 'ready') return;
    const wait = this.#options.commandTimeoutMs / 2;
    const silent = new Promise<boolean>((resolve) => {
      const timer = this.#tools.clock.after(wait, () => resolve(true));
      const alive = (): void => {
        timer.cancel();
        resolve(false);
      };
      node.ping().then(alive, alive);
    });
    if (!(await silent) || this.#closed) return;
    const { host, port } = node.options;
    this.#tools.log.warn('Redis went silent, connecting anew', { node: `${host}:${port}` });
    // A cluster forgets the node and finds the slot's owner; otherwise the same way again.
    node.disconnect(!isOfCluster);
  }

  /**
   * The library gives up for good when sentinels tell of a failover just while it connects (ioredis
   * 5.11: `FailoverDetector` ends the connector, which then rejects). Who owns rooms never gives up.
   */
  #again(): void {
    if (this.#closed) return;
    this.#tools.clock.after(BACKOFF_MS.first, () => {
      if (!this.#closed && this.#redis.status === 'end')
        this.#redis.connect().catch(() => undefined);
    });
  }

  /** The library's own words are about its insides; the sentence before them says more. */
  #failed({ message }: Error): void {
    if (!LIBRARY_WORDS.test(message)) this.#lastError = message;
  }

  #up(): void {
    this.#isDown = false;
    if (this.#wasReady) {
      this.#tools.reconnected();
      this.#tools.log.info('Redis is back');
    }
    this.#wasReady = true;
  }

  #down(): void {
    if (this.#isDown || this.#closed) return;
    this.#isDown = true;
    this.#tools.log.warn('the connection to Redis is lost', { error: this.#lastError });
  }
}

function connect(options: RedisStoreOptions): Redis | Cluster {
  const shared = commonOptions(options);
  const nodes = options.addresses.map(splitAddress);
  if (options.mode === 'cluster') return new Cluster(nodes, clusterOptions(options, shared));
  const whole: RedisOptions = {
    ...shared,
    retryStrategy: backoff(),
    enableOfflineQueue: false,
    // Whether an unanswered command was done is not known: nobody may send it again but its caller.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  if (options.mode === 'single') return new Redis({ ...whole, ...nodes[0] });
  return new Redis({
    ...whole,
    sentinels: nodes,
    name: options.masterName,
    sentinelCommandTimeout: options.commandTimeoutMs,
    sentinelRetryStrategy: backoff(),
    sentinelReconnectStrategy: backoff(),
    failoverDetector: true,
    enableTLSForSentinelMode: options.tls,
    ...(options.tls && { sentinelTLS: tlsOf(options) }),
    ...(options.sentinelUser !== '' && { sentinelUsername: options.sentinelUser }),
    ...(options.sentinelPassword !== '' && { sentinelPassword: options.sentinelPassword }),
  });
}

function commonOptions(options: RedisStoreOptions): RedisOptions {
  return {
    connectionName: 'barrage',
    // Ours is earlier (redis-commands.ts); this one ends what a silent server leaves in the library.
    commandTimeout: options.commandTimeoutMs * 3,
    connectTimeout: Math.min(options.connectTimeoutMs, 2 * options.commandTimeoutMs),
    disconnectTimeout: GOODBYE_MS,
    keepAlive: 5000,
    ...(options.user !== '' && { username: options.user }),
    ...(options.password !== '' && { password: options.password }),
    ...(options.tls && { tls: tlsOf(options) }),
  } as RedisOptions;
}

function clusterOptions(options: RedisStoreOptions, redisOptions: RedisOptions): ClusterOptions {
  return {
    redisOptions,
    // Holds what comes in while a node is being connected; bounded by redis-commands.ts.
    enableOfflineQueue: true,
    clusterRetryStrategy: backoff(),
    slotsRefreshInterval: SLOTS_EVERY_MS,
    slotsRefreshTimeout: options.commandTimeoutMs,
    maxRedirections: 5,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Certificates are for names: those must reach the handshake.
    ...(options.tls && {
      dnsLookup: (name: string, done: (error: null, address: string) => void) => done(null, name),
    }),
  };
}

function tlsOf({ tlsAuthority }: RedisStoreOptions): { ca?: Buffer } {
  if (tlsAuthority === '') return {};
  try {
    return { ca: readFileSync(tlsAuthority) };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const sentence = `the file ${tlsAuthority} cannot be read (${why})`;
    throw new BarrageError('config', sentence, { field: 'redis.tlsAuthority' });
  }
}

/** Doubling from 50 to 300 ms, each between half and whole, so that processes do not come as one. */
function backoff(): (times: number) => number {
  const random = systemRandom();
  return (times) => {
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.min(times - 1, 10));
    return Math.ceil(most * (0.5 + random.next() / 2));
  };
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return {
    host: address.slice(0, at).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(at + 1)),
  };
}

/** What WAIT answered; 0 when it failed. */
function countOf([error, count]: readonly [unknown, unknown] = [undefined, 0]): number {
  return error === null && typeof count === 'number' ? count : 0;
}
