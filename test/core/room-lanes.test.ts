/** Bounded lanes: who goes when one is full, what merges, and how likes are told. */
import { describe, expect, it } from 'vitest';
import { LANES } from '../../src/words.js';
import { applySettings } from '../../room/core/commands.js';
import { normalise } from '../../room/core/equal-text.js';
import { ENTRY_REFS_MAX } from '../../room/core/lanes.js';
import { queuedOf, takeSettled } from '../../room/core/state.js';
import { dueAt, settleKept, tick } from '../../room/core/tick.js';
import { T0, Table, lanesWith, offered, room, said, textsOf } from '../kit/room-core.js';
import { chiSquare, chiSquareLimit } from '../kit/chi-square.js';

describe('bounds', () => {
  it.each(LANES)('R-LANE-1 %s holds no more entries than its depth', (lane) => {
    const table = new Table(room({ lanes: lanesWith({ [lane]: { depth: 3 } }) }));
    for (let i = 0; i < 10; i++) table.offer(offered(lane, `t${i}`));
    expect(queuedOf(table.state)[lane]).toBe(3);
    expect(table.settled.length).toBe(7);
  });

  it.each(LANES)('R-LANE-1 %s holds no more bytes than its bound', (lane) => {
    const table = new Table(room({ lanes: lanesWith({ [lane]: { bytes: 5000 } }) }));
    for (let i = 0; i < 10; i++) table.offer(offered(lane, `${i}`, { data: 'x'.repeat(1000) }));
    expect(queuedOf(table.state)[lane]).toBe(4);
    expect(table.state.lanes[lane].bytes).toBeGreaterThan(4000);
    expect(table.state.lanes[lane].bytes).toBeLessThanOrEqual(5000);
  });

  it('R-LANE-1 what no lane could ever hold is refused as too large', () => {
    const table = new Table(room({ lanes: lanesWith({ normal: { bytes: 1000 } }) }));
    for (let i = 0; i < 4; i++) table.offer(offered('normal', `${i}`));
    expect(table.offer(offered('normal', 'big', { data: 'x'.repeat(1000) }))?.verdict).toBe(
      'too_large',
    );
    expect(queuedOf(table.state).normal).toBe(4);
  });

  it('R-LANE-1 bounds that shrink are met by the next tick; a keepable lane gives up nothing', () => {
    const table = new Table(room({ budgetPerSecond: 1 }));
    for (let i = 0; i < 20; i++) {
      table.offer(offered('normal', `n${i}`));
      table.offer(offered('high', `h${i}`));
    }
    const lanes = lanesWith({ normal: { depth: 5 }, high: { depth: 5 } });
    applySettings(table.state, { ...table.state.settings, lanes }, T0);
    table.tick(T0);
    expect(queuedOf(table.state)).toMatchObject({ normal: 5, high: 19 });
    expect(table.ended('shed')).toBe(15);
    expect(table.offer(offered('high', 'one more'))?.verdict).toBe('overloaded');
  });
});

describe('who goes', () => {
  it.each(['control', 'high'] as const)('R-LANE-2 a full %s lane refuses the newcomer', (lane) => {
    const table = new Table(room({ lanes: lanesWith({ [lane]: { depth: 2 } }) }));
    table.offer(offered(lane, 'a'));
    table.offer(offered(lane, 'b'));
    const refused = table.offer(offered(lane, 'c'));
    expect(refused).toEqual({ ref: 'studio:c', verdict: 'overloaded', retryAfterMs: 100 });
    expect(table.offer(offered(lane, 'A'))).toBeUndefined();
    expect(textsOf(table.tick(T0).keep)).toEqual(['a', 'b']);
  });

  it.each(['normal', 'low'] as const)(
    'R-LANE-2 a full %s lane lets go of each with equal chance, newcomer included (p > 0.001)',
    (lane) => {
      const depth = 20;
      const counts = new Array<number>(depth + 1).fill(0);
      for (let round = 0; round < 3000; round++) {
        const table = new Table(room({ lanes: lanesWith({ [lane]: { depth } }) }), round);
        for (let i = 0; i <= depth; i++) table.offer(offered(lane, `${i}`, { ref: i }));
        expect(table.settled.length).toBe(1);
        counts[table.settled[0]!.ref as number]! += 1;
      }
      expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(depth));
    },
  );
});

