/**
 * Pushers against deaths, hand-overs, clocks that differ and an origin with weather. A failure names
 * the seed that repeats it; `SIM_SEEDS=5,6` runs those as well.
 */
import { describe, expect, it } from 'vitest';
import { pushersSubject } from '../../src/subjects.js';
import { CDN_LEAVE_MS, decodeBeat, type CdnBeat } from '../../src/wire/cdn-state.js';
import { CdnWorld } from './cdn-world.js';
import type { Weather } from './cdn-origin.js';

const SEEDS = [1, 2, 3, 2026, 888_888].concat(
  (process.env['SIM_SEEDS'] ?? '').split(',').filter(Boolean).map(Number),
);
const WEATHERS: readonly Weather[] = ['fine', 'fine', 'slow', 'down', 'lossy'];

/** A few frames a second in each room. */
function chat(world: CdnWorld): () => void {
  return () => {
    for (const room of world.rooms) {
      if (world.random.next() < 0.15) world.say(room, 1 + world.random.below(4));
    }
  };
}

function shedOf(world: CdnWorld): number {
  return world.processes.reduce(
    (sum, one) => sum + one.count('barrage_cdn_shed_publications_total'),
    0,
  );
}

async function storm(seed: number): Promise<CdnWorld> {
  const world = new CdnWorld(seed, 3);
  const { random } = world;
  await world.add();
  await world.add(random.below(400) - 200);
  await world.pass(200);
  for (let second = 0; second < 40; second++) {
    const chance = random.next();
    if (second % 5 === 4) world.origin.weather = WEATHERS[random.below(WEATHERS.length)]!;
    if (chance < 0.08 && world.alive.length > 1) world.crash(world.alive[0]!);
    else if (chance < 0.14 && world.alive.length > 1) world.stop(world.alive[0]!);
    else if (chance < 0.3 && world.alive.length < 4) await world.add(random.below(400) - 200);
    else if (chance < 0.36) world.changeOwner(world.rooms[random.below(3)]!);
    await world.pass(1000, chat(world));
    expect(world.flaws(), `seed ${seed}, second ${second}`).toEqual([]);
  }
  world.origin.weather = 'fine';
  await world.pass(8000, chat(world));
  await world.pass(8000);
  expect(world.stopping, `seed ${seed}: stops have ended`).toBe(0);
  return world;
}

describe('the pushers under random trouble', () => {
  it.each(SEEDS)(
    'C-PUSH-2 no manifest names what is missing, nothing is lost untold, seed %i',
    async (seed) => {
      const world = await storm(seed);
      expect(world.flaws()).toEqual([]);
      for (const room of world.rooms) {
        expect(room.viewer.read.size, `seed ${seed}`).toBeGreaterThan(room.sent.size / 3);
        expect(world.untold(room), `seed ${seed}: lost and untold`).toEqual([]);
      }
    },
    60_000,
  );
});

