/** Connections looked after in rounds: nobody is passed over, nobody else waits for a whole round. */
import { describe, expect, it } from 'vitest';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { Watchers, type SweepEnd } from '../../edge/watchers.js';
import { seededRandom } from '../../src/random.js';
import { ManualClock } from '../kit/manual-clock.js';

const HEARTBEAT_MS = 25_000;
const ROUND_MS = 1000;

function setUp(count: number, end: () => SweepEnd = () => 'fine') {
  const clock = new ManualClock();
  const tuning = () => ({ ...EDGE_DEFAULTS, heartbeatMs: HEARTBEAT_MS });
  const watchers = new Watchers({
    ...{ clock, tuning, random: seededRandom(3), elsewhere: { name: () => [] } },
  });
  const swept = Array.from({ length: count }, () => 0);
  const all = swept.map((_, i) => ({
    place: -1,
    quietUntil: 0,
    sweep: () => {
      swept[i]! += 1;
      return end();
    },
    end: () => undefined,
  }));
  for (const watcher of all) watchers.add(watcher);
  return { clock, watchers, swept, all };
}

const sumOf = (swept: readonly number[]): number => swept.reduce((sum, one) => sum + one, 0);

describe('sweeps', () => {
  it('E-IN-8 each of ten thousand is looked at once a round, in steps of a fortieth', () => {
    const { clock, watchers, swept } = setUp(10_000);
    clock.advance(ROUND_MS);
    // Steps went on as for nobody until the first was over.
    clock.advance(ROUND_MS);
    const before = [...swept];
    let most = 0;
    let seen = sumOf(swept);
    for (let ms = 0; ms < 10 * ROUND_MS; ms += 5) {
      clock.advance(5);
      most = Math.max(most, sumOf(swept) - seen);
      seen = sumOf(swept);
    }
    expect(most).toBeLessThanOrEqual(250);
    for (const [i, times] of swept.entries()) {
      expect(times - before[i]!).toBeGreaterThanOrEqual(9);
      expect(times - before[i]!).toBeLessThanOrEqual(11);
    }
    watchers.stop();
  });

  it('E-IN-8 who comes and goes meanwhile takes nobody else out of the round', () => {
    const { clock, watchers, swept, all } = setUp(1000);
    clock.advance(2 * ROUND_MS);
    const before = [...swept];
    for (let i = 0; i < 300; i++) {
      watchers.remove(all[i]!);
      watchers.add({ place: -1, quietUntil: 0, sweep: () => 'fine', end: () => undefined });
      clock.advance(10);
    }
    for (let i = 300; i < 1000; i++) expect(swept[i]! - before[i]!).toBeGreaterThanOrEqual(2);
    const removed = swept.slice(0, 300);
    clock.advance(3 * ROUND_MS);
    expect(swept.slice(0, 300)).toEqual(removed);
    watchers.stop();
  });

  it('E-IN-8 pings are spread: those who came at once are not pinged at once', () => {
    const { clock, watchers, swept } = setUp(10_000, () => 'pinged');
    clock.advance(2 * ROUND_MS);
    const before = sumOf(swept);
    clock.advance(25);
    expect(sumOf(swept) - before).toBeLessThanOrEqual(50);
    clock.advance(ROUND_MS - 25);
    expect(sumOf(swept) - before).toBeLessThanOrEqual(2050);
    clock.advance(5 * ROUND_MS);
    expect(swept.every((times) => times > 0)).toBe(true);
    watchers.stop();
  });
});
