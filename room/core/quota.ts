/**
 * Owns one small machine: a token bucket that says when the next is let in. Rate, burst and time are
 * arguments, so a change of settings holds at once. Knows no user and no room.
 */

/** `level` tokens at time `at` (milliseconds). Never more than the burst, never less than 0. */
export interface Bucket {
  level: number;
  at: number;
}

/** A bucket nobody has used yet. */
export function fullBucket(burst: number, now: number): Bucket {
  return { level: burst, at: now };
}

/**
 * Milliseconds until one more is let in: 0 means now, Infinity never (a rate of 0). Only refills; a
 * refusal uses nothing up. A level and a time instead of GCRA's one time, because at unix
 * milliseconds a double resolves 0.24 µs, which is too coarse for rates near 1,000,000 a second.
 */
export function waitMs(bucket: Bucket, perSecond: number, burst: number, now: number): number {
  if (perSecond <= 0) return Infinity;
  if (now > bucket.at) {
    bucket.level += ((now - bucket.at) * perSecond) / 1000;
    bucket.at = now;
  }
  if (bucket.level > burst) bucket.level = burst;
  return bucket.level >= 1 ? 0 : ((1 - bucket.level) * 1000) / perSecond;
}

/** Uses one up; call only after `waitMs` said 0 at the same time. */
export function takeOne(bucket: Bucket): void {
  bucket.level -= 1;
}

/** How long an empty bucket takes to fill, milliseconds. */
export function fillMs(perSecond: number, burst: number): number {
  return (burst * 1000) / perSecond;
}
