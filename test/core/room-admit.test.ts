/** The room's door: who is let in, who is refused with which word, and what a refusal costs. */
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../src/verdict.js';
import type { Lane } from '../../src/words.js';
import { queuedOf } from '../../room/core/state.js';
import { T0, Table, lanesWith, offered, room, said, user } from '../kit/room-core.js';

const until = (end: number) => new Map([[user('u'), end]]);

describe('sanctions and status', () => {
  it.each<
    [string, Parameters<typeof room>[1], Partial<Parameters<typeof said>[2]>, number, Verdict?]
  >([
    ['R-ADMIT-2 banned before the end', { bans: until(T0 + 10) }, {}, T0 + 9, 'banned'],
    ['R-ADMIT-2 not banned at the end', { bans: until(T0 + 10) }, {}, T0 + 10],
    ['R-ADMIT-2 banned for good', { bans: until(0) }, {}, T0 + 1e12, 'banned'],
    ['R-ADMIT-2 a banned host too', { bans: until(0) }, { role: 'host' }, T0, 'banned'],
    ['R-ADMIT-2 muted before the end', { mutes: until(T0 + 10) }, {}, T0 + 9, 'muted'],
    ['R-ADMIT-2 not muted at the end', { mutes: until(T0 + 10) }, {}, T0 + 10],
    [
      'R-ADMIT-2 banned is said before muted',
      { mutes: until(0), bans: until(0) },
      {},
      T0,
      'banned',
    ],
    ['R-ADMIT-3 a member in a frozen room', { status: 'frozen' }, {}, T0, 'frozen'],
    ['R-ADMIT-3 a host in a frozen room', { status: 'frozen' }, { role: 'host' }, T0],
    ['R-ADMIT-3 a moderator in a frozen room', { status: 'frozen' }, { role: 'moderator' }, T0],
    ['R-ADMIT-3 an allowed user in a frozen room', { status: 'frozen', allowed: until(0) }, {}, T0],
    [
      'R-ADMIT-3 a user no longer allowed in a frozen room',
      { status: 'frozen', allowed: until(T0) },
      {},
      T0,
      'frozen',
    ],
    ['R-ADMIT-3 a host in a closed room', { status: 'closed' }, { role: 'host' }, T0, 'closed'],
    ['R-ADMIT-4 a guest', {}, { role: 'guest' }, T0, 'forbidden'],
    ['R-ADMIT-4 a kind of the studio', {}, { kind: 'gift' }, T0, 'forbidden'],
    ['R-ADMIT-4 a kind named like a method', {}, { kind: 'constructor' }, T0, 'forbidden'],
  ])('%s', (_title, seed, arrival, now, verdict) => {
    const table = new Table(room({}, seed));
    expect(table.admit(said('u', 'hello', arrival), now)?.verdict).toBe(verdict);
  });

  it('R-ADMIT-2 tells how long a sanction lasts', () => {
    const table = new Table(room({}, { mutes: until(T0 + 10) }));
    expect(table.admit(said('u', 'a'), T0 + 0.5)?.retryAfterMs).toBe(10);
  });

  it('R-ADMIT-3 a closed room takes no offer, a frozen one does', () => {
    const closed = new Table(room({}, { status: 'closed' }));
    expect(closed.offer(offered('high', 'x'))?.verdict).toBe('closed');
    const frozen = new Table(room({}, { status: 'frozen' }));
    expect(frozen.offer(offered('high', 'x'))).toBeUndefined();
    expect(queuedOf(frozen.state).high).toBe(1);
  });

  it('R-ADMIT-4 guests speak where the room lets them', () => {
    const table = new Table(room({ guestsSpeak: true }));
    expect(table.admit(said('g', 'hello', { role: 'guest' }))).toBeUndefined();
    expect(queuedOf(table.state).normal).toBe(1);
  });
});

describe('text', () => {
  it.each<[string, string, Verdict?]>([
    ['R-ADMIT-8 as many characters as allowed', 'a'.repeat(100)],
    ['R-ADMIT-8 one character more', 'a'.repeat(101), 'invalid'],
    ['R-ADMIT-8 characters are code points', '🎉'.repeat(100)],
    ['R-ADMIT-8 one code point more', '🎉'.repeat(101), 'invalid'],
    ['R-ADMIT-8 half a pair counts as one', `${'a'.repeat(99)}\ud83c`],
  ])('%s', (_title, text, verdict) => {
    const table = new Table(room({ textCharacters: 100, textBytes: 1024 }));
    expect(table.admit(said('u', text))?.verdict).toBe(verdict);
  });

  it('R-ADMIT-8 bytes are those of UTF-8', () => {
    const table = new Table(room({ textCharacters: 1000, textBytes: 30 }));
    expect(table.admit(said('u', '弹'.repeat(10)))).toBeUndefined();
    expect(table.admit(said('u', '弹'.repeat(11)))?.verdict).toBe('invalid');
    expect(table.admit(said('u', 'a'.repeat(30)))).toBeUndefined();
  });
});

