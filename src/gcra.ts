/**
 * Owns one small machine: the generic cell rate algorithm (ITU-T I.371), a quota in one number.
 * `tat` is the theoretical arrival time of the next cell, in the caller's milliseconds.
 */

export interface Quota {
  readonly perSecond: number;
  /** How many are let in at once. */
  readonly burst: number;
}

/**
 * The new `tat` when one more is let in at `now`, or undefined when it is not. A refusal uses up
 * nothing: keep the old number, `gcraWaitMs` tells when to come again. Begin with 0.
 */
export function gcra(tat: number, now: number, quota: Quota): number | undefined {
  const stepMs = 1000 / quota.perSecond;
  const next = Math.max(tat, now) + stepMs;
  return next - now > stepMs * quota.burst + 1e-6 ? undefined : next;
}

/** Milliseconds until the next is let in; 0 means now. */
export function gcraWaitMs(tat: number, now: number, quota: Quota): number {
  const stepMs = 1000 / quota.perSecond;
  return Math.max(0, Math.ceil(tat + stepMs - now - stepMs * quota.burst));
}
