/**
 * Owns the edge's one line of work on the way down: whoever is due is flushed in turn, at the pace
 * the pacer allows, keepable frames first. Runs after a bus callback's turn or from a timer.
 * Rules: SPEC E-OUT-2, E-OUT-3, E-PACE-1 to E-PACE-3.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import { calmMs, fanoutShare, KEEP_STEP_MS, Pacer } from './core/pace.js';
import { SmoothRate } from './core/smooth-rate.js';
import { Turns, type Turn } from './core/turns.js';
import type { EdgeMeters } from './meters.js';
import type { EdgeTuning } from './options.js';

/** Something that can be flushed: a slice of viewers or a room's pollers. */
export interface Flushable extends Turn {
  /** Sends what is due; true when there is more to do in another turn. */
  run(): boolean;
  /** Flushes of the like that make up a round of its room. */
  readonly peers: number;
}

export interface FanoutParts {
  readonly clock: Clock;
  readonly tuning: () => EdgeTuning;
  readonly meters: EdgeMeters;
  readonly fault: (where: string, error: unknown) => void;
  /** CPU time this process has used since its start, milliseconds. */
  readonly cpuMs: () => number;
}

/** How often the share of the core that is left for fan-out is looked at. */
const SHARE_EVERY_MS = 100;

export class Fanout {
  readonly #clock: Clock;
  readonly #tuning: () => EdgeTuning;
  readonly #meters: EdgeMeters;
  readonly #fault: (where: string, error: unknown) => void;
  readonly #turns = new Turns<Flushable>();
  readonly #pacer: Pacer;
  readonly #cpuMs: () => number;
  /** All work of the core, and that of flushes. */
  readonly #busy: SmoothRate;
  readonly #flushing: SmoothRate;
  #flushedMs = 0;
  #shareAt: number;
  #timer: Cancel | undefined;
  #isQueued = false;
  #isStopped = false;

  constructor({ clock, tuning, meters, fault, cpuMs }: FanoutParts) {
    const now = clock.now();
    this.#clock = clock;
    this.#tuning = tuning;
    this.#meters = meters;
    this.#fault = fault;
    this.#cpuMs = cpuMs;
    this.#pacer = new Pacer(tuning().busyShare, now);
    this.#busy = new SmoothRate(cpuMs(), now);
    this.#flushing = new SmoothRate(0, now);
    this.#shareAt = now;
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
    this.#reshare(this.#clock.now());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #work(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (let isFirst = true; ; isFirst = false) {
      if (this.#isStopped) return;
      const now = this.#clock.now();
      const waitMs = this.#waitMs(now, isFirst);
      if (waitMs === undefined) return;
      if (waitMs > 0) {
        this.#timer = this.#clock.after(Math.max(1, Math.ceil(waitMs)), () => this.#work());
        return;
      }
      const keepOnly = this.#turns.holdsKeep && this.#pacer.waitMs(now) > 0;
      const turn = this.#turns.next(now, keepOnly && !this.#isOverdue(now));
      if (turn === undefined) return;
      this.#flush(turn, now);
    }
  }

  /** Until the next flush; undefined when nobody waits. What comes first may go ahead of the pace. */
  #waitMs(now: number, isFirst: boolean): number | undefined {
    const nextAt = this.#turns.nextAt(now);
    if (nextAt === undefined) return undefined;
    if (this.#isOverdue(now)) return nextAt - now;
    const paceMs = this.#pacer.waitMs(now, this.#turns.holdsKeep);
    return Math.max(nextAt - now, isFirst && paceMs <= KEEP_STEP_MS ? 0 : paceMs);
  }

  #isOverdue(now: number): boolean {
    return now - (this.#turns.oldest() ?? now) >= this.#tuning().paceMaxMs;
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
    const tookMs = end - now;
    turn.notBefore = now + Math.max(this.#tuning().paceMinMs, calmMs(tookMs * turn.peers));
    this.#meters.flushSeconds.observe(tookMs / 1000);
    this.#pacer.spend(tookMs, end);
    this.#flushedMs += tookMs;
    if (end - this.#shareAt >= SHARE_EVERY_MS) this.#reshare(end);
    if (hasMore) this.#turns.add(turn, false, end);
  }

  /** What is not fan-out has its part of the core too. */
  #reshare(now: number): void {
    this.#shareAt = now;
    const flushing = this.#flushing.next(this.#flushedMs, now);
    const other = this.#busy.next(this.#cpuMs(), now) - flushing;
    this.#pacer.tune(fanoutShare(this.#tuning().busyShare, other));
  }
}
