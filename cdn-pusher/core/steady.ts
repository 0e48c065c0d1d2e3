/**
 * Owns telling a clock that was stepped from time that passed, for what is looked at often. A process
 * that stood still looks the same, and is treated alike: better to keep for too long. Knows no timer.
 */

/** Looks are far closer than this. */
const PASSED_MS_MAX = 5000;

export class Steady {
  #lookedAt: number | undefined;

  /** How far the clock was stepped since the last look, milliseconds; 0 when it just went on. */
  moved(now: number): number {
    const passed = now - (this.#lookedAt ?? now);
    this.#lookedAt = now;
    return passed < 0 || passed > PASSED_MS_MAX ? passed : 0;
  }
}
