/**
 * Owns the steps in which edges count the delays that viewers report of a CDN, so that room services can
 * tell what the slowest of them have: a quarter of a doubling each, from 250 ms to 32 s.
 */
const LEAST_MS = 250;
const STEPS_A_DOUBLING = 4;
/** The last is for all that is more. */
export const DELAY_STEPS = 30;

/** The step that a delay counts in. */
export function delayStep(delayMs: number): number {
  const step = Math.ceil(Math.log2(Math.max(LEAST_MS, delayMs) / LEAST_MS) * STEPS_A_DOUBLING);
  return Math.min(DELAY_STEPS - 1, step);
}

/** The delay that a share (0-1) of all that was counted keeps, between the ends of its step; 0 of none. */
export function delayAtShare(counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let left = total * share;
  for (const [step, count] of counts.entries()) {
    if (count > 0 && left <= count) {
      const from = step === 0 ? 0 : endOf(step - 1);
      return from + (endOf(step) - from) * (left / count);
    }
    left -= count;
  }
  return 0;
}

function endOf(step: number): number {
  return LEAST_MS * 2 ** (step / STEPS_A_DOUBLING);
}
