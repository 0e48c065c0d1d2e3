/** The SDK's own clock beside a device's that is stepped. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../client/clock.js';
import { Intake } from '../../client/intake.js';

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

describe("the room's clock by heads of answers", () => {
  it.each([
    { name: 'the first holds', heard: [5000], ahead: 5000 },
    { name: 'one sooner is nearer', heard: [5000, 5300], ahead: 5300 },
    { name: 'one late is passed over', heard: [5000, 4200], ahead: 5000 },
    {
      name: 'far behind: the device was set forward',
      heard: [5000, -3_595_000],
      ahead: -3_595_000,
    },
    { name: 'far ahead: it was set back', heard: [-5000, 3_600_000], ahead: 3_600_000 },
  ])('K-CLOCK-2 $name', ({ heard, ahead }) => {
    const intake = new Intake({ clock: { now: () => 1e12, after: vi.fn() } } as never);
    for (const aheadMs of heard) intake.line({ type: 'clock', aheadMs }, 'poll');
    expect(intake.roomNow - 1e12).toBe(ahead);
  });
});
