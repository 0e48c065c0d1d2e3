/**
 * Owns watching what the edge sends and how late its loop runs, and thinning out droppable flushes
 * evenly over all slices when core/shedding.ts says so. Keepable frames and what is meant for some
 * never come here. Rules: SPEC E-SHED-1 to E-SHED-4, E-SHED-6.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import {
  NO_SHEDDING,
  SHED_STEP_MS,
  stepShedding,
  type ShedLevel,
  type Shedding,
} from './core/shedding.js';
import { SmoothRate } from './core/smooth-rate.js';
import type { EdgeMeters } from './meters.js';
import type { EdgeTuning } from './options.js';
import { ThinNotices, type Told } from './thin-notices.js';

/** What a flush holds, whoever packs it. */
export interface ThinBatch {
  readonly openDropCount: number;
  /** Bytes of their lines, before compression. */
  readonly openDropBytes: number;
  /** Bytes of all its lines. */
  readonly bytes: number;
}

/** A taker of flushes with what it saved up of its share. */
export interface Thinned {
  credit: number;
  readonly seats: { readonly length: number };
}

/** Whoever has a part of what such a taker does not get. */
interface Losing {
  readonly occupant: { readonly outlet: Told };
}

export interface ThinningParts {
  readonly clock: Clock;
  readonly tuning: () => EdgeTuning;
  readonly meters: EdgeMeters;
}

/** How often an edge without marks looks whether it has been given some. */
const UNMARKED_EVERY_MS = 1000;
/** What is left of an earlier lateness at the next step, so that a short one is seen. */
const LAG_KEPT = 0.7;
/** Bytes on the wire for a byte of the lines, until it has been measured. */
const WIRE_RATIO = 1;
const WIRE_RATIO_MAX = 1.5;

export class Thinning {
  readonly #parts: ThinningParts;
  /** Bytes of lines times viewers: handed out, droppable among them, and thinned out. */
  #lines = 0;
  #droppable = 0;
  #thinned = 0;
  readonly #rates: Record<'sent' | 'lines' | 'droppable' | 'thinned', SmoothRate>;
  #ratio = WIRE_RATIO;
  #lagMs = 0;
  #state: Shedding = NO_SHEDDING;
  #timer: Cancel | undefined;
  readonly #notices = new ThinNotices();

  constructor(parts: ThinningParts) {
    this.#parts = parts;
    const now = parts.clock.now();
    const rate = (total = 0) => new SmoothRate(total, now);
    const sent = rate(parts.meters.sentBytes.value);
    this.#rates = { sent, lines: rate(), droppable: rate(), thinned: rate() };
    this.#later();
  }

  get level(): ShedLevel {
    return this.#state.level;
  }

  /** Share of droppable flushes let through, 0-1. */
  get share(): number {
    return this.#state.share;
  }

  /** Whether a taker gets the droppable frames of its flush; what it does not get is counted. */
  spares(taker: Thinned, batch: ThinBatch): boolean {
    const viewers = taker.seats.length;
    if (batch.openDropCount > 0 && !this.#takes(taker)) {
      this.#thinned += batch.openDropBytes * viewers;
      this.#lines += (batch.bytes - batch.openDropBytes) * viewers;
      this.#parts.meters.thinned.add(batch.openDropCount * viewers);
      return false;
    }
    this.#lines += batch.bytes * viewers;
    this.#droppable += batch.openDropBytes * viewers;
    return true;
  }

  /** Each of these is to be told how many publications were thinned out for it. */
  lost<S extends Losing>(seats: readonly S[], countOf: (seat: S) => number): void {
    const now = this.#parts.clock.now();
    for (const seat of seats) this.#notices.lose(seat.occupant.outlet, countOf(seat), now);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Every taker gets the same share of its flushes, whatever their number. */
  #takes(taker: Thinned): boolean {
    const { share } = this.#state;
    if (share >= 1) return true;
    taker.credit += share;
    if (taker.credit < 1) return false;
    taker.credit -= 1;
    return true;
  }

  #later(): void {
    const { clock, tuning } = this.#parts;
    const { egressSoftBytes, egressHardBytes, lagSoftMs, lagHardMs } = tuning();
    const isMarked = Math.max(egressSoftBytes, egressHardBytes, lagSoftMs, lagHardMs) > 0;
    const everyMs = isMarked || this.#state.share < 1 ? SHED_STEP_MS : UNMARKED_EVERY_MS;
    const due = clock.now() + everyMs;
    this.#timer = clock.after(everyMs, () => {
      const now = clock.now();
      this.#lagMs = Math.max(now - due, this.#lagMs * LAG_KEPT);
      this.#step(now);
      this.#notices.step(now);
      this.#later();
    });
  }

  #step(now: number): void {
    const rates = this.#rates;
    const sent = rates.sent.next(this.#parts.meters.sentBytes.value, now);
    const lines = rates.lines.next(this.#lines, now);
    const droppable = rates.droppable.next(this.#droppable, now);
    const thinned = rates.thinned.next(this.#thinned, now);
    if (lines > 0) this.#ratio = Math.min(WIRE_RATIO_MAX, sent / lines);
    const load = {
      offeredBytes: (sent + thinned * this.#ratio) * 1000,
      droppableBytes: (droppable + thinned) * this.#ratio * 1000,
      lagMs: this.#lagMs,
    };
    this.#state = stepShedding(this.#state, load, this.#parts.tuning());
  }
}
