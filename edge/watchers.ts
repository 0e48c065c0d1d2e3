/**
 * Owns the list of everyone who watches over a lasting connection: their heartbeat, their silence,
 * their expired tokens, and the drain that spreads their closes. Rules: SPEC E-IN-8, E-END-2.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import type { Elsewhere } from './elsewhere.js';
import type { EdgeTuning } from './options.js';

/** What a sweep asks of one connection. `pinged`: a ping was sent. */
export type SweepEnd = 'fine' | 'pinged';

export interface Watcher {
  /** There is nothing to look after before this time, clock milliseconds. */
  readonly quietUntil: number;
  sweep(now: number): SweepEnd;
  /** `edges`: where it may go instead. */
  end(close: CloseCode, retryAfterMs?: number, edges?: readonly string[]): void;
}

/** Pings of one round at most: many who came at once must not be pinged at once. */
const PINGS_MAX = 2000;
/** A round goes in steps of about this many, so that nobody's publication waits for all of it. */
const STEP_WATCHERS = 250;
const SWEEPS_PER_HEARTBEAT = 25;
const SWEEP_MS_MIN = 20;
const DRAIN_STEP_MS = 25;

export interface WatcherParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
  readonly elsewhere: Pick<Elsewhere, 'name'>;
}

export class Watchers {
  readonly #parts: WatcherParts;
  readonly #all = new Set<Watcher>();
  /** Those of this round whose turn is still to come. */
  #round: Iterator<Watcher> = this.#all.values();
  #timer: Cancel | undefined;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#sweepLater();
  }

  get size(): number {
    return this.#all.size;
  }

  add(watcher: Watcher): void {
    this.#all.add(watcher);
  }

  remove(watcher: Watcher): void {
    this.#all.delete(watcher);
  }

  /** Ends everyone within `windowMs`, each with advice when to come back; resolves when done. */
  async drain(windowMs: number): Promise<void> {
    const { clock } = this.#parts;
    const end = clock.now() + windowMs;
    while (this.#all.size > 0) {
      const steps = Math.max(1, Math.floor((end - clock.now()) / DRAIN_STEP_MS));
      this.#endSome(Math.ceil(this.#all.size / steps));
      if (this.#all.size > 0) {
        await new Promise<void>((resolve) => clock.after(DRAIN_STEP_MS, resolve));
      }
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#endSome(this.#all.size);
  }

  #endSome(count: number): void {
    const { random, tuning, elsewhere } = this.#parts;
    let left = count;
    for (const watcher of [...this.#all]) {
      if (left-- <= 0) return;
      this.#all.delete(watcher);
      const edges = elsewhere.name();
      const retryAfterMs = random.below(tuning().reconnectJitterMs + 1);
      watcher.end(CLOSE.drain, retryAfterMs, edges.length === 0 ? undefined : edges);
    }
  }

  /** Set anew each time: the heartbeat may have been tuned. */
  #sweepLater(): void {
    const { clock, tuning } = this.#parts;
    const roundMs = Math.max(SWEEP_MS_MIN, tuning().heartbeatMs / SWEEPS_PER_HEARTBEAT);
    const most = Math.max(1, Math.floor(roundMs / SWEEP_MS_MIN));
    const steps = Math.min(most, Math.max(1, Math.ceil(this.#all.size / STEP_WATCHERS)));
    this.#timer = clock.after(roundMs / steps, () => {
      this.#step(Math.ceil(this.#all.size / steps), Math.ceil(PINGS_MAX / steps));
      this.#sweepLater();
    });
  }

  /** Goes on where the last step ended; who came meanwhile is at the end of the round. */
  #step(watchers: number, pingsMax: number): void {
    const now = this.#parts.clock.now();
    let pings = 0;
    for (let left = watchers; left > 0 && pings < pingsMax; left--) {
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = this.#all.values();
        return;
      }
      if (next.value.quietUntil > now) continue;
      if (next.value.sweep(now) === 'pinged') pings++;
    }
  }
}