describe('one change at a time', () => {
  it('C-PUSH-3 a death costs nothing and repeats nothing: the standby goes on after the last frame', async () => {
    const world = new CdnWorld(7, 6);
    await world.add();
    await world.add();
    await world.pass(500);
    await world.pass(4000, chat(world));
    const died = world.clock.now();
    world.crash(world.alive[0]!);
    await world.pass(3000, chat(world));
    for (const { room } of world.rooms) {
      const at = world.origin.manifest(room)?.segments.at(-1)?.to ?? 0;
      expect(at, `${room} is written again within 3 s`).toBeGreaterThan(died + 1000);
    }
    await world.pass(4000);
    expect(world.flaws()).toEqual([]);
    for (const room of world.rooms) {
      expect([...room.viewer.read.keys()].sort()).toEqual([...room.sent.keys()].sort());
      expect(world.repeats(room)).toBe(0);
      expect(room.viewer.gaps).toEqual([]);
    }
  });

  it('C-PUSH-3 hand-overs at a start and a stop miss and repeat nothing', async () => {
    const world = new CdnWorld(8, 6);
    const first = await world.add();
    await world.pass(500);
    await world.pass(3000, chat(world));
    await world.add();
    await world.pass(14_000, chat(world));
    world.stop(first);
    await world.pass(5000, chat(world));
    expect(world.stopping).toBe(0);
    await world.pass(4000);
    expect(world.flaws()).toEqual([]);
    for (const room of world.rooms) {
      expect([...room.viewer.read.keys()].sort()).toEqual([...room.sent.keys()].sort());
      expect(world.repeats(room)).toBe(0);
      expect(room.viewer.gaps).toEqual([]);
    }
  });

  it('R-CDN-13 the only one that leaves writes on until rooms have left, another is there, or 8 s', async () => {
    const world = new CdnWorld(13, 2);
    const first = await world.add();
    const beats: CdnBeat[] = [];
    world.bus.subscribe(pushersSubject(), (bytes) => void beats.push(decodeBeat(bytes)!));
    await world.pass(500);
    await world.pass(3000, chat(world));
    expect(beats.every(({ isLast }) => isLast === undefined)).toBe(true);
    const left = (): { isOver: boolean; tookMs: number } => {
      const began = world.clock.now();
      const told = { isOver: false, tookMs: 0 };
      void first.running!.leave().then(() => {
        Object.assign(told, { isOver: true, tookMs: world.clock.now() - began });
      });
      return told;
    };
    const heeded = left();
    await world.pass(1000, chat(world));
    expect([heeded.isOver, beats.at(-1)!.isLast]).toEqual([false, true]);
    for (const room of world.rooms) room.mode = 'off';
    await world.pass(2000);
    expect(heeded.isOver).toBe(true);
    for (const { room, viewer, sent } of world.rooms) {
      expect(world.origin.manifest(room)?.mode).toBe('off');
      expect(viewer.read.size).toBe(sent.size);
    }
    // Rooms that do not listen are not waited for without end.
    for (const room of world.rooms) room.mode = 'on';
    await world.pass(2000, chat(world));
    const unheeded = left();
    await world.pass(9000, chat(world));
    expect(unheeded.isOver).toBe(true);
    expect(unheeded.tookMs).toBeGreaterThanOrEqual(CDN_LEAVE_MS);
    // Another comes: its shards are handed over, as ever.
    const relieved = left();
    await world.pass(500, chat(world));
    expect(relieved.isOver).toBe(false);
    await world.add();
    await world.pass(1000, chat(world));
    expect(relieved.isOver).toBe(true);
    expect(beats.findLast(({ member }) => member === first.member)!.isLast).toBeUndefined();
    expect(world.flaws()).toEqual([]);
  });

  it('C-PUSH-4 who starts alone after a while goes on in number and tells the gap', async () => {
    const world = new CdnWorld(9, 1);
    const room = world.rooms[0]!;
    const first = await world.add();
    await world.pass(500);
    await world.pass(3000, chat(world));
    world.crash(first);
    await world.pass(6000, chat(world));
    const last = world.origin.manifest(room.room)!;
    await world.add();
    await world.pass(4000, chat(world));
    const next = world.origin.manifest(room.room)!;
    expect(next.segments.at(-1)!.sequence).toBeGreaterThanOrEqual(last.next);
    expect(next.epoch).toBeGreaterThan(last.epoch);
    await world.pass(3000);
    expect(room.viewer.gaps).toHaveLength(1);
    expect(room.viewer.gaps[0]!.to - room.viewer.gaps[0]!.from).toBeGreaterThan(5000);
    expect(world.untold(room)).toEqual([]);
    expect(world.repeats(room)).toBe(0);
  });

  it('C-PUSH-5 an origin that is down sheds the oldest within the bounds, and all of it is told', async () => {
    const rules = { backlogSegments: 5, retryMsMax: 500 };
    const world = new CdnWorld(10, 1);
    const small = new CdnWorld(10, 1, { rules: { ...world.options.rules, ...rules } });
    const room = small.rooms[0]!;
    const only = await small.add();
    await small.pass(500);
    await small.pass(3000, chat(small));
    small.origin.weather = 'down';
    await small.pass(15_000, chat(small));
    expect(only.count('barrage_cdn_backlog_segments')).toBeLessThanOrEqual(5);
    small.origin.weather = 'fine';
    await small.pass(3000, chat(small));
    await small.pass(4000);
    const missing = [...room.sent.keys()].filter((id) => !room.viewer.read.has(id)).length;
    expect(missing).toBeGreaterThan(0);
    expect(room.viewer.shed).toBe(missing);
    expect(shedOf(small)).toBe(missing);
    expect(small.flaws()).toEqual([]);
  });

  it('C-PUSH-6 a room that is off ends with a manifest that says so, and its files go', async () => {
    const world = new CdnWorld(11, 1);
    const room = world.rooms[0]!;
    const only = await world.add();
    await world.pass(500);
    await world.pass(3000, chat(world));
    room.mode = 'off';
    await world.pass(3000);
    expect(world.origin.manifest(room.room)?.mode).toBe('off');
    expect(room.viewer.read.size).toBe(room.sent.size);
    const { windowMs, retentionMs } = world.options.rules;
    await world.pass(windowMs + retentionMs + 2000);
    expect([...world.origin.files.keys()]).toEqual([`${room.room}/manifest.json`]);
    expect(only.count('barrage_cdn_rooms')).toBe(0);
    room.mode = 'on';
    await world.pass(1000);
    await world.pass(3000, chat(world));
    await world.pass(3000);
    expect(world.origin.manifest(room.room)).toMatchObject({ mode: 'on' });
    expect(room.viewer.read.size).toBe(room.sent.size);
  });

  it('C-SEG-6 what is recalled before it is written is in no segment', async () => {
    const world = new CdnWorld(12, 1);
    const room = world.rooms[0]!;
    const only = await world.add();
    await world.pass(2000);
    world.say(room, 3);
    await world.pass(50);
    world.recall(room, '1000.1.1');
    await world.pass(4000);
    expect([...room.viewer.read.keys()].sort()).toEqual(['1000.1.0', '1000.1.2']);
    expect(only.count('barrage_cdn_recalled_publications_total')).toBe(1);
  });
});
