/**
 * Owns when something that was not acknowledged is sent again: three tries at a short fixed delay,
 * one more after a delay learned for each viewer, then no more. The fifth and sixth try of those who
 * measured it added 2 % and 1 %. Knows no viewer and no frame. Rule: SPEC R-ACK-2.
 */

export const FAST_TRIES = 3;
export const FAST_MS = 2000;
/** Tries in all, after the first sending. */
export const TRIES_MAX = 4;
/** The learned delay: where it begins, by how much it grows, where it ends. */
export const SLOW_MS_MIN = 5000;
export const SLOW_MS_STEP = 5000;
export const SLOW_MS_MAX = 30_000;

/** One thing sent to one viewer. */
export interface Unacked {
  /** Times it was sent again. */
  tries: number;
  dueAt: number;
  /** It is of no use after this time. */
  readonly until: number;
}

/** What was learned of one viewer. */
export interface Pace {
  slowMs: number;
}

export type ResendStep = 'wait' | 'resend' | 'give_up';

export function freshPace(): Pace {
  return { slowMs: SLOW_MS_MIN };
}

/** Sent for the first time at `now`, of use for `validMs`. */
export function firstSend(now: number, validMs: number): Unacked {
  return { tries: 0, dueAt: now + Math.min(FAST_MS, validMs), until: now + validMs };
}

/** What to do with it at `now`; after `resend` its next time is set. */
export function nextStep(unacked: Unacked, pace: Pace, now: number): ResendStep {
  if (now >= unacked.until) return 'give_up';
  if (now < unacked.dueAt) return 'wait';
  if (unacked.tries >= TRIES_MAX) return 'give_up';
  unacked.tries++;
  // The viewer that needs the slow try is slower than thought.
  if (unacked.tries > FAST_TRIES) pace.slowMs = Math.min(SLOW_MS_MAX, pace.slowMs + SLOW_MS_STEP);
  const delayMs = unacked.tries < FAST_TRIES ? FAST_MS : pace.slowMs;
  unacked.dueAt = Math.min(now + delayMs, unacked.until);
  return 'resend';
}

/** Acknowledged: a viewer that answers at once is a fast one again. */
export function learn(pace: Pace, unacked: Unacked): void {
  if (unacked.tries === 0) pace.slowMs = Math.max(SLOW_MS_MIN, pace.slowMs - SLOW_MS_STEP);
}
