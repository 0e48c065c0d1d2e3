/** Runs of gifts: told while they run, closed for good, each gift by itself all the same. */
import { describe, expect, it } from 'vitest';
import { COMBOS_MAX, countGift, forgetCombo, storedCombos } from '../../room/core/combos.js';
import { sweep } from '../../room/core/commands.js';
import { catchUpCombos } from '../../room/powers/combo-record.js';
import { dueAt, settleKept, tick } from '../../room/core/tick.js';
import type { Offer, TickPlan } from '../../room/core/types.js';
import { encodePublication } from '../../src/wire/publication.js';
import type { Publication } from '../../src/words.js';
import { T0, Table, room, user } from '../kit/room-core.js';

let refs = 0;

function gift(by: string, name: string, more: object = {}): Offer {
  const data = { gift: name, price: 5, ...more };
  return { ref: `gift${refs++}`, kind: 'gift', lane: 'high', user: { id: user(by) }, data };
}

function combosOf({ keep, drop }: Pick<TickPlan, 'keep' | 'drop'>): Publication[] {
  return [...keep, ...drop].map((each) => each.publication).filter(({ kind }) => kind === 'combo');
}

function run(table: Table, from: number, to: number, stepMs = 100): Publication[] {
  const out: Publication[] = [];
  for (let now = from; now <= to; now += stepMs) out.push(...combosOf(table.tick(now)));
  return out;
}

const ON = { comboMs: 3000 };

describe('a run of gifts', () => {
  it('R-AGG-3 each gift is a publication of its own; the run is told with its count', () => {
    const table = new Table(room(ON));
    for (let i = 0; i < 3; i++) {
      table.offer(gift('u', 'rose'), T0 + 500 * i);
      const { keep } = table.tick(T0 + 500 * i);
      expect(keep.filter(({ publication }) => publication.kind === 'gift').length).toBe(1);
    }
    const told = run(table, T0 + 1100, T0 + 1500);
    expect(told).toMatchObject([
      { lane: 'normal', user: { id: 'u' }, data: { gift: 'rose', count: 3, from: T0 } },
    ]);
    expect(table.ended('published')).toBe(3);
    expect(table.ended('merged')).toBe(0);
  });

  it('R-AGG-3 a gap ends it: one keepable record with the final count', () => {
    const table = new Table(room(ON));
    for (let i = 0; i < 4; i++) table.offer(gift('u', 'rose'), T0 + i);
    run(table, T0 + 10, T0 + 900);
    expect(dueAt(table.state, T0 + 900)).toBe(T0 + 3003);
    const ends = run(table, T0 + 3003, T0 + 5000);
    expect(ends).toMatchObject([
      { lane: 'high', data: { gift: 'rose', count: 4, from: T0, final: true } },
    ]);
    sweep(table.state, T0 + 6000);
    expect(table.state.combos).toBeUndefined();
    expect(dueAt(table.state, T0 + 6000)).toBe(Infinity);
  });

  it('R-AGG-3 runs are by user and gift, one gift alone is none, and gifts may come by the dozen', () => {
    const table = new Table(room(ON));
    table.offer(gift('u', 'rose'));
    table.offer(gift('v', 'rose'));
    table.offer(gift('u', 'boat'));
    table.offer(gift('w', 'heart', { count: 12 }));
    run(table, T0, T0 + 100);
    table.offer(gift('u', 'boat'), T0 + 200);
    const told = run(table, T0 + 200, T0 + 8000);
    const finals = told.filter(({ data }) => (data as { final?: boolean }).final);
    expect(finals.map(({ user: by, data }) => [by!.id, (data as { count: number }).count])).toEqual(
      [
        ['w', 12],
        ['u', 2],
      ],
    );
  });

  it('R-AGG-3 at most one publication of a run a tick', () => {
    const table = new Table(room(ON));
    const perTick: number[] = [];
    for (let now = T0; now < T0 + 3000; now += 20) {
      table.offer(gift('u', 'rose'), now);
      const plan = table.tick(now);
      perTick.push(combosOf(plan).length);
    }
    expect(Math.max(...perTick)).toBe(1);
    expect(perTick.filter((count) => count > 0).length).toBeLessThanOrEqual(31);
  });

  it('R-AGG-3 a room can have runs in the high lane, and 0 means none', () => {
    const table = new Table(room({ ...ON, kinds: { gift: 'high', combo: 'high' } }));
    for (let i = 0; i < 2; i++) table.offer(gift('u', 'rose'));
    expect(run(table, T0, T0 + 300).map(({ lane }) => lane)).toEqual(['high']);
    const off = new Table(room({ comboMs: 0 }));
    for (let i = 0; i < 2; i++) off.offer(gift('u', 'rose'));
    expect(run(off, T0, T0 + 300)).toEqual([]);
  });

  it('R-AGG-3 a gift that is not in the log does not count', () => {
    const table = new Table(room(ON));
    table.offer(gift('u', 'rose'));
    table.offer(gift('u', 'rose'));
    const plan = tick(table.state, T0, table.random);
    settleKept(table.state, plan.keep, 'unavailable', 500);
    expect(storedCombos(table.state)).toEqual([]);
  });

  it('R-AGG-3 an end that could not be logged is told again', () => {
    const table = new Table(room(ON));
    for (let i = 0; i < 2; i++) table.offer(gift('u', 'rose'));
    run(table, T0, T0 + 200);
    const plan = tick(table.state, T0 + 3000, table.random);
    expect(combosOf(plan)).toHaveLength(1);
    expect(storedCombos(table.state)).toMatchObject([{ count: 2, ended: true }]);
    settleKept(table.state, plan.keep, 'unavailable', 500);
    const again = run(table, T0 + 3200, T0 + 4000);
    expect(again).toMatchObject([{ data: { count: 2, final: true } }]);
    expect(storedCombos(table.state)).toEqual([]);
  });

  it('R-AGG-3 runs are bounded; gifts past the bound are counted as skipped', () => {
    const { state } = new Table(room(ON));
    for (let i = 0; i < COMBOS_MAX + 7; i++) countGift(state, logged(`u${i}`, 'rose', T0));
    expect(state.combos!.open.size).toBe(COMBOS_MAX);
    expect(state.combos!.skipped).toBe(7);
  });
});