describe('quotas', () => {
  it('R-ADMIT-5 slow mode refuses with the time left and exempts the trusted', () => {
    const table = new Table(room({ slowModeMs: 5000 }, { allowed: new Map([[user('vip'), 0]]) }));
    expect(table.admit(said('u', '1'), T0)).toBeUndefined();
    const refused = table.admit(said('u', '2'), T0 + 1200.5);
    expect(refused).toMatchObject({ verdict: 'slow_mode', retryAfterMs: 3800 });
    expect(table.admit(said('u', '3'), T0 + 5000)).toBeUndefined();
    for (const [by, role] of [
      ['h', 'host'],
      ['m', 'moderator'],
      ['vip', 'member'],
    ] as const) {
      expect(table.admit(said(by, '1', { role }), T0)).toBeUndefined();
      expect(table.admit(said(by, '2', { role }), T0 + 1)).toBeUndefined();
    }
  });

  it('R-ADMIT-5 a refused danmaku does not start slow mode anew', () => {
    const table = new Table(room({ slowModeMs: 1000 }));
    table.admit(said('u', '1'), T0);
    expect(table.admit(said('u', '2'), T0 + 900)?.verdict).toBe('slow_mode');
    expect(table.admit(said('u', '3'), T0 + 1000)).toBeUndefined();
  });

  it('R-ADMIT-6 refuses past the burst with the time until the next', () => {
    const table = new Table(room({ userPerSecond: 2, userBurst: 5 }));
    for (let i = 0; i < 5; i++) expect(table.admit(said('u', `t${i}`))).toBeUndefined();
    expect(table.admit(said('u', 'x'))).toMatchObject({
      verdict: 'rate_limited',
      retryAfterMs: 500,
    });
    expect(table.admit(said('v', 'x'))).toBeUndefined();
    expect(table.admit(said('u', 'y'), T0 + 499)?.verdict).toBe('rate_limited');
    expect(table.admit(said('u', 'z'), T0 + 500)).toBeUndefined();
  });

  it.each<[string, Parameters<typeof room>[0], Parameters<typeof said>[2]]>([
    ['R-ADMIT-6 a forbidden kind uses up no quota', {}, { kind: 'gift' }],
    ['R-ADMIT-6 a text too long uses up no quota', {}, { text: 'a'.repeat(101) }],
    [
      'R-ADMIT-6 a full lane uses up no quota',
      { lanes: lanesWith({ high: { depth: 0 } }) },
      { role: 'host' },
    ],
    ['R-ADMIT-6 a crowded room uses up no quota', { uplinkPerSecond: 0 }, {}],
  ])('%s', (_title, patch, bad) => {
    const table = new Table(room({ userPerSecond: 0.01, userBurst: 1, ...patch }));
    for (let i = 0; i < 5; i++) {
      expect(table.admit(said('u', `n${i}`, { ref: i, ...bad }))?.verdict).not.toBe(undefined);
    }
    table.state.settings = { ...table.state.settings, uplinkPerSecond: 10 };
    expect(table.admit(said('u', 'good'))).toBeUndefined();
    expect(table.admit(said('u', 'too many'))?.verdict).toBe('rate_limited');
  });

  it('R-ADMIT-7 lets the burst in at once and the rate over time, within 1 %', () => {
    const table = new Table(room({ uplinkPerSecond: 200, uplinkBurst: 50, laneWaitMs: 100 }));
    let letIn = 0;
    for (let i = 0; i < 60_000; i++) {
      const now = T0 + i / 2;
      if (i % 200 === 0) table.tick(now);
      if (table.admit(said(`u${i}`, `${i}`), now)?.verdict !== 'rate_limited') letIn += 1;
      if (now === T0) expect(letIn).toBe(1);
    }
    expect(letIn).toBeGreaterThan(6050 * 0.99);
    expect(letIn).toBeLessThanOrEqual(6050);
  });

  it('R-ADMIT-7 the trusted pass when the room is crowded, and take nothing of the uplink', () => {
    const table = new Table(room({ uplinkPerSecond: 1, uplinkBurst: 1 }));
    for (const [i, role] of (['host', 'moderator', 'host'] as const).entries()) {
      expect(table.admit(said(`t${i}`, `t${i}`, { role }))).toBeUndefined();
    }
    expect(table.admit(said('u', 'first'))).toBeUndefined();
    expect(table.admit(said('v', 'second'))).toMatchObject({ verdict: 'rate_limited' });
    expect(table.admit(said('h', 'still', { role: 'host' }))).toBeUndefined();
  });

  it('R-ADMIT-7 an uplink of 0 lets in nobody but the trusted', () => {
    const table = new Table(room({ uplinkPerSecond: 0, uplinkBurst: 50 }));
    expect(table.admit(said('u', 'x'), T0 + 5000)?.verdict).toBe('rate_limited');
    expect(table.admit(said('h', 'x', { role: 'host' }))).toBeUndefined();
  });
});

