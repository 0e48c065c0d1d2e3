/**
 * Owns the edge's pace: a bucket of core time that fan-out spends and real time refills at the
 * configured share. While there is credit a flush goes at once; without, it waits, and what waits
 * is joined. So the interval of a viewer becomes (time of a round of fan-out) / share by itself,
 * and is nil for as long as the load fits. Rules: SPEC E-OUT-3, E-PACE-1, E-PACE-2.
 */

/** Core time that may be spent at once, milliseconds; bounds the pause other work sees. */
export const PACE_BURST_MS = 4;

/** Core time that keepable frames may take ahead of the pace; the droppable ones wait it off. */
export const KEEP_AHEAD_MS = 100;
/** Between two flushes ahead of the pace others in the process have their turn. */
export const KEEP_STEP_MS = 1;
/** Of the share given to a core's work, what fan-out gets however much else is to do. */
const FANOUT_SHARE_MIN = 0.3;
/** A room that fits into this share of a core is not held back at all. */
const CALM_SHARE = 0.35;
/** Nobody waits longer than this for the sake of calm alone. */
const CALM_MS_MAX = 150;

/**
 * Share of a core for fan-out when all of the core's work together is to stay within `busyShare`
 * and what is not fan-out takes `otherShare`.
 */
export function fanoutShare(busyShare: number, otherShare: number): number {
  return Math.max(busyShare * FANOUT_SHARE_MIN, busyShare - Math.max(0, otherShare));
}

/**
 * Least time between two flushes of droppable frames to the same viewers of a room, of whom all
 * together take `roundMs` of the core: fewer sends are the only thing that makes sending cheaper,
 * and what a crowd says is not read to the tenth of a second.
 */
export function calmMs(roundMs: number): number {
  return Math.min(CALM_MS_MAX, roundMs / CALM_SHARE);
}

export class Pacer {
  #busyShare: number;
  #creditMs = PACE_BURST_MS;
  #at: number;

  constructor(busyShare: number, now: number) {
    this.#busyShare = busyShare;
    this.#at = now;
  }

  /** Milliseconds until the next flush may begin, one with keepable frames or another; 0: now. */
  waitMs(now: number, isKeep = false): number {
    this.#refill(now);
    // A debt under a nanosecond is rounding.
    if (this.#creditMs >= -1e-6) return 0;
    if (!isKeep) return -this.#creditMs / this.#busyShare;
    return Math.max(KEEP_STEP_MS, -(this.#creditMs + KEEP_AHEAD_MS) / this.#busyShare);
  }

  /** Notes a flush that took `tookMs` of the core and ended at `now`. */
  spend(tookMs: number, now: number): void {
    // The cost first: what is refilled meanwhile must not be cut off at the bound.
    this.#creditMs -= tookMs;
    this.#refill(now);
  }

  tune(busyShare: number): void {
    this.#busyShare = busyShare;
  }

  #refill(now: number): void {
    const passed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#creditMs = Math.min(PACE_BURST_MS, this.#creditMs + passed * this.#busyShare);
  }
}