function logged(by: string, name: string, at: number, offset = 1): Publication {
  const data = { gift: name };
  return {
    id: `7-${refs++}`,
    kind: 'gift',
    lane: 'high',
    at,
    offset,
    user: { id: user(by) },
    data,
  };
}

describe('a change of owner', () => {
  it('R-AGG-4 runs go on from what was stored and what the log has gained since', () => {
    const before = new Table(room(ON));
    for (let i = 0; i < 3; i++) countGift(before.state, logged('u', 'rose', T0 + i));
    countGift(before.state, logged('v', 'boat', T0));
    const openCombos = JSON.parse(JSON.stringify(storedCombos(before.state))) as never;
    const after = new Table(room(ON, { openCombos }));
    const json = (publication: Publication) => encodePublication(publication);
    const recent = [
      [10, json(logged('u', 'rose', T0 + 1, 10))],
      [11, json(logged('u', 'rose', T0 + 50, 11))],
      [0, json({ id: '7-x', kind: 'danmaku', lane: 'normal', at: T0, text: '"kind":"gift"' })],
      [12, json(logged('v', 'boat', T0 + 60, 12))],
    ] as const;
    catchUpCombos(after.state, recent, 10);
    expect(storedCombos(after.state).map(({ gift: name, count }) => [name, count])).toEqual([
      ['rose', 4],
      ['boat', 2],
    ]);
    const ends = run(after, T0 + 3000, T0 + 6000).filter(
      ({ data }) => (data as { final?: boolean }).final,
    );
    expect(ends.map(({ data }) => (data as { count: number }).count)).toEqual([4, 2]);
  });

  it('R-AGG-4 a run whose end is in the log is not ended twice', () => {
    const before = new Table(room(ON));
    for (let i = 0; i < 2; i++) countGift(before.state, logged('u', 'rose', T0 + i));
    const after = new Table(room(ON, { openCombos: storedCombos(before.state) }));
    const [closing] = run(before, T0 + 4000, T0 + 4000);
    forgetCombo(after.state, closing!);
    expect(run(after, T0 + 5000, T0 + 6000)).toEqual([]);
    catchUpCombos(before.state, [[5, encodePublication({ ...closing!, offset: 5 })]], 4);
    expect(storedCombos(before.state)).toEqual([]);
  });
});