describe('lanes and books', () => {
  it.each<[string, Partial<Parameters<typeof said>[2]>, Lane]>([
    ['R-ADMIT-9 a named kind', { kind: 'chat' }, 'low'],
    ['R-ADMIT-9 an unnamed kind', { kind: 'wave' }, 'normal'],
    ['R-ADMIT-9 an unnamed kind called like a method', { kind: 'constructor' }, 'normal'],
    ['R-ADMIT-9 a host', { role: 'host', kind: 'chat' }, 'high'],
    ['R-ADMIT-9 a moderator', { role: 'moderator' }, 'high'],
    [
      'R-ADMIT-9 a host with a kind of the control lane',
      { role: 'host', kind: 'alarm' },
      'control',
    ],
  ])('%s', (_title, arrival, lane) => {
    const kinds = { chat: 'low', alarm: 'control' } as const;
    const viewerKinds = ['danmaku', 'chat', 'wave', 'alarm', 'constructor'];
    const table = new Table(room({ kinds, viewerKinds }));
    expect(table.admit(said('u', 'x', arrival))).toBeUndefined();
    expect(queuedOf(table.state)[lane]).toBe(1);
  });

  it('R-ADMIT-9 an allowed user goes to high', () => {
    const table = new Table(room({}, { allowed: new Map([[user('u'), T0 + 5]]) }));
    table.admit(said('u', 'x'), T0 + 4);
    table.admit(said('u', 'y'), T0 + 5);
    expect(queuedOf(table.state)).toEqual({ control: 0, high: 1, normal: 1, low: 0 });
  });

  it('R-ADMIT-1 received is the sum of the verdicts and what is queued, at every step', () => {
    const table = new Table(room({ userBurst: 2, userPerSecond: 1 }));
    for (let i = 0; i < 30; i++) table.admit(said(`u${i % 7}`, `t${i % 5}`), T0 + i);
    table.offer(offered('control', 'notice'), T0 + 30);
    for (let now = T0 + 40; now < T0 + 5000; now += 100) table.tick(now);
    expect(table.settled.length).toBe(31);
    expect(new Set(table.settled.map(({ ref }) => ref)).size).toBeLessThanOrEqual(31);
    expect(table.state.received).toBe(31);
    expect(table.state.offered).toBe(1);
    const counted = Object.entries(table.state.verdicts).filter(([, count]) => count > 0);
    for (const [verdict, count] of counted) expect(table.ended(verdict as Verdict)).toBe(count);
  });

  it('R-ADMIT-1 ids are of the epoch and the place in it', () => {
    const table = new Table(room({}, { epoch: 36, seq: 34 }));
    table.admit(said('u', 'a'), T0 + 0.4);
    table.admit(said('v', 'b'), T0 + 0.6);
    const { drop } = table.tick(T0 + 1);
    expect(drop.map(({ publication }) => publication)).toEqual([
      { id: '10-z', kind: 'danmaku', lane: 'normal', at: T0, user: { id: 'u' }, text: 'a' },
      { id: '10-10', kind: 'danmaku', lane: 'normal', at: T0 + 1, user: { id: 'v' }, text: 'b' },
    ]);
    expect(table.settled).toEqual([
      { ref: 'u:a', verdict: 'published', id: '10-z' },
      { ref: 'v:b', verdict: 'published', id: '10-10' },
    ]);
  });
});