describe('a room that says who goes', () => {
  const full = (shed: 'oldest' | 'newest') => {
    const table = new Table(room({ lanes: lanesWith({ normal: { depth: 5, shed } }) }));
    for (let i = 0; i < 12; i++) table.offer(offered('normal', `${i}`, { ref: i }));
    return table;
  };

  it('R-LANE-5 the oldest, whatever the order the bag is in', () => {
    const table = full('oldest');
    expect(table.settled.map(({ ref }) => ref)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(textsOf(table.tick(T0).drop)).toEqual(['7', '8', '9', '10', '11']);
  });

  it('R-LANE-5 the newcomer', () => {
    const table = full('newest');
    expect(table.settled.map(({ ref }) => ref)).toEqual([5, 6, 7, 8, 9, 10, 11]);
    expect(table.ended('shed')).toBe(7);
  });

  it('R-LANE-5 changed while it runs', () => {
    const table = full('newest');
    const lanes = lanesWith({ normal: { depth: 5, shed: 'oldest' } });
    applySettings(table.state, { ...table.state.settings, lanes }, T0);
    table.offer(offered('normal', 'next', { ref: 'next' }));
    expect(table.settled.at(-1)).toEqual({ ref: 0, verdict: 'shed' });
  });
});

describe('merging', () => {
  it.each([
    ['width', 'ＡＢＣ１２３', 'abc123'],
    ['case', 'GG WP', 'gg wp'],
    ['white space', '  a \t b\n', 'a b'],
    ['compatibility forms', '㈱', '(株)'],
    ['ideographic space', '哈　哈', '哈 哈'],
  ])('R-LANE-3 texts are equal after normalisation of %s', (_what, text, plain) => {
    expect(normalise(text)).toBe(plain);
    expect(normalise(plain)).toBe(plain);
  });

  it('R-LANE-3 equals become one publication with a count, the later ones merged', () => {
    const table = new Table(room());
    table.admit(said('u', 'GG'));
    table.admit(said('v', 'gg'));
    table.admit(said('w', 'other'));
    table.admit(said('x', ' ｇｇ '));
    const { drop } = table.tick(T0 + 10);
    expect(drop.map(({ publication: { text, count } }) => [text, count])).toEqual([
      ['GG', 3],
      ['other', undefined],
    ]);
    expect(drop[0]!.refs).toEqual(['u:GG', 'v:gg', 'x: ｇｇ ']);
    const ends = table.settled.map(({ ref, verdict, id }) => [ref, verdict, id]);
    expect(ends).toEqual([
      ['u:GG', 'published', '7-1'],
      ['v:gg', 'merged', '7-1'],
      ['x: ｇｇ ', 'merged', '7-1'],
      ['w:other', 'published', '7-2'],
    ]);
  });

  it.each([
    ['another kind', { kind: 'chat' }],
    ['another style', { style: { color: '#ff0000' } }],
    ['data of its own', { data: { a: 1 } }],
    ['another lane', { role: 'host' }],
  ] as const)('R-LANE-3 %s keeps equals apart', (_what, other) => {
    const table = new Table(room());
    table.admit(said('u', 'gg'));
    table.admit(said('v', 'gg', other));
    const { keep, drop } = table.tick(T0);
    expect(keep.length + drop.length).toBe(2);
  });

  it('R-LANE-3 an empty style is no style, and what left the lane is not merged with', () => {
    const table = new Table(room());
    table.admit(said('u', 'gg', { style: {} }));
    table.admit(said('v', 'gg'));
    expect(table.tick(T0).drop[0]!.publication.count).toBe(2);
    table.admit(said('w', 'gg'), T0 + 1);
    expect(table.tick(T0 + 100).drop[0]!.publication.count).toBeUndefined();
  });

  it('R-LANE-3 the merged share the fate of the one they joined', () => {
    const table = new Table(room({ budgetPerSecond: 1, laneWaitMs: 100 }));
    table.offer(offered('high', 'first'));
    table.tick(T0);
    for (const by of ['u', 'v', 'w']) table.admit(said(by, 'gg'), T0 + 1);
    table.tick(T0 + 101);
    expect(table.ended('sampled_out')).toBe(3);
    const shed = new Table(room({ lanes: lanesWith({ normal: { depth: 1 } }) }), 3);
    for (const by of ['u', 'v', 'w']) shed.admit(said(by, 'gg'));
    for (let i = 0; i < 50; i++) shed.admit(said('x', `${i}`));
    expect(shed.settled.filter(({ ref }) => String(ref).endsWith('gg')).length).toBe(3);
  });

  it('R-LANE-3 an unlogged publication makes its whole company unavailable', () => {
    const table = new Table(room());
    for (const by of ['h', 'i']) table.admit(said(by, 'gg', { role: 'host' }));
    const plan = tick(table.state, T0, table.random);
    expect(queuedOf(table.state).high).toBe(2);
    settleKept(table.state, plan.keep, 'unavailable', 700);
    expect(takeSettled(table.state)).toEqual([
      { ref: 'h:gg', verdict: 'unavailable', retryAfterMs: 700 },
      { ref: 'i:gg', verdict: 'unavailable', retryAfterMs: 700 },
    ]);
    expect(queuedOf(table.state).high).toBe(0);
  });

  it('R-LANE-3 a publication stands for a bounded number, more are shed', () => {
    const table = room();
    const bench = new Table(table);
    bench.offer(offered('normal', 'gg'));
    const entry = table.lanes.normal.entries[0]!;
    entry.more = new Array<unknown>(ENTRY_REFS_MAX - 2).fill('x');
    table.lanes.normal.refs += ENTRY_REFS_MAX - 2;
    table.received += ENTRY_REFS_MAX - 2;
    expect(bench.offer(offered('normal', 'gg', { ref: 'last' }))).toBeUndefined();
    expect(bench.offer(offered('normal', 'gg', { ref: 'over' }))?.verdict).toBe('shed');
    expect(bench.tick(T0).drop[0]!.publication.count).toBe(ENTRY_REFS_MAX);
  });
});

describe('likes', () => {
  const like = (by: string) => said(by, '', { kind: 'like' });

  it('R-LANE-4 each ends as counted; told once in a while with increment and total', () => {
    const table = new Table(room({ likeEveryMs: 1000 }, { likes: 100 }));
    expect(table.admit(like('u'))?.verdict).toBe('counted');
    const first = table.tick(dueAt(table.state, T0));
    expect(first.at).toBe(T0);
    expect(first.drop[0]!.publication).toEqual({
      id: '7-1',
      kind: 'like',
      lane: 'low',
      at: T0,
      count: 1,
      data: { total: 101 },
    });
    for (let i = 0; i < 40; i++) table.admit(like(`u${i}`), T0 + 10 * i);
    expect(table.tick(T0 + 500).drop).toEqual([]);
    expect(dueAt(table.state, T0 + 500)).toBe(T0 + 1000);
    const second = table.tick(T0 + 1000);
    expect(second.drop[0]!.publication).toMatchObject({ count: 40, data: { total: 141 } });
    expect(dueAt(table.state, T0 + 1000)).toBe(Infinity);
    expect(table.ended('counted')).toBe(41);
  });

  it('R-LANE-4 likes wait for the budget and are never lost', () => {
    const table = new Table(room({ budgetPerSecond: 1 }));
    table.offer(offered('high', 'x'));
    table.tick(T0);
    table.admit(like('u'), T0 + 1);
    expect(table.tick(T0 + 100).drop).toEqual([]);
    expect(dueAt(table.state, T0 + 100)).toBe(T0 + 200);
    table.admit(like('v'), T0 + 150);
    expect(table.tick(T0 + 1000).drop[0]!.publication.count).toBe(2);
  });

  it('R-LANE-4 a keepable report that was not logged is told with the next', () => {
    const kinds = { like: 'high' } as const;
    const table = new Table(room({ kinds, likeEveryMs: 100 }));
    table.admit(like('u'));
    table.admit(like('v'));
    const plan = tick(table.state, T0, table.random);
    expect(plan.keep[0]!.publication).toMatchObject({ lane: 'high', count: 2 });
    settleKept(table.state, plan.keep, 'unavailable');
    table.admit(like('w'), T0 + 1);
    expect(table.tick(T0 + 100).keep[0]!.publication).toMatchObject({
      count: 3,
      data: { total: 3 },
    });
  });

  it('R-LANE-4 likes have a quota of their own and use up none of the room', () => {
    const patch = { userPerSecond: 1, userBurst: 1, uplinkPerSecond: 0, slowModeMs: 60_000 };
    const table = new Table(room(patch));
    for (let i = 0; i < 5; i++) expect(table.admit(like('u'))?.verdict).toBe('counted');
    expect(table.admit(like('u'))).toMatchObject({ verdict: 'rate_limited', retryAfterMs: 200 });
    expect(table.admit(said('h', 'x', { role: 'host' }))).toBeUndefined();
  });
});
