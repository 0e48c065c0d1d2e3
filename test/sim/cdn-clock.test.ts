/**
 * Pushers whose wall clocks are stepped, by seconds and by hours, forwards and back, alone and among
 * deaths. A failure names the seed that repeats it.
 */
import { describe, expect, it } from 'vitest';
import { CdnWorld } from './cdn-world.js';

const SECOND = 1000;
const HOUR = 3_600_000;
const STEPS = [-HOUR, -5 * SECOND, -1500, 1500, 5 * SECOND, 20 * SECOND, HOUR];

function chat(world: CdnWorld): () => void {
  return () => {
    for (const room of world.rooms) {
      if (world.random.next() < 0.15) world.say(room, 1 + world.random.below(4));
    }
  };
}

/** Modes the origin has told, in order, without repeats. */
function modesOf(world: CdnWorld): { look: () => void; seen: string[] } {
  const seen: string[] = [];
  const look = () => {
    const mode = world.origin.manifest(world.rooms[0]!.room)?.mode;
    if (mode !== undefined && mode !== seen.at(-1)) seen.push(mode);
  };
  return { look, seen };
}

describe('one clock is stepped', () => {
  it.each(STEPS)(
    'C-PUSH-7 a single pusher goes on, stepped by %i ms, and nothing is lost',
    async (ms) => {
      const world = new CdnWorld(31, 2);
      const only = await world.add();
      const { look, seen } = modesOf(world);
      const talk = chat(world);
      await world.pass(500);
      await world.pass(4000, talk);
      only.skewMs += ms;
      await world.pass(12_000, () => (look(), talk()));
      only.skewMs -= ms;
      await world.pass(12_000, () => (look(), talk()));
      await world.pass(6000, look);
      expect(world.flaws()).toEqual([]);
      expect(seen).toEqual(['on']);
      for (const room of world.rooms) {
        expect(room.sent.size).toBeGreaterThan(100);
        expect([...room.viewer.read.keys()].sort()).toEqual([...room.sent.keys()].sort());
        expect(world.repeats(room)).toBe(0);
      }
    },
  );

  it('C-PUSH-7 who starts again with a clock set back by an hour tells what it cannot know', async () => {
    const world = new CdnWorld(32, 1);
    const room = world.rooms[0]!;
    const first = await world.add();
    await world.pass(500);
    await world.pass(4000, chat(world));
    world.crash(first);
    await world.pass(4000, chat(world));
    await world.add(-HOUR);
    await world.pass(6000, chat(world));
    await world.pass(4000);
    expect(world.flaws()).toEqual([]);
    expect([...room.sent.keys()].some((id) => !room.viewer.read.has(id))).toBe(true);
    expect(room.viewer.gaps).toHaveLength(1);
    expect(world.repeats(room)).toBe(0);
  });
});

describe('clocks are stepped among deaths and starts', () => {
  it.each([1, 2, 3, 2026])(
    'C-PUSH-7 no name twice, no manifest back or without its files, viewers recover, seed %i',
    async (seed) => {
      const world = new CdnWorld(seed, 3);
      const { random } = world;
      const step = () => STEPS[random.below(STEPS.length)]!;
      await world.add();
      await world.add();
      await world.pass(200);
      for (let second = 0; second < 30; second++) {
        const { alive } = world;
        const chance = random.next();
        if (chance < 0.3) alive[random.below(alive.length)]!.skewMs += step();
        else if (chance < 0.38 && alive.length > 1) world.crash(alive[0]!);
        else if (chance < 0.5 && alive.length < 4) await world.add(step());
        await world.pass(1000, chat(world));
        expect(world.flaws(), `seed ${seed}, second ${second}`).toEqual([]);
      }
      await world.pass(15_000, chat(world));
      const settled = world.clock.now();
      await world.pass(4000, chat(world));
      await world.pass(5000);
      expect(world.flaws(), `seed ${seed}`).toEqual([]);
      for (const room of world.rooms) {
        const late = [...room.sent].filter(([, at]) => at >= settled).map(([id]) => id);
        expect(late.length).toBeGreaterThan(20);
        expect(late.filter((id) => !room.viewer.read.has(id))).toEqual([]);
      }
    },
    60_000,
  );
});
