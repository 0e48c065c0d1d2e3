/**
 * Owns a state that a power changes in memory at once and that is stored and told in groups: one
 * commit at a time, however many changes came meanwhile. A group that cannot be stored is undone with
 * all that was built on it. Knows no power's rules.
 */
import { BarrageError, asBarrageError } from '../../src/errors.js';
import type { Draft } from '../calls/calls.js';
import type { Work } from '../keeper.js';
import type { PowerHost } from './power.js';

export interface GroupRules<S> {
  /** Least time between two groups, milliseconds. */
  readonly everyMs: number;
  /** Changes waiting for one commit at most. */
  readonly waitingMax: number;
  /** Names of the records that may differ between the states. */
  names(before: S, after: S): Iterable<string>;
  /** A record's JSON text; null: there is none. */
  record(state: S, name: string): string | null;
  /** What viewers are told; undefined for nothing. */
  draft(before: S, after: S): Draft | undefined;
  /** The state is durable; runs before viewers are told. */
  stored?(before: S, after: S): void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: BarrageError) => void;
}

const RETRY_MS = 1000;

export class GroupChange<S> {
  readonly #host: PowerHost;
  readonly #rules: GroupRules<S>;
  #state: S;
  #stored: S;
  #waiters: Waiter[] = [];
  #isFlying = false;
  #isGone = false;
  #flownAt = -Infinity;
  /** Records of commits that failed: what the store holds under these names is not known. */
  #doubtful = new Set<string>();

  constructor(host: PowerHost, state: S, rules: GroupRules<S>) {
    this.#host = host;
    this.#rules = rules;
    this.#state = state;
    this.#stored = state;
  }

  /** With changes not stored yet: what the next change builds on. */
  get state(): S {
    return this.#state;
  }

  /** What is durable: what is read and shown. */
  get stored(): S {
    return this.#stored;
  }

  /** Whether all is stored. */
  get isIdle(): boolean {
    return !this.#isFlying && this.#state === this.#stored;
  }

  /** Takes the next state; resolves when it is stored, rejects with what the caller may hear. */
  change(next: S): Promise<void> {
    if (this.#isGone || this.#waiters.length >= this.#rules.waitingMax) {
      return Promise.reject(unavailable('more changes than can be stored now'));
    }
    this.#state = next;
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#host.wake();
    return done;
  }

  /** As `change` when nobody waits for it. */
  adopt(next: S): void {
    if (next === this.#state) return;
    this.#state = next;
    this.#host.wake();
  }

  /** When the next group is due (unix milliseconds). */
  nextAt(): number {
    const isWaiting = this.#state !== this.#stored || this.#waiters.length > 0;
    if (this.#isFlying || this.#isGone || !isWaiting) return Infinity;
    return this.#flownAt + this.#rules.everyMs;
  }

  step(now: number): void {
    if (now >= this.nextAt()) void this.#fly(now);
  }

  /** Stores at once what is not stored; true while anything is not. */
  save(now: number): boolean {
    if (this.nextAt() < Infinity) void this.#fly(now);
    return !this.isIdle;
  }

  drop(): void {
    this.#isGone = true;
    this.#undo([], unavailable('the room is not served here now'));
  }

  async #fly(now: number): Promise<void> {
    const waiters = this.#waiters;
    const next = this.#state;
    this.#waiters = [];
    this.#isFlying = true;
    this.#flownAt = now;
    const names = new Set([...this.#doubtful, ...this.#rules.names(this.#stored, next)]);
    try {
      if (next !== this.#stored || this.#doubtful.size > 0) await this.#store(next, names);
      this.#isFlying = false;
      for (const { resolve } of waiters) resolve();
    } catch (error) {
      this.#isFlying = false;
      for (const name of names) this.#doubtful.add(name);
      this.#undo(waiters, asBarrageError(error));
    }
    if (!this.#isGone) this.#host.wake();
  }

  async #store(next: S, names: ReadonlySet<string>): Promise<void> {
    const before = this.#stored;
    const add = (work: Work): void => {
      for (const name of names) work.records.set(name, this.#rules.record(next, name));
    };
    const kept = (): void => {
      this.#stored = next;
      this.#doubtful.clear();
      this.#rules.stored?.(before, next);
    };
    const isTold = next !== before && this.#host.status() !== 'closed';
    const draft = isTold ? this.#rules.draft(before, next) : undefined;
    if (draft === undefined) return this.#host.change(add, kept);
    const fated = await this.#host.post(draft, (work) => {
      add(work);
      work.after.push(kept);
    });
    if (fated.verdict === 'published') return;
    throw unavailable(`the change ended as ${fated.verdict}`, fated.retryAfterMs);
  }

  /** What was built on a state that is not stored goes with it. */
  #undo(waiters: readonly Waiter[], error: BarrageError): void {
    const all = [...waiters, ...this.#waiters];
    this.#waiters = [];
    this.#state = this.#stored;
    for (const { reject } of all) reject(error);
  }
}

function unavailable(text: string, retryAfterMs = RETRY_MS): BarrageError {
  return new BarrageError('unavailable', text, { retryAfterMs });
}
