/** The SDK's own clock beside a device's that is stepped. */
import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../client/clock.js';

const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

it('K-CLOCK-1 a clock set back is not followed, time goes on', async () => {
  const real = Date.now;
  const before = systemClock.now();
  vi.spyOn(Date, 'now').mockImplementation(() => real() - HOUR_MS);
  const after = systemClock.now();
  expect(after).toBeGreaterThanOrEqual(before);
  expect(after - before).toBeLessThan(1000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(systemClock.now()).toBeGreaterThan(after);
});

it('K-CLOCK-1 a clock set forward is followed, and not back again', () => {
  const real = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + HOUR_MS);
  expect(systemClock.now() - real()).toBeGreaterThan(HOUR_MS - 1000);
  vi.restoreAllMocks();
  expect(systemClock.now() - real()).toBeGreaterThan(HOUR_MS - 1000);
});
