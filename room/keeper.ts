/**
 * Owns the way of one room's changes into the store: one commit at a time, everything that waits in
 * the next one. Jobs say what they add and hear how it ended; the keeper knows none of their reasons.
 */
import { BarrageError, asBarrageError } from '../src/errors.js';
import type { Clock } from '../src/ports/clock.js';
import type { LogEntry, RepliedKey, RoomChanges } from '../src/ports/store.js';
import type { Publication } from '../src/words.js';
import type { RoomMeters } from './meters.js';
import type { Meta } from './records.js';

/** One commit in the making; jobs add to it in order. */
export interface Work {
  readonly now: number;
  readonly epoch: number;
  /** Offset of the first of `texts`. */
  readonly from: number;
  readonly texts: string[];
  /** The publications of `texts`, in the same order. */
  readonly publications: Publication[];
  readonly rewrite: LogEntry[];
  readonly records: Map<string, string | null>;
  readonly keys: RepliedKey[];
  /** Run when the commit is durable, before its frames leave: memory follows. */
  readonly after: (() => void)[];
  meta: Meta;
}

export interface Job {
  /** Publications and their bytes, for the bound on what waits. */
  readonly items: number;
  readonly bytes: number;
  prepare(work: Work): void;
  kept(): void;
  /** The error is meant for the caller. */
  failed(error: BarrageError): void;
}

export interface KeeperHost {
  begin(): Work;
  /** The commit's content; called once, after all jobs of the group have added theirs. */
  changesOf(work: Work): RoomChanges;
  commit(changes: RoomChanges): Promise<void>;
  /** The commit is durable: memory follows, frames leave. Jobs hear after this. */
  adopt(work: Work): void;
  /** What the store holds is not what the room believes: look again. Does not reject. */
  refresh(): Promise<void>;
  /** Another owner has the shard. */
  lost(): void;
  /** A group is through, for better or worse. */
  settled(): void;
}

const WAITING_JOBS_MAX = 5000;
const WAITING_BYTES_MAX = 8 << 20;
const GROUP_ITEMS_MAX = 512;
const GROUP_BYTES_MAX = 2 << 20;
const RETRY_MS = 1000;

export class Keeper {
  readonly #host: KeeperHost;
  readonly #clock: Clock;
  readonly #meters: RoomMeters;
  #waiting: Job[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(host: KeeperHost, clock: Clock, meters: RoomMeters) {
    this.#host = host;
    this.#clock = clock;
    this.#meters = meters;
  }

  /** Jobs waiting or under way. */
  get load(): number {
    return this.#waiting.length + (this.#running === undefined ? 0 : 1);
  }

  /** Queues the job; over the bound it fails at once with `unavailable`. */
  add(job: Job): void {
    if (
      this.#waiting.length >= WAITING_JOBS_MAX ||
      this.#waitingBytes + job.bytes > WAITING_BYTES_MAX
    ) {
      job.failed(
        new BarrageError('unavailable', 'the store is behind', { retryAfterMs: RETRY_MS }),
      );
      return;
    }
    this.#waiting.push(job);
    this.#waitingBytes += job.bytes;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What else this turn of the process brings joins the first commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commit(this.#take());
    this.#running = undefined;
    this.#host.settled();
  }

  #take(): Job[] {
    let items = 0;
    let bytes = 0;
    let end = 0;
    while (end < this.#waiting.length) {
      const job = this.#waiting[end]!;
      const over = items + job.items > GROUP_ITEMS_MAX || bytes + job.bytes > GROUP_BYTES_MAX;
      if (end > 0 && over) break;
      items += job.items;
      bytes += job.bytes;
      end++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, end);
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const started = this.#clock.now();
    let work: Work;
    try {
      work = this.#host.begin();
      for (const job of jobs) job.prepare(work);
      await this.#host.commit(this.#host.changesOf(work));
    } catch (error) {
      await this.#refuse(jobs, asBarrageError(error));
      return;
    }
    this.#meters.commitSeconds.observe((this.#clock.now() - started) / 1000);
    this.#meters.commitPublications.observe(work.texts.length);
    this.#host.adopt(work);
    for (const job of jobs) job.kept();
    this.#host.settled();
  }

  async #refuse(jobs: readonly Job[], error: BarrageError): Promise<void> {
    this.#meters.commitFailures.add();
    if (error.code === 'fenced') this.#host.lost();
    if (error.code === 'conflict') await this.#host.refresh();
    const told = forCaller(error);
    for (const job of jobs) job.failed(told);
    this.#host.settled();
  }
}

/** What a caller can use: when to try again, and nothing of fences. */
function forCaller(error: BarrageError): BarrageError {
  const retryAfterMs = error.retryAfterMs ?? RETRY_MS;
  if (error.code === 'store_full' || error.code === 'store_failed') {
    return new BarrageError(error.code, error.message, { retryAfterMs, cause: error });
  }
  return new BarrageError('unavailable', 'the room is changing hands, try again', {
    retryAfterMs,
    cause: error,
  });
}
