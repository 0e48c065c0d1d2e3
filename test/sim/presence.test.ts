/** Presence in a bad world: nothing is told twice, and one digest after it all is as it is. */
import { expect, it } from 'vitest';
import type { UserId } from '../../src/ids.js';
import { PRESENCE_DIGEST_MS } from '../../src/wire/presence.js';
import { PresenceWorld, ROOMS } from './presence-world.js';

const EDGES = 4;
const USERS = 60;
/** After the last loss: one digest, asked for when it is late, and what it asks for. */
const REPAIRED_MS = PRESENCE_DIGEST_MS * 1.2 + 2500;

async function live(world: PresenceWorld, steps: number): Promise<void> {
  const { random } = world;
  for (let i = 0; i < steps; i++) {
    const edge = random.below(EDGES);
    const room = ROOMS[random.below(ROOMS.length)]!;
    const user = `u${random.below(USERS)}` as UserId;
    const chance = random.next();
    if (chance < 0.5) world.connect(edge, room, user);
    else if (chance < 0.9) {
      const left = world.disconnect(edge);
      // Every other one comes back at once, here or elsewhere.
      if (left !== undefined && random.next() < 0.5) {
        await world.run(random.below(1000));
        world.connect(random.below(EDGES), ...left);
      }
    } else if (chance < 0.95) world.killEdge(edge);
    else if (world.edges[edge] === undefined) world.startEdge(edge);
    await world.run(random.below(600));
  }
}

function expectAlternation(world: PresenceWorld): void {
  for (const room of ROOMS) {
    const here = new Map<string, boolean>();
    for (const { user, isHere } of world.told.get(room)!) {
      expect(isHere, `${room} ${user}`).toBe(!(here.get(user) ?? false));
      here.set(user, isHere);
    }
    const present = [...here].filter(([, isHere]) => isHere).map(([user]) => user);
    expect(present.sort()).toEqual([...world.truth(room).keys()].sort());
  }
}

function expectTruth(world: PresenceWorld): void {
  for (const room of ROOMS) {
    const sorted = (users: Map<string, number>) => [...users].sort();
    expect(sorted(world.known(room)), room).toEqual(sorted(world.truth(room)));
  }
}

it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
  'R-PRES-3 whatever the bus loses, one digest later the list is the truth (seed %i)',
  async (seed) => {
    const world = new PresenceWorld(seed, EDGES);
    for (let round = 0; round < 3; round++) {
      world.bus.isBad = true;
      await live(world, 150);
      world.bus.isBad = false;
      // What is under way on the bad bus, then a digest, then the linger of who is not there.
      await world.run(REPAIRED_MS + world.settings.presenceLingerMs);
      expectTruth(world);
      expectAlternation(world);
    }
    expect(world.bus.lost).toBeGreaterThan(10);
    expect(world.meters.holes.value).toBeGreaterThan(10);
    expect(world.meters.reports.get('stale')).toBeGreaterThan(10);
    expect(world.meters.repairs.value).toBeGreaterThan(10);
    expect(world.meters.edgesForgotten.value).toBeGreaterThan(0);
  },
);

it.each([21, 22, 23, 24])(
  'R-PRES-4 another owner goes on where the first stopped (seed %i)',
  async (seed) => {
    const world = new PresenceWorld(seed, EDGES);
    for (let round = 0; round < 4; round++) {
      world.bus.isBad = true;
      await live(world, 60);
      await world.replaceOwner();
      await live(world, 20);
      world.bus.isBad = false;
      await world.run(2 * REPAIRED_MS + world.settings.presenceLingerMs);
      expectTruth(world);
      expectAlternation(world);
    }
  },
);

it('R-PRES-5 a crowd comes and goes: numbers above the bound, the list again below it', async () => {
  const world = new PresenceWorld(5, EDGES);
  world.settings.presenceMax = 200;
  const [room] = ROOMS;
  for (let i = 0; i < 800; i++) {
    world.connect(i % EDGES, room!, `u${i}` as UserId);
    if (i % 100 === 0) await world.run(100);
  }
  world.bus.isBad = false;
  await world.run(REPAIRED_MS);
  expect(world.rooms.get(room!)).toMatchObject({ kept: 'counts', users: 800 });
  expect(() => world.rooms.get(room!)!.members('', 10)).toThrow(/only their number/);
  const before = world.told.get(room!)!.length;
  expect(before).toBeLessThanOrEqual(201);
  for (let i = 0; i < 700; i++) world.disconnect(i % EDGES);
  await world.run(REPAIRED_MS);
  expect(world.rooms.get(room!)!.kept).toBe('list');
  expectTruth(world);
  expect(
    world.told
      .get(room!)!
      .slice(before)
      .map(({ isHere }) => isHere),
  ).toEqual(Array.from({ length: 100 }, () => true));
});
