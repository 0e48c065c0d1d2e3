/** What the room makes of many: loose equals, equals of a told text, enter notices, storms of emoji. */
import { describe, expect, it } from 'vitest';
import type { Publication } from '../../src/words.js';
import { ECHOES_MAX } from '../../room/core/echoes.js';
import { loosen, normalise } from '../../room/core/equal-text.js';
import { applySettings, sweep } from '../../room/core/commands.js';
import { dueAt } from '../../room/core/tick.js';
import { T0, Table, lanesWith, offered, room, said, user } from '../kit/room-core.js';

function sent(table: Table, from: number, to: number): Publication[] {
  const out: Publication[] = [];
  for (let now = from; now <= to; now += 100) {
    const { keep, drop } = table.tick(now);
    out.push(...[...keep, ...drop].map(({ publication }) => publication));
  }
  return out;
}

describe('equal texts', () => {
  it.each([
    ['runs of three and more', '哈哈哈哈哈哈', '哈哈'],
    ['runs of three and more', 'gooooood', 'good'],
    ['marks at the end', 'nice!!!~~', 'nice'],
    ['marks at the end', '来了。。。', '来了'],
    ['variation of emoji', '❤️', '❤'],
    ['tones of emoji', '👍🏽', '👍'],
  ])('R-AGG-1 where the room wants it, equal in spite of %s: %s', (_what, text, like) => {
    expect(loosen(normalise(text))).toBe(loosen(normalise(like)));
    expect(normalise(text)).not.toBe(normalise(like));
  });

  it.each([
    ['1000', '10000'],
    ['god', 'good'],
    ['?', '!'],
    ['no', 'now'],
  ])('R-AGG-1 what means something else stays apart: %s and %s', (one, other) => {
    expect(loosen(normalise(one))).not.toBe(loosen(normalise(other)));
  });

  it('R-AGG-1 it is the room that says, while it runs', () => {
    const table = new Table(room());
    const speak = () => ['6666', '666!', '66'].forEach((text) => table.admit(said(text, text)));
    speak();
    expect(table.tick(T0).drop.length).toBe(3);
    applySettings(table.state, { ...table.state.settings, mergeLoose: true }, T0);
    speak();
    expect(table.tick(T0 + 100).drop.map(({ publication: { count } }) => count)).toEqual([3]);
  });
});

describe('equals of a told text', () => {
  it('R-AGG-2 are counted and told once with the count when the time is up', () => {
    const table = new Table(room({ mergeMs: 1000 }));
    table.admit(said('a', 'gg'));
    expect(table.tick(T0).drop.length).toBe(1);
    for (let i = 0; i < 30; i++) {
      expect(table.admit(said(`u${i}`, 'GG'), T0 + 20 * i)?.verdict).toBe('counted');
    }
    expect(table.admit(said('o', 'other'), T0 + 650)).toBeUndefined();
    expect(sent(table, T0 + 700, T0 + 900).map(({ text }) => text)).toEqual(['other']);
    expect(dueAt(table.state, T0 + 900)).toBe(T0 + 1000);
    const [told, ...more] = sent(table, T0 + 1000, T0 + 1900);
    expect(told).toMatchObject({ text: 'GG', count: 30, user: { id: 'u0' }, lane: 'normal' });
    expect(more).toEqual([]);
    expect(table.admit(said('b', 'gg'), T0 + 1950)?.verdict).toBe('counted');
    expect(sent(table, T0 + 2000, T0 + 2100)).toMatchObject([{ text: 'gg', user: { id: 'b' } }]);
    expect(table.admit(said('c', 'gg'), T0 + 9000)).toBeUndefined();
  });

  it('R-AGG-2 only of the same look and lane, of a bounded number of texts', () => {
    const wide = { budgetPerSecond: 10_000, audience: [] };
    const table = new Table(room({ mergeMs: 5000, ...wide }));
    for (let i = 0; i < ECHOES_MAX + 10; i++) table.admit(said(`u${i}`, `t${i}`));
    sent(table, T0, T0 + 300);
    expect(table.state.echoes!.texts.size).toBe(ECHOES_MAX);
    const styled = { style: { color: '#ff0000' }, ref: 'x' };
    expect(table.admit(said('x', 't1', styled), T0 + 400)).toBeUndefined();
    expect(table.admit(said('h', 't1', { role: 'host' }), T0 + 400)).toBeUndefined();
    expect(table.admit(said('y', 't1'), T0 + 400)?.verdict).toBe('counted');
    sent(table, T0 + 400, T0 + 12_000);
    sweep(table.state, T0 + 20_000);
    expect(table.state.echoes).toBeUndefined();
  });
});

