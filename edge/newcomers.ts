/**
 * Owns how fast newcomers come in while the edge has more to send than it should: those who are here
 * go before those who are not yet; and shutting the door while more wait for their turn than can be
 * held. Rules: SPEC E-SHED-5, E-JOIN-3.
 */
import { gcra, gcraWaitMs, type Quota } from '../src/gcra.js';
import type { Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import type { ShedLevel } from './core/shedding.js';
import type { EdgeTuning } from './options.js';

/** Newcomers let in while hard pressed; at a tenth of what a core can take (13,000/s) and less. */
export const NEWCOMERS: Readonly<Record<Exclude<ShedLevel, 'none'>, Quota>> = {
  soft: { perSecond: 200, burst: 50 },
  hard: { perSecond: 20, burst: 5 },
};

export interface NewcomersParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
  readonly level: () => ShedLevel;
  /** How long those who wait for their turn will take, ms, when no more can; undefined: they can. */
  readonly fullMs: () => number | undefined;
}

export class Newcomers {
  readonly #parts: NewcomersParts;
  #tat = 0;

  constructor(parts: NewcomersParts) {
    this.#parts = parts;
  }

  /** When one who is turned away now should come again, ms; undefined: the door is open. */
  waitMs(): number | undefined {
    const { clock, fullMs, level, random, tuning } = this.#parts;
    const now = clock.now();
    const full = fullMs();
    // Back within the time after that in which as many again have their turn.
    if (full !== undefined) return spread(full, Math.max(full, tuning().reconnectJitterMs), random);
    const held = level();
    if (held === 'none') return undefined;
    const ms = gcraWaitMs(this.#tat, now, NEWCOMERS[held]);
    // All those turned away at once must not be back at once.
    return ms === 0 ? undefined : spread(ms, tuning().reconnectJitterMs, random);
  }

  /** Lets one in, or says as `waitMs` when it should come again. */
  enter(): number | undefined {
    const { clock, level } = this.#parts;
    const held = level();
    if (held === 'none') return undefined;
    const tat = gcra(this.#tat, clock.now(), NEWCOMERS[held]);
    if (tat === undefined) return this.waitMs();
    this.#tat = tat;
    return undefined;
  }
}

function spread(ms: number, overMs: number, random: Random): number {
  return Math.ceil(ms) + random.below(Math.ceil(overMs) + 1);
}
