/** When a room ticks, what a tick takes, and in which order it leaves. */
import { describe, expect, it } from 'vitest';
import { setOnline, applySettings } from '../../room/core/commands.js';
import { weightOf } from '../../room/core/sample.js';
import { newEntry } from '../../room/core/lanes.js';
import { queuedOf } from '../../room/core/state.js';
import { dueAt, settleKept, tick } from '../../room/core/tick.js';
import { chiSquare, chiSquareLimit } from '../kit/chi-square.js';
import { T0, Table, offered, room, said, textsOf, user } from '../kit/room-core.js';

const AUDIENCE = [
  { viewers: 1000, budgetPerSecond: 40, tickMs: 200 },
  { viewers: 10_000, budgetPerSecond: 20, tickMs: 500 },
];

describe('when', () => {
  it('R-TICK-2 control publications tick early', () => {
    const table = new Table(room());
    table.offer(offered('normal', 'a'), T0);
    table.tick(T0);
    table.offer(offered('control', 'now'), T0 + 5);
    expect(dueAt(table.state, T0 + 5)).toBe(T0 + 20);
    expect(textsOf(table.tick(T0 + 20).keep)).toEqual(['now']);
    table.offer(offered('control', 'again'), T0 + 90);
    expect(dueAt(table.state, T0 + 90)).toBe(T0 + 90);
  });

  it('R-TICK-2 so do keepable ones of the high lane, and droppable ones stay for the regular tick', () => {
    const table = new Table(room());
    table.offer(offered('normal', 'a'), T0);
    table.tick(T0);
    table.offer(offered('normal', 'b'), T0 + 1);
    expect(dueAt(table.state, T0 + 1)).toBe(T0 + 100);
    table.offer(offered('high', 'gift'), T0 + 30);
    expect(dueAt(table.state, T0 + 30)).toBe(T0 + 30);
    const early = table.tick(T0 + 30);
    expect([textsOf(early.keep), textsOf(early.drop)]).toEqual([['gift'], []]);
    expect(dueAt(table.state, T0 + 30)).toBe(T0 + 100);
    expect(textsOf(table.tick(T0 + 100).drop)).toEqual(['b']);
  });

  it('R-TICK-2 a high lane that waits for budget does not keep the room ticking early', () => {
    const table = new Table(room({ budgetPerSecond: 1 }));
    table.offer(offered('high', 'a'), T0);
    table.offer(offered('high', 'b'), T0);
    table.tick(T0);
    expect(dueAt(table.state, T0)).toBe(T0 + 100);
    expect(queuedOf(table.state).high).toBe(1);
  });

  it('R-TICK-7 a danmaku after a quiet tick goes at once, a second one waits its tick', () => {
    const table = new Table(room());
    expect(dueAt(table.state, T0)).toBe(Infinity);
    table.admit(said('u', 'a'), T0);
    expect(dueAt(table.state, T0)).toBe(T0);
    expect(textsOf(table.tick(T0).drop)).toEqual(['a']);
    expect(dueAt(table.state, T0)).toBe(Infinity);
    table.admit(said('u', 'b'), T0 + 99);
    expect(dueAt(table.state, T0 + 99)).toBe(T0 + 100);
    table.tick(T0 + 100);
    table.admit(said('u', 'c'), T0 + 200);
    expect(dueAt(table.state, T0 + 200)).toBe(T0 + 200);
  });

  it('R-TICK-7 a large room collects for a tick first', () => {
    const table = new Table(room({ audience: AUDIENCE }));
    setOnline(table.state, 1000, T0);
    table.admit(said('u', 'a'), T0);
    table.admit(said('v', 'b'), T0 + 50);
    expect(dueAt(table.state, T0 + 50)).toBe(T0 + 200);
    expect(dueAt(table.state, T0 + 900)).toBe(T0 + 900);
    setOnline(table.state, 899, T0 + 60);
    expect(dueAt(table.state, T0 + 60)).toBe(T0 + 60);
  });

  it('R-TICK-9 a row of the audience table holds from its viewers on, and is left with hysteresis', () => {
    const table = new Table(room({ audience: AUDIENCE }));
    const steps: [online: number, tickMs: number][] = [
      [999, 100],
      [1000, 200],
      [950, 200],
      [900, 200],
      [899, 100],
      [10_000, 500],
      [9000, 500],
      [8999, 200],
      [0, 100],
    ];
    let now = T0;
    for (const [online, tickMs] of steps) {
      now += 10_000;
      setOnline(table.state, online, now);
      table.admit(said('u', `a${now}`), now);
      table.tick(now);
      table.admit(said('u', `b${now}`), now);
      expect([online, dueAt(table.state, now) - now]).toEqual([online, tickMs]);
    }
  });

  it('R-TICK-9 the budget is that of the row', () => {
    const table = new Table(room({ audience: AUDIENCE, laneWaitMs: 10_000 }));
    setOnline(table.state, 20_000, T0);
    for (let i = 0; i < 200; i++) table.offer(offered('normal', `${i}`), T0);
    let sent = 0;
    for (let now = T0; now < T0 + 5000; now += 500) sent += table.tick(now).drop.length;
    expect(sent).toBe(100);
    expect(table.tick(T0 + 5000)).toMatchObject({ online: 20_000, tick: 11, at: T0 + 5000 });
  });

  it('R-TICK-9 new settings choose the row anew', () => {
    const table = new Table(room({ audience: AUDIENCE }));
    setOnline(table.state, 950, T0);
    table.offer(offered('normal', 'a'), T0);
    table.tick(T0);
    table.offer(offered('normal', 'b'), T0);
    const audience = [{ viewers: 900, budgetPerSecond: 1, tickMs: 700 }];
    applySettings(table.state, { ...table.state.settings, audience }, T0);
    expect(dueAt(table.state, T0)).toBe(T0 + 700);
  });
});

