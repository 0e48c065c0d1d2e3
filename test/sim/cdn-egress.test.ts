/**
 * Rooms on the egress mark over hours: droppables sent tick by tick, viewers that follow the CDN and
 * let the edges send less the moment it is on. What is measured is the demand, so nothing swings.
 */
import { describe, expect, it } from 'vitest';
import { CDN_START, decideCdn, type CdnSwitch } from '../../room/core/cdn-switch.js';
import { DropRate } from '../../room/core/drop-rate.js';
import { seededRandom, type Random } from '../../src/random.js';

const STAY = 60_000;
const ON_ABOVE = 1_000_000;
const OFF_BELOW = 500_000;
const VIEWERS = 1000;
const START = 1_700_000_000_000;

interface Change {
  readonly second: number;
  readonly mode: 'on' | 'off';
  readonly why: string;
}

class World {
  readonly rate = new DropRate(START);
  readonly changes: Change[] = [];
  state: CdnSwitch = CDN_START;
  /** Bytes of the last second that edges sent and that would be read from the CDN. */
  edges = 0;
  #now = START;

  /** A second of ten ticks with so many bytes for each viewer. */
  second(bytes: number, random: Random): void {
    const viewers = this.state.mode === 'on' ? 0 : VIEWERS;
    this.edges = 0;
    for (let tick = 0; tick < 10; tick++) {
      this.#now += 100;
      const size = (bytes / 10) * 2 * random.next();
      this.rate.add(size, this.#now);
      this.edges += size * viewers;
    }
    const next = decideCdn(
      this.state,
      {
        ...{ choice: 'auto', online: VIEWERS, onAbove: 1e9, offBelow: 1e9 - 1, stayMs: STAY },
        ...{ hasSource: true, hasPusher: true, isPusherEnding: false },
        egress: this.rate.perSecond(this.#now) * VIEWERS,
        isEgressKnown: this.rate.isKnown(this.#now),
        ...{ egressOnAbove: ON_ABOVE, egressOffBelow: OFF_BELOW },
      },
      this.#now,
    );
    if (next.mode !== this.state.mode) {
      const second = Math.round((this.#now - START) / 1000);
      this.changes.push({ second, mode: next.mode, why: next.why });
    }
    this.state = next;
  }
}

describe('the egress mark over time', () => {
  it('R-CDN-11 a room over the mark goes once and stays, though its edges send nothing any more', () => {
    const world = new World();
    const random = seededRandom(3);
    for (let i = 0; i < 3600; i++) world.second(1500, random);
    expect(world.changes).toMatchObject([{ mode: 'on', why: 'egress' }]);
    // 1.5 times the mark: seen after ln 3 smoothing times.
    expect(world.changes[0]!.second).toBeGreaterThanOrEqual(8);
    expect(world.changes[0]!.second).toBeLessThanOrEqual(16);
    expect(world.edges).toBe(0);
    // The show is over: back once, a stay after the demand is below the lower mark.
    for (let i = 0; i < 600; i++) world.second(100, random);
    expect(world.changes).toMatchObject([{}, { mode: 'off', why: 'egress' }]);
    const after = world.changes[1]!.second - 3600;
    expect(after).toBeGreaterThanOrEqual(60);
    expect(after).toBeLessThanOrEqual(80);
    expect(world.edges).toBeGreaterThan(0);
  });

  it('R-CDN-11 a burst of a second is no reason to go, and a pause no reason to come back', () => {
    const world = new World();
    const random = seededRandom(4);
    for (let i = 0; i < 600; i++) world.second(i % 60 === 0 ? 4000 : 50, random);
    expect(world.changes).toEqual([]);
    for (let i = 0; i < 60; i++) world.second(2000, random);
    expect(world.changes).toMatchObject([{ mode: 'on' }]);
    // Half a minute without a word, again and again.
    for (let i = 0; i < 3600; i++) world.second(i % 60 < 30 ? 0 : 2000, random);
    expect(world.changes).toHaveLength(1);
  });

  it('R-CDN-11 whatever rooms say, two changes are a stay apart and between the marks nothing moves', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const world = new World();
      let bytes = 0;
      for (let i = 0; i < 1800; i++) {
        if (random.next() < 0.05) bytes = random.next() * 3000;
        world.second(bytes, random);
      }
      const { changes } = world;
      for (let i = 1; i < changes.length; i++) {
        const gap = changes[i]!.second - changes[i - 1]!.second;
        expect(gap, `seed ${seed}`).toBeGreaterThanOrEqual(STAY / 1000);
        expect(changes[i]!.mode).not.toBe(changes[i - 1]!.mode);
      }
      // Now between the marks, where it stays as it is.
      const before = changes.length;
      for (let i = 0; i < 60; i++) world.second(750, random);
      const settled = world.changes.length;
      expect(settled - before).toBeLessThanOrEqual(1);
      for (let i = 0; i < 1800; i++) world.second(750, random);
      expect(world.changes.length, `seed ${seed}`).toBe(settled);
    }
  });
});

describe('the rate of droppables', () => {
  it('R-CDN-11 follows a steady stream within a few seconds, whatever its ticks, and falls to nothing', () => {
    for (const tickMs of [40, 100, 1000]) {
      const rate = new DropRate(START);
      let now = START;
      const send = (ms: number) => {
        for (const end = now + ms; now < end;) rate.add(tickMs * 5, (now += tickMs));
      };
      send(10_000);
      expect(rate.perSecond(now)).toBeGreaterThan(3000);
      expect(rate.isKnown(now)).toBe(false);
      send(50_000);
      expect(rate.isKnown(now)).toBe(true);
      expect(rate.perSecond(now)).toBeGreaterThan(4700);
      expect(rate.perSecond(now)).toBeLessThan(5300);
      expect(rate.atMost).toBeGreaterThanOrEqual(rate.perSecond(now));
      expect(rate.perSecond(now + 60_000)).toBeLessThan(20);
      // A clock set back gives no new bytes.
      expect(rate.perSecond(now)).toBeLessThan(20);
    }
  });
});
