/**
 * Owns being connected: finds a server, notices when it is gone or frozen, finds another, for ever.
 * Knows nothing of what is carried.
 */
import { BarrageError, asBarrageError } from '../errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Random } from '../random.js';
import { dialNats, type NatsWire } from './nats-bus-wire.js';
import type { NatsMeters } from './nats-meters.js';
import type { Pending } from './nats-pending.js';
import { addressesOf, firstToGreet, nameOf } from './nats-probe.js';
import { parseNatsServer, type NatsBusOptions, type NatsTarget } from '../nats-settings.js';

const BEAT_MS = 250;
/** A beat this late says that this process was held up, not the server. */
const LATE_BEAT_MS = 2 * BEAT_MS;
/** Something arrives but no PONG: what we send does not get through. In units of `staleMs`. */
const DEAF_FACTOR = 4;
const SETTLED_MS = 1000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1000;
/** What is wrong with the configuration is tried less often. */
const RETRY_CONFIG_MS = 2000;

export interface LinkParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly meters: NatsMeters;
  readonly pending: Pending;
}

export interface LinkHooks {
  /** Connected; subscriptions are to be made. Resolves when the server knows them. */
  prepare(wire: NatsWire): Promise<void>;
  up(wire: NatsWire): void;
  down(): void;
}

export class NatsLink {
  readonly #options: NatsBusOptions;
  readonly #parts: LinkParts;
  readonly #hooks: LinkHooks;
  readonly #configured: readonly NatsTarget[];
  #gossiped: readonly NatsTarget[] = [];
  #wire: NatsWire | undefined;
  /** The one lost last is asked last. */
  #lost = '';
  #stopped = false;
  #settled: () => void = () => undefined;
  #wake: (() => void) | undefined;
  #beat: Cancel | undefined;
  #problem = '';

  constructor(options: NatsBusOptions, parts: LinkParts, hooks: LinkHooks) {
    this.#options = options;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#configured = shuffled(
      options.servers.map((server) => {
        const target = parseNatsServer(server);
        if (target !== undefined) return target;
        throw new BarrageError('config', `nats.servers: ${server} is no server`, {
          field: 'nats.servers',
        });
      }),
      parts.random,
    );
  }

  /** Tries each server once, then goes on by itself. Rejects with BarrageError `config` only. */
  async start(): Promise<void> {
    const first = await this.#round();
    if (first instanceof BarrageError && first.code === 'config') throw first;
    const settled = new Promise<void>((resolve) => (this.#settled = resolve));
    if (first instanceof BarrageError) this.#settled();
    void this.#keep(first);
    await settled;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#wire?.close();
  }

  async #keep(first: NatsWire | BarrageError): Promise<void> {
    let found = first;
    for (let tries = 0; !this.#stopped; found = await this.#round()) {
      if (found instanceof BarrageError) {
        this.#tell(found);
        await this.#wait(this.#retryMs(tries++, found));
        continue;
      }
      const since = this.#parts.clock.now();
      await this.#hold(found);
      // One that lets us in and throws us out is no better than one that refuses.
      if (this.#parts.clock.now() - since >= SETTLED_MS) tries = 0;
      else await this.#wait(this.#retryMs(tries++));
    }
    if (!(found instanceof BarrageError)) await found.close();
  }

  /** From connected to not. */
  async #hold(wire: NatsWire): Promise<void> {
    const { log, meters, pending } = this.#parts;
    const { server } = wire;
    this.#wire = wire;
    this.#problem = '';
    pending.attach(() => wire.ping());
    this.#watch(wire);
    meters.connections.add();
    log.info('connected to NATS', { server });
    const prepared = this.#hooks.prepare(wire).then(() => {
      if (this.#wire === wire) this.#hooks.up(wire);
    });
    prepared.catch(() => wire.close()).finally(this.#settled);
    const reason = await wire.closed;
    this.#settled();
    this.#beat?.cancel();
    this.#wire = undefined;
    this.#lost = server;
    meters.unconfirmed.add(pending.detach());
    this.#hooks.down();
    if (this.#stopped) return;
    const why = reason === undefined ? 'closed' : asBarrageError(reason).message;
    log.warn('connection to NATS lost', { server, why });
  }

  /** A server that lets us in, or why none does. */
  async #round(): Promise<NatsWire | BarrageError> {
    const { targets, error } = await addressesOf([...this.#configured, ...this.#gossiped]);
    const last = (target: NatsTarget) => nameOf(target) === this.#lost;
    let left = [...targets.filter((each) => !last(each)), ...targets.filter(last)];
    let failure = failureOf(error ?? new Error('no server has an address'));
    while (left.length > 0 && !this.#stopped) {
      const target = await firstToGreet(left, this.#options.dialMs).catch((reason: unknown) => {
        failure = prior(failure, failureOf(reason));
      });
      if (target === undefined) break;
      try {
        return await this.#dial(target);
      } catch (reason) {
        failure = prior(failure, failureOf(reason));
        left = left.filter((each) => each !== target);
      }
    }
    this.#parts.meters.failures.add();
    return failure;
  }

  #dial(target: NatsTarget): Promise<NatsWire> {
    const { log } = this.#parts;
    return dialNats(target, this.#options, (told) => {
      if (!this.#stopped) log.warn('NATS says', { server: nameOf(target), told });
    });
  }

  #watch(wire: NatsWire): void {
    const { clock, log, meters, pending } = this.#parts;
    let [beatAt, heardAt, heard] = [clock.now(), clock.now(), wire.heard];
    this.#beat = clock.every(BEAT_MS, () => {
      const now = clock.now();
      const isLate = now - beatAt > LATE_BEAT_MS;
      beatAt = now;
      if (wire.heard !== heard) [heard, heardAt] = [wire.heard, now];
      wire.look();
      this.#learn(wire);
      const silence = pending.askedAt === undefined ? 0 : now - pending.askedAt;
      const { staleMs } = this.#options;
      const isDead = silence > staleMs && now - heardAt > staleMs;
      if (!isLate && (isDead || silence > DEAF_FACTOR * staleMs)) {
        meters.stale.add();
        log.warn('NATS server does not answer', { server: wire.server, silenceMs: silence });
        void wire.close();
      } else pending.ask();
    });
  }

  /** Other servers of the cluster, known for the time when this one is gone. */
  #learn(wire: NatsWire): void {
    const tlsName = this.#configured[0]?.tlsName ?? '';
    this.#gossiped = wire.others.flatMap((each) => {
      const target = parseNatsServer(each);
      return target === undefined ? [] : [{ ...target, tlsName }];
    });
  }

  #retryMs(tries: number, failure?: BarrageError): number {
    const most =
      failure?.code === 'config'
        ? RETRY_CONFIG_MS
        : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(tries, 16));
    return most * (0.5 + this.#parts.random.next() / 2);
  }

  #wait(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Each problem once, not each try. */
  #tell(failure: BarrageError): void {
    if (failure.message === this.#problem) return;
    this.#problem = failure.message;
    const level = failure.code === 'config' ? 'error' : 'warn';
    this.#parts.log[level]('no NATS server takes us', { why: failure.message });
  }
}

function failureOf(reason: unknown): BarrageError {
  if (reason instanceof BarrageError) return reason;
  return new BarrageError('bus_down', asBarrageError(reason).message, { cause: reason });
}

/** What an operator has to mend comes before what passes. */
function prior(first: BarrageError, second: BarrageError): BarrageError {
  return first.code === 'config' ? first : second;
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  const out = [...all];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
