/** Limits of one user beside the quota of all it says: by kind, and of saying the same again. */
import { describe, expect, it } from 'vitest';
import { VERDICT_STATUS } from '../../src/verdict.js';
import { applySettings, sweep } from '../../room/core/commands.js';
import { InboxWaits } from '../../room/inbox-wait.js';
import { findUser } from '../../room/core/users.js';
import { T0, Table, lanesWith, room, said, user } from '../kit/room-core.js';

const chat = (by: string, text: string, more = {}) => said(by, text, { kind: 'chat', ...more });
const like = (by: string) => said(by, '', { kind: 'like' });

describe('by kind', () => {
  const slowChat = { kindLimits: { chat: { perSecond: 0.5, burst: 2 } } };

  it('R-LIMIT-1 a kind with a limit of its own is refused past it, with the time left', () => {
    const table = new Table(room(slowChat));
    expect(table.admit(chat('u', '1'))).toBeUndefined();
    expect(table.admit(chat('u', '2'))).toBeUndefined();
    const refused = table.admit(chat('u', '3'), T0 + 500);
    expect(refused).toMatchObject({ verdict: 'rate_limited', retryAfterMs: 1500 });
    expect(table.admit(said('u', 'another kind'), T0 + 500)).toBeUndefined();
    expect(table.admit(chat('v', 'another user'), T0 + 500)).toBeUndefined();
    expect(table.admit(chat('u', '4'), T0 + 2000)).toBeUndefined();
  });

  it('R-LIMIT-1 the quota of all a user says holds beside it', () => {
    const table = new Table(room({ ...slowChat, userPerSecond: 0.1, userBurst: 1 }));
    expect(table.admit(chat('u', '1'))).toBeUndefined();
    expect(table.admit(chat('u', '2'), T0 + 5000)).toMatchObject({ retryAfterMs: 5000 });
    const open = new Table(room({ ...slowChat, userPerSecond: 1000, userBurst: 1000 }));
    for (let i = 0; i < 3; i++) open.admit(chat('u', `${i}`));
    expect(open.ended('rate_limited')).toBe(1);
  });

  it("R-LIMIT-1 the limit of likes takes the place of likes' usual one", () => {
    const table = new Table(room({ kindLimits: { like: { perSecond: 1, burst: 30 } } }));
    for (let i = 0; i < 30; i++) expect(table.admit(like('u'))?.verdict).toBe('counted');
    expect(table.admit(like('u'))).toMatchObject({ verdict: 'rate_limited', retryAfterMs: 1000 });
    const few = new Table(room({ kindLimits: { like: { perSecond: 1, burst: 1 } } }));
    expect([few.admit(like('u')), few.admit(like('u'))].map((end) => end?.verdict)).toEqual([
      'counted',
      'rate_limited',
    ]);
  });

  it('R-LIMIT-1 a changed limit holds at once', () => {
    const table = new Table(room({ kindLimits: { chat: { perSecond: 0.01, burst: 1 } } }));
    table.admit(chat('u', '1'));
    expect(table.admit(chat('u', '2'))?.verdict).toBe('rate_limited');
    applySettings(table.state, { ...table.state.settings, kindLimits: {} }, T0);
    expect(table.admit(chat('u', '3'))).toBeUndefined();
    applySettings(table.state, { ...table.state.settings, ...slowChat }, T0);
    expect(table.admit(chat('u', '4'), T0 + 4000)).toBeUndefined();
  });

  it('R-LIMIT-1 who is limited is remembered as long as the limit lasts', () => {
    const hour = { kindLimits: { chat: { perSecond: 0.01, burst: 10 } } };
    const table = new Table(room(hour));
    table.admit(chat('u', '1'));
    for (let ms = 0; ms < 1_000_000; ms += 100_000) sweep(table.state, T0 + ms);
    expect(findUser(table.state.users, user('u'))).toBeDefined();
    for (let ms = 0; ms < 4_000_000; ms += 100_000) sweep(table.state, T0 + ms);
    expect(findUser(table.state.users, user('u'))).toBeUndefined();
  });
});

