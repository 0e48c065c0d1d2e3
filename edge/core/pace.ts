/**
 * Owns the edge's pace: a bucket of core time that fan-out spends and real time refills at the
 * configured share. While there is credit a flush goes at once; without, it waits, and what waits
 * is joined. So the interval of a viewer becomes (time of a round of fan-out) / share by itself,
 * and is nil for as long as the load fits. Rule: SPEC E-OUT-3.
 */

/** Core time that may be spent at once, milliseconds; bounds the pause other work sees. */
export const PACE_BURST_MS = 4;

export class Pacer {
  #busyShare: number;
  #creditMs = PACE_BURST_MS;
  #at: number;

  constructor(busyShare: number, now: number) {
    this.#busyShare = busyShare;
    this.#at = now;
  }

  /** Milliseconds until the next flush may begin; 0 means now. */
  waitMs(now: number): number {
    this.#refill(now);
    // A debt under a nanosecond is rounding.
    return this.#creditMs >= -1e-6 ? 0 : -this.#creditMs / this.#busyShare;
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
