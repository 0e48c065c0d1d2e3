/** Joins in turn: at once while there is time, in line when many come, in bounded room. */
import { describe, expect, it } from 'vitest';
import {
  HELD_JOIN_BYTES_MAX,
  HELD_JOINS_MAX,
  JOIN_TURN_MS,
  JoinTurns,
} from '../../edge/join-turns.js';
import { Newcomers } from '../../edge/newcomers.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { seededRandom } from '../../src/random.js';
import { ManualClock } from '../kit/manual-clock.js';

function setUp() {
  const clock = new ManualClock();
  const faults: string[] = [];
  let spentMs = 0;
  // Time that a join takes passes on this clock only while it runs.
  const turns = new JoinTurns({
    clock: { now: () => clock.now() + spentMs },
    later: (run) => clock.after(1, run),
    fault: (where) => faults.push(where),
  });
  const ended: string[] = [];
  const come = (name: string, { ms = 1, bytes = 100 } = {}) =>
    turns.run(bytes, (isWanted) => {
      spentMs += ms;
      ended.push(isWanted ? name : `not ${name}`);
    });
  return { clock, turns, ended, come, faults };
}

describe('joins in turn', () => {
  it('E-JOIN-3 a few are let in at once, of many the rest in the order in which they came', () => {
    const { clock, turns, ended, come } = setUp();
    const names = Array.from({ length: 3 * JOIN_TURN_MS }, (_, i) => `j${i}`);
    const atOnce = names.map((name) => come(name));
    expect(atOnce.filter(Boolean)).toHaveLength(JOIN_TURN_MS);
    expect(ended).toEqual(names.slice(0, JOIN_TURN_MS));
    clock.advance(1);
    expect(ended).toEqual(names.slice(0, 2 * JOIN_TURN_MS));
    // Who comes now stands behind those who wait.
    expect(come('late')).toBe(false);
    clock.advance(2);
    expect(ended).toEqual([...names, 'late']);
    expect(turns.held).toBe(0);
    clock.advance(10);
    expect(come('calm')).toBe(true);
  });

  it('E-JOIN-3 a join that fails is told of and costs the others nothing', () => {
    const { clock, turns, ended, come, faults } = setUp();
    come('first', { ms: JOIN_TURN_MS });
    turns.run(1, () => {
      throw new Error('broken');
    });
    come('second');
    clock.advance(1);
    expect(ended).toEqual(['first', 'second']);
    expect(faults).toEqual(['join']);
  });

  it('E-JOIN-3 what waits is bounded in items and bytes; stopped, all are let go of', () => {
    const { turns, ended, come } = setUp();
    come('first', { ms: JOIN_TURN_MS });
    for (let i = 1; i < HELD_JOINS_MAX; i++) come('held');
    expect(turns.fullMs).toBeUndefined();
    come('held');
    expect(turns.held).toBe(HELD_JOINS_MAX);
    expect(turns.fullMs).toBeGreaterThan(0);
    turns.stop();
    expect(ended.filter((name) => name === 'not held')).toHaveLength(HELD_JOINS_MAX);
    expect(turns.fullMs).toBeUndefined();
    const wide = setUp();
    wide.come('first', { ms: JOIN_TURN_MS });
    wide.come('wide', { bytes: HELD_JOIN_BYTES_MAX });
    expect(wide.turns.fullMs).toBeGreaterThan(0);
  });

  it('E-JOIN-3 whom there is no room for is told when to come again, each another time', () => {
    const clock = new ManualClock();
    let fullMs: number | undefined = 5000;
    const newcomers = new Newcomers({
      ...{ clock, random: seededRandom(7), tuning: () => EDGE_DEFAULTS },
      ...{ level: () => 'none' as const, fullMs: () => fullMs },
    });
    const told = Array.from({ length: 1000 }, () => newcomers.waitMs()!);
    expect(Math.min(...told)).toBeGreaterThanOrEqual(5000);
    expect(Math.max(...told)).toBeLessThanOrEqual(10_000);
    // Spread over the whole of it: each tenth gets its part.
    for (let from = 5000; from < 10_000; from += 500) {
      const part = told.filter((ms) => ms >= from && ms < from + 500).length;
      expect(part).toBeGreaterThan(50);
      expect(part).toBeLessThan(150);
    }
    fullMs = undefined;
    expect(newcomers.waitMs()).toBeUndefined();
  });
});