describe('the same again', () => {
  const once = { repeatTextMs: 10_000 };

  it('R-LIMIT-2 one user may not say the same within the time, whatever it looks like', () => {
    const table = new Table(room(once));
    expect(table.admit(said('u', 'Buy GOLD'))).toBeUndefined();
    expect(table.admit(said('u', 'ｂｕｙ   gold'), T0 + 4000)).toMatchObject({
      verdict: 'repeated',
      retryAfterMs: 6000,
    });
    expect(table.admit(said('u', 'something else'), T0 + 4000)).toBeUndefined();
    expect(table.admit(said('u', 'buy gold'), T0 + 5000)?.verdict).toBe('repeated');
    expect(table.admit(said('v', 'buy gold'), T0 + 5000)).toBeUndefined();
    expect(table.admit(said('u', 'buy gold'), T0 + 10_000)).toBeUndefined();
    expect(VERDICT_STATUS.repeated).toBe(429);
  });

  it('R-LIMIT-2 where equals are loose, repeats are too', () => {
    const table = new Table(room({ ...once, mergeLoose: true }));
    table.admit(said('u', 'gold!'));
    expect(table.admit(said('u', 'gold!!!!'))?.verdict).toBe('repeated');
  });

  it('R-LIMIT-2 the trusted may repeat themselves, and likes are no text', () => {
    const table = new Table(room(once));
    for (let i = 0; i < 2; i++) {
      expect(table.admit(said('h', 'welcome', { role: 'host', ref: i }))).toBeUndefined();
      expect(table.admit(like('u'))?.verdict).toBe('counted');
    }
  });

  it('R-LIMIT-2 the eight newest texts of a user are remembered', () => {
    const table = new Table(room(once));
    for (let i = 0; i < 9; i++) table.admit(said('u', `t${i}`));
    expect(table.admit(said('u', 't1', { ref: 'again' }))?.verdict).toBe('repeated');
    expect(table.admit(said('u', 't0', { ref: 'again' }))).toBeUndefined();
  });
});

describe('what is refused', () => {
  it.each<[string, Parameters<typeof room>[0], Parameters<typeof said>[2]]>([
    ['a text too long', {}, { text: 'a'.repeat(101) }],
    ['a kind not theirs', {}, { kind: 'gift' }],
    ['a crowded room', { uplinkPerSecond: 0 }, {}],
    ['a full lane', { lanes: lanesWith({ high: { depth: 0 } }), kinds: { danmaku: 'high' } }, {}],
  ])('R-LIMIT-3 uses up neither a limit of a kind nor a text: %s', (_title, patch, bad) => {
    const limits = { danmaku: { perSecond: 0.01, burst: 1 }, gift: { perSecond: 0.01, burst: 1 } };
    const table = new Table(room({ kindLimits: limits, repeatTextMs: 60_000, ...patch }));
    for (let i = 0; i < 3; i++) {
      const end = table.admit(said('u', 'hello', { ref: `r${i}`, ...bad }));
      expect(end?.verdict).toBeDefined();
      expect(end?.verdict).not.toBe('repeated');
    }
    const settings = { ...table.state.settings, uplinkPerSecond: 100, kinds: {} };
    applySettings(table.state, settings, T0);
    expect(table.admit(said('u', 'hello', { ref: 'good' }), T0 + 100)).toBeUndefined();
    expect(table.admit(said('u', 'hello', { ref: 'same' }), T0 + 100)?.verdict).toBe(
      'rate_limited',
    );
  });
});

describe('inbox wait', () => {
  it('R-OVER-5 a wait is what a batch took beyond the fastest of its edge, whatever its clock says', () => {
    const waits = new InboxWaits();
    for (const skew of [0, -86_400_000, 5_000_000]) {
      const edge = `edge${skew}`;
      expect(waits.observe(edge, T0 + skew, T0 + 3)).toBe(0);
      expect(waits.observe(edge, T0 + skew + 10, T0 + 12)).toBe(0);
      expect(waits.observe(edge, T0 + skew + 20, T0 + 62)).toBe(40);
    }
    expect(waits.observe('edge', NaN, T0)).toBeUndefined();
  });

  it('R-OVER-5 a clock that drifts is followed within two minutes', () => {
    const waits = new InboxWaits();
    waits.observe('e', T0, T0);
    for (let ms = 1000; ms <= 125_000; ms += 1000) waits.observe('e', T0 + ms - 500, T0 + ms);
    expect(waits.observe('e', T0 + 126_000 - 500, T0 + 126_000)).toBe(0);
  });
});
