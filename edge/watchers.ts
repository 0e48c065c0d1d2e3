/**
 * Owns the list of everyone who watches over a lasting connection: their heartbeat, their silence,
 * their expired tokens, and the drain that spreads their closes. Rules: SPEC E-IN-8, E-END-2.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import type { EdgeTuning } from './options.js';

/** What a sweep asks of one connection. `pinged`: a ping was sent. */
export type SweepEnd = 'fine' | 'pinged';

export interface Watcher {
  sweep(now: number): SweepEnd;
  end(close: CloseCode, retryAfterMs?: number): void;
}

/** Pings of one sweep at most: many who came at once must not be pinged at once. */
const PINGS_MAX = 2000;
const SWEEPS_PER_HEARTBEAT = 25;
const SWEEP_MS_MIN = 20;
const DRAIN_STEP_MS = 25;

export interface WatcherParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
}

export class Watchers {
  readonly #parts: WatcherParts;
  readonly #all = new Set<Watcher>();
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
    const { random, tuning } = this.#parts;
    let left = count;
    for (const watcher of [...this.#all]) {
      if (left-- <= 0) return;
      this.#all.delete(watcher);
      watcher.end(CLOSE.drain, random.below(tuning().reconnectJitterMs + 1));
    }
  }

  /** Set anew each time: the heartbeat may have been tuned. */
  #sweepLater(): void {
    const ms = Math.max(SWEEP_MS_MIN, this.#parts.tuning().heartbeatMs / SWEEPS_PER_HEARTBEAT);
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#parts.clock.now();
    let pings = 0;
    for (const watcher of [...this.#all]) {
      if (watcher.sweep(now) === 'pinged' && ++pings >= PINGS_MAX) return;
    }
  }
}
