/**
 * Owns when a worker that ended is started again, and when that makes no sense any more. Pure.
 * Rules: SPEC E-PROC-4.
 */

/** One that ended sooner after its start than this ended at once. */
export const SOON_MS = 10_000;
/** So often in a row, and no further one is started. */
export const SOON_ENDS_MAX = 5;
const WAIT_MS_MIN = 100;
const WAIT_MS_MAX = 5000;

export type Restart = { readonly afterMs: number } | 'give up';

/** Of one worker's place. */
export class RestartPolicy {
  #soonEnds = 0;

  /** `aliveMs`: how long it ran. The wait doubles while they end at once. */
  ended(aliveMs: number): Restart {
    this.#soonEnds = aliveMs < SOON_MS ? this.#soonEnds + 1 : 0;
    if (this.#soonEnds >= SOON_ENDS_MAX) return 'give up';
    return { afterMs: Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.max(0, this.#soonEnds - 1)) };
  }
}
