/**
 * Owns how many droppable bytes a second a room sends to each of its viewers, smoothed so that one full
 * tick says little and a quiet room falls to nothing. The same on the CDN and off it: it is measured
 * before anybody says who carries them. Pure.
 */

/** Time in which an old rate has lost 63 % of its weight. */
export const DROP_SMOOTH_MS = 10_000;
/** So long after it began nine tenths of a steady rate are seen; before, a low one says nothing. */
const KNOWN_MS = 2.3 * DROP_SMOOTH_MS;

export class DropRate {
  readonly #from: number;
  #perMs = 0;
  #at: number;

  /** `now`: unix milliseconds from which all that is sent is added. */
  constructor(now: number) {
    this.#from = now;
    this.#at = now;
  }

  /** At most what `perSecond` gives from now on with nothing added; costs nothing. */
  get atMost(): number {
    return this.#perMs * 1000;
  }

  add(bytes: number, now: number): void {
    this.#settle(now);
    this.#perMs += bytes / DROP_SMOOTH_MS;
  }

  /** Bytes a second. */
  perSecond(now: number): number {
    this.#settle(now);
    return this.#perMs * 1000;
  }

  /** Whether it was added to for long enough that a low rate is one. */
  isKnown(now: number): boolean {
    return now - this.#from >= KNOWN_MS;
  }

  #settle(now: number): void {
    const passed = now - this.#at;
    if (passed <= 0) return;
    this.#perMs *= Math.exp(-passed / DROP_SMOOTH_MS);
    this.#at = now;
  }
}
