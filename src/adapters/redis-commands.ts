/**
 * Owns the way of a command: how many may wait, for how long, what its failure is called and how it
 * is counted; and commits that wait for replicas together. Knows neither rooms nor the library.
 */
import { BarrageError } from '../errors.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Meter } from '../telemetry/meter.js';
import { failure, failureOf, isNoScript, type Failure } from './redis-failure.js';
import { RedisLink, type Call, type Outcome } from './redis-link.js';
import { redisMeters, type RedisMeters } from './redis-meters.js';
import type { RedisStoreOptions } from '../redis-settings.js';

/** One script's answer, and how many replicas have what it wrote when that was asked. */
export interface Done {
  readonly reply: unknown;
  readonly replicas: number;
}

interface Waiting {
  readonly call: Call;
  readonly settle: (outcome: Outcome, replicas: number) => void;
}

/** Commits on one connection that wait for replicas together, at most. */
const GROUP_MAX = 256;

export class RedisCommands {
  readonly meters: RedisMeters;
  readonly #options: RedisStoreOptions;
  readonly #clock: Clock;
  readonly #link: RedisLink;
  /** Commits waiting for the one before, by the way they go. */
  readonly #lines = new Map<number, Waiting[]>();
  /**
   * Digests that Redis knows on a way since it was connected to. One it does not know is answered only
   * after the wait for replicas behind it: what follows would wait twice.
   */
  readonly #told = new Map<number, Set<string>>();
  /** Ways whose last commit enough replicas have: nothing that is read there can be lost. */
  readonly #sure = new Set<number>();
  #pending = 0;
  #pendingBytes = 0;
  #idle: (() => void) | undefined;
  #closed = false;

  constructor(
    options: RedisStoreOptions,
    parts: { readonly clock: Clock; readonly log: Log; readonly meter: Meter },
  ) {
    this.#options = options;
    this.#clock = parts.clock;
    this.meters = redisMeters(parts.meter, {
      pending: () => this.#pending,
      pendingBytes: () => this.#pendingBytes,
      isReady: () => this.#link.isReady,
    });
    const reconnected = (): void => {
      this.meters.reconnects.add();
      this.#told.clear();
      this.#sure.clear();
    };
    this.#link = new RedisLink(options, { clock: parts.clock, log: parts.log, reconnected });
  }

  /** Resolves when connected; rejects with one sentence when that takes too long. */
  ready(): Promise<void> {
    return this.#link.ready();
  }