describe('what', () => {
  it('R-TICK-5 the choice is uniform whatever the age (p > 0.001)', () => {
    const waiting = 60;
    const counts = new Array<number>(waiting).fill(0);
    for (let round = 0; round < 1000; round++) {
      const table = new Table(room(), round);
      for (let i = 0; i < waiting; i++) table.admit(said(`u${i}`, `${i}`), T0 + 10 * i);
      for (const { publication } of table.tick(T0 + 600).drop)
        counts[Number(publication.text)]! += 1;
    }
    // Drawn without replacement: k of n a round narrows the spread by (n - k) / (n - 1).
    const taken = counts.reduce((sum, count) => sum + count) / 1000;
    expect(taken).toBe(12);
    const statistic = (chiSquare(counts) * (waiting - 1)) / (waiting - taken);
    expect(statistic).toBeLessThan(chiSquareLimit(waiting - 1));
  });

  it('R-TICK-5 a level weighs in, up to twice', () => {
    const levels = [undefined, 0, 25, 50, 100, 1000];
    const weights = levels.map((level) => {
      const speaker = { id: user('u'), ...(level !== undefined && { level }) };
      return weightOf(newEntry(said('u', 'x', { user: speaker }), room().settings, T0));
    });
    expect(weights).toEqual([1, 1, 1.25, 1.5, 2, 2]);
    let high = 0;
    const rounds = 2000;
    for (let round = 0; round < rounds; round++) {
      const table = new Table(room({ budgetPerSecond: 1, tickMs: 100 }), round);
      for (let i = 0; i < 20; i++) {
        const speaker = { id: user(`u${i}`), level: i < 10 ? 0 : 100 };
        table.admit(said(`u${i}`, `${i}`, { user: speaker }), T0);
      }
      if (Number(table.tick(T0).drop[0]!.publication.text) >= 10) high += 1;
    }
    // Two thirds expected; four standard deviations allowed.
    expect(Math.abs(high - (rounds * 2) / 3)).toBeLessThan(4 * Math.sqrt((rounds * 2) / 9));
  });

  it('R-TICK-5 one user takes no more than its places while others wait', () => {
    for (let seed = 0; seed < 50; seed++) {
      const table = new Table(room({ perUserPerTick: 2 }), seed);
      for (let i = 0; i < 200; i++) table.admit(said('loud', `l${i}`), T0);
      for (let i = 0; i < 9; i++) table.admit(said(`u${i}`, `q${i}`), T0);
      const texts = textsOf(table.tick(T0).drop);
      expect(texts.length).toBe(12);
      // Nine of others and two of the loud one's places leave one more that nobody else wants.
      expect(texts.filter((text) => text!.startsWith('l')).length).toBe(3);
    }
  });

  it.each([1, 2, 3])('R-TICK-5 with perUserPerTick %d a loud user has just that many', (places) => {
    for (let seed = 0; seed < 20; seed++) {
      const table = new Table(room({ perUserPerTick: places }), seed);
      for (let i = 0; i < 150; i++) table.admit(said('loud', `l${i}`), T0);
      for (let i = 0; i < 12; i++) table.admit(said(`u${i}`, `q${i}`), T0);
      const texts = textsOf(table.tick(T0).drop);
      expect(texts.filter((text) => text!.startsWith('l')).length).toBe(places);
    }
  });

  it('R-TICK-5 a lane under its quota is taken whole, whoever spoke', () => {
    const table = new Table(room({ perUserPerTick: 1 }));
    for (let i = 0; i < 8; i++) table.admit(said('u', `${i}`), T0);
    expect(table.tick(T0).drop.length).toBe(8);
  });

  it('R-TICK-6 what is not chosen within laneWaitMs is sampled out, not sooner', () => {
    const table = new Table(room({ budgetPerSecond: 10, laneWaitMs: 300 }));
    for (let i = 0; i < 50; i++) table.admit(said(`u${i}`, `${i}`), T0);
    for (const at of [0, 100, 200, 299]) table.tick(T0 + at);
    expect(table.ended('sampled_out')).toBe(0);
    const before = table.ended('published');
    const last = table.tick(T0 + 399);
    expect(table.ended('sampled_out')).toBe(50 - before - last.drop.length);
    expect(queuedOf(table.state).normal).toBe(0);
    expect(last.drop.length > 0 ? last.shed : 0).toBe(
      last.drop.length > 0 ? table.ended('sampled_out') : 0,
    );
  });

  it('R-TICK-6 losses are told with the next tick that sends something', () => {
    const table = new Table(room({ budgetPerSecond: 1, laneWaitMs: 100 }));
    table.offer(offered('normal', 'first'), T0);
    table.tick(T0);
    for (let i = 0; i < 5; i++) table.admit(said(`u${i}`, `${i}`), T0);
    expect(table.tick(T0 + 100)).toMatchObject({ drop: [], shed: 5 });
    table.offer(offered('normal', 'later'), T0 + 1000);
    expect(table.tick(T0 + 1000)).toMatchObject({ shed: 5 });
    table.offer(offered('control', 'x'), T0 + 1100);
    expect(table.tick(T0 + 1100).shed).toBe(0);
  });

  it('R-TICK-6 keepable ones wait as long as it takes', () => {
    const table = new Table(room({ budgetPerSecond: 1, laneWaitMs: 100 }));
    for (let i = 0; i < 4; i++) table.offer(offered('high', `${i}`), T0);
    const texts: (string | undefined)[] = [];
    for (let now = T0; now < T0 + 10_000; now += 100) texts.push(...textsOf(table.tick(now).keep));
    expect(texts).toEqual(['0', '1', '2', '3']);
    expect(table.ended('published')).toBe(4);
  });

  it('R-TICK-10 control leaves before high, droppable ones by arrival whatever their lane', () => {
    const table = new Table(room({ budgetPerSecond: 1000, tickMs: 100 }));
    const lanes = ['low', 'high', 'normal', 'control', 'normal', 'low', 'high', 'control'] as const;
    lanes.forEach((lane, i) => table.offer(offered(lane, `${i}`), T0 + i));
    const plan = table.tick(T0 + 10);
    expect(textsOf(plan.keep)).toEqual(['3', '7', '1', '6']);
    expect(textsOf(plan.drop)).toEqual(['0', '2', '4', '5']);
  });

  it('R-TICK-10 what was drawn by lot leaves by arrival', () => {
    const table = new Table(room(), 9);
    for (let i = 0; i < 300; i++) table.admit(said(`u${i}`, `${i}`), T0);
    const numbers = textsOf(table.tick(T0).drop).map(Number);
    expect(numbers.length).toBe(12);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('R-KEEP-1 keepable ones are settled only when the log has answered', () => {
    const table = new Table(room());
    table.offer(offered('high', 'gift'), T0);
    table.offer(offered('control', 'notice'), T0);
    const plan = tick(table.state, T0, table.random);
    expect(queuedOf(table.state)).toMatchObject({ control: 1, high: 1 });
    expect(table.state.verdicts.published).toBe(0);
    settleKept(table.state, plan.keep.slice(0, 1), 'published');
    settleKept(table.state, plan.keep.slice(1), 'unavailable', 1000);
    expect(table.state.verdicts).toMatchObject({ published: 1, unavailable: 1 });
    expect(queuedOf(table.state)).toMatchObject({ control: 0, high: 0 });
  });
});
