/**
 * Thousands of random events against one room; a failure names the seed that repeats it.
 * `SIM_SEEDS=5,6,7` runs those seeds as well.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../src/verdict.js';
import { World } from './room-world.js';

const EVENTS = 10_000;
/** Named for what they were kept for; add the seed of every failure found. */
const SEEDS: Readonly<Record<string, number>> = {
  first: 1,
  second: 2,
  'third time lucky': 3,
  'double ten': 1010,
  'large number': 4_294_967_295,
  'larger than 32 bits': 8_589_934_592,
  'the year': 2026,
  birthday: 19_880_808,
  'all sixes': 666_666,
  'all eights': 888_888,
};
/** Every end there is but those only an edge gives. */
const REACHED: readonly Verdict[] = [
  'published',
  'merged',
  'counted',
  'sampled_out',
  'shed',
  'invalid',
  'too_large',
  'rate_limited',
  'slow_mode',
  'muted',
  'banned',
  'forbidden',
  'frozen',
  'closed',
  'overloaded',
  'unavailable',
];

function simulate(seed: number, events: number): World {
  const world = new World(seed);
  let step = 0;
  try {
    for (; step < events; step++) world.step();
    world.finish();
  } catch (error) {
    throw new Error(`seed ${seed}, event ${step}: ${(error as Error).message}`, { cause: error });
  }
  return world;
}

/** A digest of every plan and settlement. */
function digest(world: World): string {
  return createHash('sha256').update(world.trace.join('\n')).digest('hex');
}

const asked = (process.env['SIM_SEEDS'] ?? '').split(',').filter((seed) => seed !== '');
const seeds = [
  ...Object.entries(SEEDS),
  ...asked.map((seed) => ['asked for', Number(seed)] as const),
];

describe('a room under random events', () => {
  it.each(seeds)(
    'R-ADMIT-1 R-LANE-1 R-TICK-1 R-TICK-10 hold after every event: seed %s (%d)',
    (_name, seed) => {
      const { verdicts } = simulate(seed, EVENTS).state;
      const missing = REACHED.filter((verdict) => verdicts[verdict] === 0);
      expect(missing.length, `never reached: ${missing.join(', ')}`).toBeLessThanOrEqual(2);
    },
  );

  it('R-TICK-8 the same seed gives the same plans and ends, another seed others', () => {
    const once = digest(simulate(77, EVENTS / 4));
    expect(digest(simulate(77, EVENTS / 4))).toBe(once);
    expect(digest(simulate(78, EVENTS / 4))).not.toBe(once);
  });
});