  /** Rejects with `store_failed` or `store_full`; an unanswered command may still be done later. */
  async run(call: Call): Promise<unknown> {
    return (await this.#enter(call, (settle) => this.#send(call, settle))).reply;
  }

  /** A commit: with replicas to wait for it goes after those of the same `line`, in groups. */
  commit(call: Call, line: number): Promise<Done> {
    if (this.#options.waitReplicas === 0) {
      return this.#enter(call, (settle) => this.#send(call, settle));
    }
    return this.#enter(call, (settle) => this.#queue({ call, settle }, line));
  }

  /**
   * As `run`, for what others are answered by: what was written before it and may still be lost with
   * its Redis, such as a commit that was refused for want of replicas, is not taken for kept. Rejects
   * as `replicas` when too few have it.
   */
  async read(call: Call, line: number): Promise<unknown> {
    const { waitReplicas } = this.#options;
    if (waitReplicas === 0) return this.run(call);
    if (this.#isSure(line)) {
      const reply = await this.run(call);
      if (this.#isSure(line)) return reply;
    }
    // WAIT goes by where the log of Redis is after any command of its connection.
    const { reply, replicas } = await this.commit(call, line);
    this.checkReplicas(replicas);
    return reply;
  }

  /** Throws `store_failed` when too few have it; counted as `replicas`. */
  checkReplicas(replicas: number): void {
    const { waitReplicas } = this.#options;
    if (replicas >= waitReplicas) return;
    throw this.#count(failure('replicas', `${replicas} of ${waitReplicas}`));
  }

  /** Refuses what comes, lets what is under way end. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      if (this.#pending > 0) await this.#settled();
    }
    this.#link.close();
  }

  /** Resolves when nothing waits, or when that took as long as a command may. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(this.#options.commandTimeoutMs, resolve);
      this.#idle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #enter(call: Call, begin: (settle: Waiting['settle']) => void): Promise<Done> {
    if (this.#closed) {
      return Promise.reject(new BarrageError('store_failed', 'the store is closed'));
    }
    const refused = this.#refusal();
    const bytes = bytesOf(call);
    const isOver =
      this.#pending >= this.#options.pendingCount ||
      (this.#pending > 0 && this.#pendingBytes + bytes > this.#options.pendingBytes);
    if (refused !== undefined || isOver) {
      return Promise.reject(this.#count(refused ?? failure('busy')));
    }
    this.#pending++;
    this.#pendingBytes += bytes;
    this.meters.commands.add(call.script.name);
    return this.#await(begin, bytes);
  }

  #refusal(): Failure | undefined {
    return this.#link.isReady ? undefined : failure('down');
  }

  /** The place is given back when Redis answers or the connection ends, not when nobody waits. */
  #await(begin: (settle: Waiting['settle']) => void, bytes: number): Promise<Done> {
    const started = this.#clock.now();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(this.#options.commandTimeoutMs, () => {
        reject(this.#count(failure('timeout')));
        void this.#link.probe();
      });
      begin((outcome, replicas) => {
        timer.cancel();
        this.#leave(bytes);
        this.meters.seconds.observe((this.#clock.now() - started) / 1000);
        if ('reply' in outcome) resolve({ reply: outcome.reply, replicas });
        else reject(this.#count(failureOf(outcome.error)));
      });
    });
  }

  #leave(bytes: number): void {
    this.#pending--;
    this.#pendingBytes -= bytes;
    if (this.#pending === 0) this.#idle?.();
  }

  #send(call: Call, settle: Waiting['settle']): void {
    this.#link
      .run(call)
      .catch((error: unknown) => {
        if (!isNoScript(error)) throw error;
        return this.#link.run(call, true);
      })
      .then(
        (reply) => settle({ reply }, 0),
        (error: unknown) => settle({ error }, 0),
      );
  }

  #queue(waiting: Waiting, line: number): void {
    const before = this.#lines.get(line);
    if (before !== undefined) {
      before.push(waiting);
      return;
    }
    const queue = [waiting];
    this.#lines.set(line, queue);
    void this.#runLine(line, queue);
  }

  async #runLine(line: number, queue: Waiting[]): Promise<void> {
    // What else this turn of the process brings joins the first group.
    await Promise.resolve();
    while (queue.length > 0) {
      const replicas = await this.#runGroup(queue.splice(0, GROUP_MAX), line);
      if (replicas >= this.#options.waitReplicas) this.#sure.add(line);
      else this.#sure.delete(line);
    }
    this.#lines.delete(line);
  }

  #isSure(line: number): boolean {
    return this.#sure.has(line) && !this.#lines.has(line);
  }

  /** How many replicas have all of it. */
  async #runGroup(group: readonly Waiting[], line: number, isAgain = false): Promise<number> {
    const calls = group.map(({ call }) => call);
    const told = (!isAgain && this.#told.get(line)) || new Set<string>();
    const { outcomes, replicas } = await this.#link
      .runAndWait(calls, told)
      .catch((error: unknown) => ({
        outcomes: calls.map((): Outcome => ({ error })),
        replicas: 0,
      }));
    if (outcomes.some((outcome) => 'reply' in outcome)) {
      for (const { script } of calls) told.add(script.sha);
      this.#told.set(line, told);
    }
    const again: Waiting[] = [];
    group.forEach((waiting, index) => {
      const outcome = outcomes[index] ?? { error: new Error('no answer') };
      const isUnknown = !isAgain && 'error' in outcome && isNoScript(outcome.error);
      if (isUnknown) again.push(waiting);
      else waiting.settle(outcome, replicas);
    });
    return again.length > 0 ? this.#runGroup(again, line, true) : replicas;
  }

  #count({ kind, error }: Failure): BarrageError {
    this.meters.failures.add(kind);
    return error;
  }
}

/** About what a command weighs while it waits. */
function bytesOf({ keys, args }: Call): number {
  let bytes = 0;
  for (const key of keys) bytes += key.length;
  for (const argument of args) bytes += argument.length;
  return bytes;
}
