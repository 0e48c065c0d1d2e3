/**
 * Owns how far behind the room's clock what the CDN brings is shown: late enough that nearly all has
 * come by then, learned from how late it came in the last minute, and moved so slowly that nobody sees
 * it. Pure; bounded. Rule: SPEC K-CDN-10. What the start is made of: docs/cdn.md "Show".
 */

/** A cached manifest may be a second old, and is still given for another while a newer one is fetched. */
const CACHE_MS = 2000;
/** Beyond this share of the last minute's lines is what may come late. */
export const SHARE = 0.995;
export const MARGIN_MS = 100;
/** Milliseconds a second: up fast enough for a CDN that slows down, down too slowly to be seen. */
const UP_MS = 100;
const DOWN_MS = 20;
const STEP_MS = 100;
const SLOT_MS = 10_000;
const SLOTS = 6;
/** Lines before anything is learned. */
const LINES_MIN = 20;

interface Slot {
  readonly since: number;
  /** Lines by lateness in steps of 100 ms; the last holds all beyond the maximum. */
  readonly counts: number[];
}

export class SteadyDelay {
  #slots: Slot[] = [];
  #movedAt: number | undefined;
  #ms: number;
  readonly #min: number;
  readonly #max: number;
  /** Lines seen, and those that came when their time was over. */
  lines = 0;
  late = 0;

  /** `maxMs`: never further behind, even if that means late lines. */
  constructor({ segmentMs, pollMs }: { segmentMs: number; pollMs: number }, maxMs: number) {
    this.#max = maxMs;
    this.#min = Math.min(maxMs, segmentMs);
    this.#ms = Math.min(maxMs, segmentMs + pollMs + CACHE_MS);
  }

  get ms(): number {
    return this.#ms;
  }

  /** Lines came so many milliseconds after they were said. `now` never goes back. */
  came(latenesses: readonly number[], now: number): void {
    this.#move(now);
    for (const lateness of latenesses) {
      this.lines++;
      if (lateness > this.#ms) this.late++;
      const step = Math.min(this.#max, Math.max(0, lateness)) / STEP_MS;
      const { counts } = this.#slot(now);
      counts[Math.ceil(step)] = (counts[Math.ceil(step)] ?? 0) + 1;
    }
  }

  #slot(now: number): Slot {
    const newest = this.#slots.at(-1);
    if (newest !== undefined && now < newest.since + SLOT_MS) return newest;
    const slot = { since: now, counts: [] };
    this.#slots.push(slot);
    return slot;
  }

  #move(now: number): void {
    const seconds = Math.min(10, Math.max(0, now - (this.#movedAt ?? now)) / 1000);
    this.#movedAt = now;
    this.#slots = this.#slots.filter(({ since }) => now < since + SLOT_MS * SLOTS);
    const target = this.#target();
    if (target === undefined) return;
    const wanted = Math.min(this.#max, Math.max(this.#min, target));
    const step = Math.min(seconds * UP_MS, Math.max(-seconds * DOWN_MS, wanted - this.#ms));
    this.#ms += step;
  }

  /** What all but the latest lines of the last minute would have needed. */
  #target(): number | undefined {
    const total: number[] = [];
    for (const { counts } of this.#slots) {
      counts.forEach((count, step) => (total[step] = (total[step] ?? 0) + count));
    }
    const all = total.reduce((sum, count) => sum + (count ?? 0), 0);
    if (all < LINES_MIN) return undefined;
    let left = all * SHARE;
    const step = total.findIndex((count) => (left -= count ?? 0) <= 0);
    return step * STEP_MS + MARGIN_MS;
  }
}
