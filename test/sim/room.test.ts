/**
 * Thousands of random events against one room; a failure names the seed that repeats it.
 * `SIM_SEEDS=5,6,7` runs those seeds as well, `SIM_EVENTS=1000000` so many events in all.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../src/verdict.js';
import { World } from './room-world.js';

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
/** Of all seeds together: about 150,000 unless told otherwise. */
const EVENTS_ALL = Number(process.env['SIM_EVENTS'] ?? 150_000);
const EVENTS = Math.ceil(EVENTS_ALL / Object.keys(SEEDS).length);

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
  'repeated',
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
    'R-ADMIT-1 R-LANE-1 R-TICK-1 R-TICK-4 R-TICK-5 R-TICK-10 R-AGG-7 hold after every event: seed %s (%d)',
    (_name, seed) => {
      const { state, sampledAtEdge, combosEnded } = simulate(seed, EVENTS);
      const { verdicts } = state;
      const missing = REACHED.filter((verdict) => verdicts[verdict] === 0);
      expect(missing.length, `never reached: ${missing.join(', ')}`).toBeLessThanOrEqual(2);
      expect(sampledAtEdge).toBeGreaterThan(0);
      expect(combosEnded).toBeGreaterThan(0);
    },
    20_000 + EVENTS,
  );

  it('R-TICK-8 the same seed gives the same plans and ends, another seed others', () => {
    const once = digest(simulate(77, 2500));
    expect(digest(simulate(77, 2500))).toBe(once);
    expect(digest(simulate(78, 2500))).not.toBe(once);
  });
});
