/**
 * Owns the rate of a rising count, smoothed over about a second however often it is looked at, so
 * that edges that report every 5 ms and every second tell the same.
 */

/** Time in which an old rate has lost 63 % of its weight. */
const SMOOTH_MS = 1000;

export class SmoothRate {
  #total: number;
  #at: number;
  #perMs = 0;
  #isKnown = false;

  constructor(total: number, now: number) {
    this.#total = total;
    this.#at = now;
  }

  /** Count per millisecond; `total` is the count now. */
  next(total: number, now: number): number {
    const passed = now - this.#at;
    if (passed <= 0) return this.#perMs;
    const perMs = Math.max(0, total - this.#total) / passed;
    const weight = this.#isKnown ? 1 - Math.exp(-passed / SMOOTH_MS) : 1;
    this.#perMs += (perMs - this.#perMs) * weight;
    this.#isKnown = true;
    this.#total = total;
    this.#at = now;
    return this.#perMs;
  }
}
