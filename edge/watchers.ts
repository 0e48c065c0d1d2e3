/**
 * Owns the list of everyone who watches over a lasting connection: their heartbeat, their silence,
 * their expired tokens, and the drain that spreads their closes. Rules: SPEC E-IN-8, E-END-2.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import { DueWheel, OFF_WHEEL, type OnWheel } from './core/due-wheel.js';
import type { Elsewhere } from './elsewhere.js';
import type { EdgeTuning } from './options.js';

/** What a sweep asks of one connection. `pinged`: a ping was sent. */
export type SweepEnd = 'fine' | 'pinged';

export interface Watcher extends OnWheel {
  /** There is nothing to look after before this time, clock milliseconds. */
  quietUntil: number;
  sweep(now: number): SweepEnd;
  /** `edges`: where it may go instead. */
  end(close: CloseCode, retryAfterMs?: number, edges?: readonly string[]): void;
}

/** Pings of one round at most: many who came at once must not be pinged at once. */
const PINGS_MAX = 2000;
/** A round goes in steps of at most this many, so that nobody's publication waits for all of it. */
const STEP_WATCHERS = 250;
const SWEEPS_PER_HEARTBEAT = 25;
const SWEEP_MS_MIN = 20;
/** A step is never closer to the last than this, and takes in up to so many where few are due. */
const STEP_MS = 25;
const STEPS_AT_ONCE_MAX = 10;
const DRAIN_STEP_MS = 25;

export interface WatcherParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
  readonly elsewhere: Pick<Elsewhere, 'name'>;
}

export class Watchers {
  readonly #parts: WatcherParts;
  readonly #wheel: DueWheel<Watcher>;
  /** Counts those put into the coming round. */
  #turn = 0;
  #size = 0;
  /** The one that is swept now; left by it: undefined. */
  #swept: Watcher | undefined;
  #timer: Cancel | undefined;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#wheel = new DueWheel(STEP_MS, parts.clock.now());
    this.#sweepLater();
  }

  get size(): number {
    return this.#size;
  }

  add(watcher: Watcher): void {
    this.#size++;
    this.#place(watcher, this.#parts.clock.now());
  }

  remove(watcher: Watcher): void {
    if (watcher === this.#swept) this.#swept = undefined;
    else if (watcher.place === OFF_WHEEL) return;
    this.#wheel.remove(watcher);
    this.#size--;
  }

  /** Its `quietUntil` is earlier now. */
  hasten(watcher: Watcher): void {
    if (watcher.place === OFF_WHEEL) return;
    this.#wheel.remove(watcher);
    this.#place(watcher, this.#parts.clock.now());
  }

  /** All are looked at within a round: what they go by has been tuned. */
  retune(): void {
    const now = this.#parts.clock.now();
    for (const watcher of this.#wheel.takeAny(Infinity)) {
      watcher.quietUntil = 0;
      this.#place(watcher, now);
    }
  }

  /** Ends everyone within `windowMs`, each with advice when to come back; resolves when done. */
  async drain(windowMs: number): Promise<void> {
    const { clock } = this.#parts;
    const end = clock.now() + windowMs;
    while (this.#size > 0) {
      const steps = Math.max(1, Math.floor((end - clock.now()) / DRAIN_STEP_MS));
      this.#endSome(Math.ceil(this.#size / steps));
      if (this.#size > 0) {
        await new Promise<void>((resolve) => clock.after(DRAIN_STEP_MS, resolve));
      }
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#endSome(this.#size);
  }

  #endSome(count: number): void {
    const { random, tuning, elsewhere } = this.#parts;
    const some = this.#wheel.takeAny(count);
    this.#size -= some.length;
    for (const watcher of some) {
      const edges = elsewhere.name();
      const retryAfterMs = random.below(tuning().reconnectJitterMs + 1);
      watcher.end(CLOSE.drain, retryAfterMs, edges.length === 0 ? undefined : edges);
    }
  }

  get #roundMs(): number {
    return Math.max(SWEEP_MS_MIN, this.#parts.tuning().heartbeatMs / SWEEPS_PER_HEARTBEAT);
  }

  /** Slots of one step where few are due. */
  get #slotsMost(): number {
    return Math.max(1, Math.min(STEPS_AT_ONCE_MAX, Math.floor(this.#roundMs / STEP_MS / 4)));
  }

  /** When its time comes; those whose time has come, in turn over a round from the next step on. */
  #place(watcher: Watcher, now: number): void {
    if (watcher.quietUntil > now) return this.#wheel.add(watcher, watcher.quietUntil);
    const slots = Math.max(1, Math.floor(this.#roundMs / STEP_MS));
    this.#wheel.add(watcher, now + (this.#slotsMost + (this.#turn++ % slots)) * STEP_MS);
  }

  /** Set anew each time: the heartbeat may have been tuned. */
  #sweepLater(): void {
    const { clock } = this.#parts;
    const roundMs = this.#roundMs;
    // Few at once keep their processor awake for a moment only: one step for several costs less.
    const from = clock.now();
    const slots = this.#wheel.slotsHolding(from, STEP_WATCHERS, this.#slotsMost);
    this.#timer = clock.after(slots * STEP_MS, () => {
      // A timer that is late, since the core is not ours alone, must not make fewer of them.
      const passedMs = Math.min(roundMs, Math.max(slots * STEP_MS, clock.now() - from));
      const pings = (PINGS_MAX * passedMs) / Math.max(roundMs, STEP_MS);
      this.#step(Math.ceil(pings));
      this.#sweepLater();
    });
  }

  /** Goes on where the last step ended; what is too much for it is left to the next. */
  #step(pingsMax: number): void {
    const now = this.#parts.clock.now();
    let pings = 0;
    for (let left = STEP_WATCHERS; left > 0 && pings < pingsMax; left--) {
      const watcher = this.#wheel.take(now);
      if (watcher === undefined) return;
      if (this.#sweep(watcher, now) === 'pinged') pings++;
    }
  }

  #sweep(watcher: Watcher, now: number): SweepEnd {
    // Further off than the wheel reaches.
    if (watcher.quietUntil > now) {
      this.#wheel.add(watcher, watcher.quietUntil);
      return 'fine';
    }
    this.#swept = watcher;
    const end = watcher.sweep(now);
    if (this.#swept === undefined) return end;
    this.#swept = undefined;
    this.#wheel.add(watcher, Math.max(watcher.quietUntil, now + this.#roundMs));
    return end;
  }
}
