/** The pace of a whole core: what fan-out gets beside other work, how large rooms are held back. */
import { describe, expect, it } from 'vitest';
import { calmMs, fanoutShare, KEEP_AHEAD_MS, Pacer } from '../../edge/core/pace.js';
import { RoomLine, Turns, type Turn } from '../../edge/core/turns.js';
import { Fanout, type Flushable } from '../../edge/fanout.js';
import { edgeMeters } from '../../edge/meters.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { Meter } from '../../src/telemetry/meter.js';
import { BusyCore } from '../kit/busy-core.js';

describe('shares', () => {
  it.each([
    ['nothing else to do', 0.7, 0, 0.7],
    ['a little else', 0.7, 0.1, 0.6],
    ['a lot else leaves fan-out its part', 0.7, 0.65, 0.21],
    ['more than all else', 0.7, 1, 0.21],
    ['counted apart, the rest may come out below nothing', 0.7, -0.05, 0.7],
  ])('E-PACE-1 %s', (_, busy, other, share) => {
    expect(fanoutShare(busy, other)).toBeCloseTo(share, 9);
  });

  it.each([
    ['ten viewers', 0.08, 0.08 / 0.35],
    ['a thousand, less than a tick', 9, 9 / 0.35],
    ['ten thousand', 90, 150],
    ['fifty thousand: the pace alone decides', 450, 150],
  ])('E-PACE-2 %s', (_, roundMs, wanted) => {
    expect(calmMs(roundMs)).toBeCloseTo(wanted, 9);
  });

  it('E-PACE-3 keepable frames may take so much ahead of the pace and no more', () => {
    const pacer = new Pacer(0.5, 0);
    pacer.spend(60, 60);
    expect(pacer.waitMs(60)).toBeGreaterThan(50);
    expect(pacer.waitMs(60, true)).toBeLessThanOrEqual(1);
    pacer.spend(KEEP_AHEAD_MS, 60);
    expect(pacer.waitMs(60, true)).toBeGreaterThan(50);
    expect(pacer.waitMs(60)).toBeGreaterThan(pacer.waitMs(60, true));
  });

  it('E-PACE-3 ahead of the pace only those with keepable frames have turns', () => {
    const turns = new Turns<Turn & { name: string }>();
    const turn = (name: string) =>
      ({ name, line: new RoomLine(), due: 'no', dueAt: 0, notBefore: 0 }) as Turn & {
        name: string;
      };
    turns.add(turn('d1'), false, 0);
    for (const name of ['k1', 'k2', 'k3', 'k4', 'k5']) turns.add(turn(name), true, 0);
    const order: string[] = [];
    while (turns.holdsKeep) order.push(turns.next(0, true)!.name);
    expect(order).toEqual(['k1', 'k2', 'k3', 'k4', 'k5']);
    expect(turns.next(0, true)).toBeUndefined();
    expect(turns.next(0)?.name).toBe('d1');
  });
});

/** A fan-out whose flushes take time of a core that others use too. */
class Core extends BusyCore {
  readonly flushes: { at: number; name: string }[] = [];
  readonly fanout: Fanout;

  constructor() {
    super();
    const tuning = () => EDGE_DEFAULTS;
    const meters = edgeMeters(new Meter());
    const fault = (_: string, error: unknown) => {
      throw error;
    };
    this.fanout = new Fanout({ clock: this, tuning, meters, fault, cpuMs: () => this.cpuMs });
  }

  flushable(name: string, costMs: number, peers: number, line = new RoomLine()): Flushable {
    const run = () => {
      this.flushes.push({ at: this.now(), name });
      this.work(costMs);
      return false;
    };
    return { line, due: 'no', dueAt: 0, notBefore: 0, peers, run };
  }
}

async function runRoom(core: Core, slices: Flushable[], otherMs: number): Promise<number> {
  const start = core.now();
  const before = core.flushes.length;
  while (core.now() - start < 8000) {
    for (const slice of slices) core.fanout.add(slice, false);
    await core.pass(40 - otherMs);
    core.work(otherMs);
  }
  return (core.flushes.length - before) / slices.length / ((core.now() - start) / 1000);
}

describe('fan-out', () => {
  it('E-PACE-1 what else the core does is left to it: the interval grows', async () => {
    const alone = new Core();
    const slices = Array.from({ length: 20 }, (_, i) => alone.flushable(`s${i}`, 6, 20));
    const free = await runRoom(alone, slices, 0);
    const beside = new Core();
    const held = await runRoom(
      beside,
      Array.from({ length: 20 }, (_, i) => beside.flushable(`s${i}`, 6, 20)),
      12,
    );
    // Rounds of 120 ms: 0.7 of the core, and with 0.3 of it elsewhere no more than 0.45.
    expect(free).toBeGreaterThan(5);
    expect(free * 0.12).toBeLessThan(0.75);
    expect(held * 0.12).toBeLessThan(0.47);
    expect(held * 0.12).toBeGreaterThan(0.3);
  });

  it('E-PACE-2 a room that would fit is held back a little, a small one not at all', async () => {
    const core = new Core();
    const large = Array.from({ length: 10 }, (_, i) => core.flushable(`s${i}`, 4, 10));
    const perSecond = await runRoom(core, large, 0);
    expect(perSecond).toBeLessThan(1000 / (40 / 0.35) + 1);
    expect(perSecond).toBeGreaterThan(1000 / (40 / 0.35) - 3);
    const quiet = new Core();
    const small = [quiet.flushable('small', 0.1, 1)];
    expect(await runRoom(quiet, small, 0)).toBeCloseTo(25, 0);
  });

  it('E-PACE-4 a small room waits for one slice of a large one, not for all', async () => {
    const core = new Core();
    const line = new RoomLine();
    for (let i = 0; i < 20; i++) core.fanout.add(core.flushable(`large${i}`, 4, 20, line), false);
    core.fanout.add(core.flushable('small', 1, 1), false);
    await core.pass(300);
    expect(core.flushes.map(({ name }) => name).slice(0, 3)).toContain('small');
    expect(core.flushes.length).toBe(21);
  });

  it('E-PACE-3 a keepable frame reaches every slice at once while droppable ones wait', async () => {
    const core = new Core();
    const slices = Array.from({ length: 20 }, (_, i) => core.flushable(`s${i}`, 4, 20));
    await runRoom(core, slices, 0);
    core.flushes.length = 0;
    const start = core.now();
    for (const slice of slices) core.fanout.add(slice, true);
    await core.pass(300);
    const reached = new Map(core.flushes.toReversed().map(({ name, at }) => [name, at - start]));
    expect(reached.size).toBe(20);
    expect(Math.max(...reached.values())).toBeLessThan(4 * 20 + 25);
  });
});
