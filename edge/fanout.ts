/**
 * Owns the edge's one line of work on the way down: whoever is due is flushed in turn, at the pace
 * the pacer allows, keepable frames first. Runs after a bus callback's turn or from a timer.
 * Rules: SPEC E-OUT-2, E-OUT-3.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import { Pacer } from './core/pace.js';
import { Turns, type Turn } from './core/turns.js';
import type { EdgeMeters } from './meters.js';
import type { EdgeTuning } from './options.js';

/** Something that can be flushed: a slice of viewers or a room's pollers. */
export interface Flushable extends Turn {
  /** Sends what is due; true when there is more to do in another turn. */
  run(): boolean;
}

export class Fanout {
  readonly #clock: Clock;
  readonly #tuning: () => EdgeTuning;
  readonly #meters: EdgeMeters;
  readonly #fault: (where: string, error: unknown) => void;
  readonly #turns = new Turns<Flushable>();
  readonly #pacer: Pacer;
  #timer: Cancel | undefined;
  #isQueued = false;
  #isStopped = false;

  constructor(
    clock: Clock,
    tuning: () => EdgeTuning,
    meters: EdgeMeters,
    fault: (where: string, error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#tuning = tuning;
    this.#meters = meters;
    this.#fault = fault;
    this.#pacer = new Pacer(tuning().busyShare, clock.now());
  }

  /** Something waits for it. */
  add(turn: Flushable, keep: boolean): void {
    this.#turns.add(turn, keep, this.#clock.now());
    if (this.#isQueued) return;
    this.#isQueued = true;
    // After the whole of the bus's callback: frames of one tick go as one message.
    queueMicrotask(() => {
      this.#isQueued = false;
      this.#work();
    });
  }

  /** Takes the new share. */
  retune(): void {
    this.#pacer.tune(this.#tuning().busyShare);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #work(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (;;) {
      if (this.#isStopped) return;
      const now = this.#clock.now();
      const waitMs = this.#waitMs(now);
      if (waitMs === undefined) return;
      if (waitMs > 0) {
        this.#timer = this.#clock.after(Math.max(1, Math.ceil(waitMs)), () => this.#work());
        return;
      }
      const turn = this.#turns.next(now);
      if (turn === undefined) return;
      this.#flush(turn, now);
    }
  }

  /** Until the next flush; undefined when nobody waits. */
  #waitMs(now: number): number | undefined {
    const nextAt = this.#turns.nextAt(now);
    if (nextAt === undefined) return undefined;
    const oldest = this.#turns.oldest() ?? now;
    const isOverdue = now - oldest >= this.#tuning().paceMaxMs;
    return Math.max(nextAt - now, isOverdue ? 0 : this.#pacer.waitMs(now));
  }

  #flush(turn: Flushable, now: number): void {
    this.#meters.waitSeconds.observe((now - turn.dueAt) / 1000);
    let hasMore = false;
    try {
      hasMore = turn.run();
    } catch (error) {
      this.#fault('flush', error);
    }
    const end = this.#clock.now();
    turn.notBefore = now + this.#tuning().paceMinMs;
    this.#meters.flushSeconds.observe((end - now) / 1000);
    this.#pacer.spend(end - now, end);
    if (hasMore) this.#turns.add(turn, false, end);
  }
}
