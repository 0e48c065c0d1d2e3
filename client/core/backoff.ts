/**
 * Owns how long a viewer waits before it comes back: what it was advised plus a random share of a
 * time that grows with each try (full jitter, AWS "Exponential Backoff And Jitter"), longer when
 * nobody looks. Pure. Rules: SPEC K-BACK-1 to K-BACK-5.
 */

/** First range when the edge has not named its own. */
const JITTER_MS = 1000;
const JITTER_MS_MAX = 30_000;
/** Advice beyond this is not followed. */
const ADVICE_MS_MAX = 600_000;
/** A link that held this long begins again with the shortest wait. */
export const STEADY_MS = 5000;
/** An edge that is gone sends all its viewers on: enough to spread them, too little to be missed. */
const ELSEWHERE_MS = 300;
/** A hidden page has time. */
const HIDDEN_FACTOR = 4;

export class Backoff {
  #tries = 0;
  #jitterMs = JITTER_MS;

  /** The edge's `reconnectJitterMs`. */
  set jitterMs(ms: unknown) {
    this.#jitterMs = bounded(ms, 100, JITTER_MS_MAX, JITTER_MS);
  }

  /** A link ended after it had been joined for so long. */
  held(ms: number): void {
    if (ms >= STEADY_MS) this.#tries = 0;
  }

  /** Milliseconds until the next try. `random` is 0-1. */
  next(adviceMs: unknown, isHidden: boolean, random: number): number {
    const spread = Math.min(JITTER_MS_MAX, this.#jitterMs * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, 10);
    return (
      bounded(adviceMs, 0, ADVICE_MS_MAX, 0) + random * spread * (isHidden ? HIDDEN_FACTOR : 1)
    );
  }
}

/** Milliseconds until another edge is tried after one that did not answer. `random` is 0-1. */
export function elsewhereMs(random: number): number {
  return random * ELSEWHERE_MS;
}

/** `value` within bounds, or what is said otherwise when it is no number. */
export function bounded(value: unknown, min: number, max: number, otherwise: number): number {
  const number = typeof value === 'number' ? value : NaN;
  return Number.isFinite(number) ? Math.min(max, Math.max(min, number)) : otherwise;
}