describe('enter notices', () => {
  const enter = (by: string, more = {}) =>
    offered('low', '', {
      kind: 'enter',
      ref: by,
      user: { id: user(by), ...more },
      text: undefined!,
    });
  const bare = (by: string, more = {}) => {
    const { text: _text, ...rest } = enter(by, more);
    return rest;
  };

  it('R-AGG-5 become one count with three names in the time set', () => {
    const table = new Table(room({ enterEveryMs: 2000 }));
    expect(table.offer(bare('a', { name: 'Ann' }))?.verdict).toBe('counted');
    expect(sent(table, T0, T0)).toMatchObject([
      { kind: 'enter', count: 1, data: { names: ['Ann'] } },
    ]);
    for (let i = 0; i < 40; i++) table.offer(bare(`u${i}`), T0 + 10 * i);
    expect(sent(table, T0 + 500, T0 + 1900)).toEqual([]);
    expect(dueAt(table.state, T0 + 1900)).toBe(T0 + 2000);
    const [told] = sent(table, T0 + 2000, T0 + 2000);
    expect(told).toMatchObject({ lane: 'low', count: 40, data: { names: ['u0', 'u1', 'u2'] } });
    expect(dueAt(table.state, T0 + 2100)).toBe(Infinity);
    sweep(table.state, T0 + 5000);
    expect(table.state.enters).toBeUndefined();
  });

  it('R-AGG-5 users of the level, allowed ones and keepable notices go by name', () => {
    const allowed = new Map([[user('vip'), 0]]);
    const table = new Table(room({ enterNameLevel: 20 }, { allowed }));
    table.offer(bare('big', { level: 20 }));
    table.offer(bare('small', { level: 19 }));
    table.offer(bare('vip'));
    table.offer({ ...bare('kept'), lane: 'high' });
    const { keep, drop } = table.tick(T0);
    const users = [...keep, ...drop].map(({ publication }) => publication.user?.id);
    expect(users).toEqual(['kept', 'big', 'vip', undefined]);
    expect(table.ended('counted')).toBe(1);
  });

  it('R-AGG-5 with 0 each is told by itself', () => {
    const table = new Table(room({ enterEveryMs: 0 }));
    table.offer(bare('a'));
    table.offer(bare('b'));
    expect(table.tick(T0).drop.length).toBe(2);
  });
});

describe('storms of emoji', () => {
  const storm = { emojiPerSecond: 5, emojiEveryMs: 2000, emojiTop: 3, uplinkPerSecond: 50 };

  it('R-AGG-6 short texts past the rate are counted and told as the most said', () => {
    const table = new Table(room(storm));
    const texts = ['👍', '666', '哈哈', '？？', '❤'];
    let passed = 0;
    for (let i = 0; i < 1500; i++) {
      const text = texts[Math.floor(Math.log2(1 + (i % 31)))]!;
      if (table.admit(said(`u${i}`, text, { ref: i }), T0 + i) === undefined) passed += 1;
    }
    expect(passed).toBeLessThanOrEqual(5 + 1.5 * 5);
    expect(table.ended('counted')).toBe(1500 - passed);
    expect(table.ended('rate_limited')).toBe(0);
    const told = sent(table, T0 + 1500, T0 + 2500).filter(({ kind }) => kind === 'emoji');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ lane: 'low', count: 1500 - passed });
    const { top } = told[0]!.data as { top: { text: string; count: number }[] };
    expect(top.map(({ text }) => text)).toEqual(['❤', '??', '哈哈']);
    expect(top[0]!.count).toBeGreaterThan(0.4 * 1500);
    sweep(table.state, T0 + 30_000);
    expect(table.state.storm).toBeUndefined();
  });

  it('R-AGG-6 longer texts, texts with data and trusted users are no part of a storm', () => {
    const table = new Table(room({ ...storm, emojiPerSecond: 0.5 }));
    table.admit(said('a', '1234'));
    expect(table.admit(said('b', '1234'))?.verdict).toBe('counted');
    expect(table.admit(said('c', '12345'))).toBeUndefined();
    expect(table.admit(said('d', '12', { data: { a: 1 } }))).toBeUndefined();
    expect(table.admit(said('e', '12', { role: 'host' }))).toBeUndefined();
  });

  it('R-AGG-6 who storms uses up its own quota', () => {
    const table = new Table(
      room({ ...storm, emojiPerSecond: 0.01, userPerSecond: 1, userBurst: 3 }),
    );
    const ends = [0, 1, 2, 3].map((i) => table.admit(said('u', '👍', { ref: i }))?.verdict);
    expect(ends).toEqual([undefined, 'counted', 'counted', 'rate_limited']);
  });
});

describe('reports', () => {
  it('R-AGG-7 wait outside of the lanes, and leave half of a tick to what waits there', () => {
    const table = new Table(room({ mergeMs: 3000, lanes: lanesWith({ normal: { depth: 30 } }) }));
    for (let i = 0; i < 20; i++) table.admit(said(`u${i}`, `t${i}`));
    const told = sent(table, T0, T0 + 900).length;
    expect(told).toBe(20);
    for (let i = 0; i < 20; i++) {
      expect(table.admit(said(`v${i}`, `t${i}`), T0 + 1000)?.verdict).toBe('counted');
    }
    for (let i = 0; i < 90; i++) table.admit(said(`w${i}`, `new${i}`, { ref: i }), T0 + 2990);
    expect(table.ended('shed')).toBe(60);
    const again: number[] = [];
    for (let now = T0 + 3000; now < T0 + 6000; now += 100) {
      const texts = table.tick(now).drop.map(({ publication }) => publication.text!);
      const reports = texts.filter((text) => text.startsWith('t')).length;
      again.push(reports);
      if (texts.some((text) => text.startsWith('new'))) {
        expect(reports).toBeLessThanOrEqual(Math.ceil(texts.length / 2));
      }
    }
    expect(again.reduce((sum, count) => sum + count)).toBe(20);
  });
});
