/** Tables of the edge's pure decisions: slow policy, catch-up, early refusals, the door, the quota. */
import { describe, expect, it } from 'vitest';
import { catchUp, type StreamView } from '../../edge/core/catch-up.js';
import { earlyRefusal, type KnownRoom } from '../../edge/core/early-refusal.js';
import {
  admissionPlace,
  LEVEL_FULL,
  LEVEL_SPARES_LIKES,
  USER_PLACES,
} from '../../src/admission-level.js';
import { slowStep } from '../../edge/core/slow-policy.js';
import { chooseProtocol, doorRefusal, isOriginAllowed } from '../../edge/upgrade.js';
import { UserConnections } from '../../edge/users.js';
import { gcra, gcraWaitMs } from '../../src/gcra.js';
import type { UserId } from '../../src/ids.js';
import { DEFAULT_SETTINGS, edgeRules } from '../../src/room-settings.js';

const marks = { softMarkBytes: 100, hardMarkBytes: 1000 };
const NOW = 1_700_000_000_000;

describe('slow policy', () => {
  it.each([
    { lagging: false, buffered: 0, next: 0, step: 'full' },
    { lagging: false, buffered: 100, next: 0, step: 'full' },
    { lagging: false, buffered: 101, next: 0, step: 'keep' },
    { lagging: false, buffered: 40, next: 60, step: 'full' },
    { lagging: false, buffered: 40, next: 61, step: 'keep' },
    { lagging: true, buffered: 51, next: 0, step: 'keep' },
    { lagging: true, buffered: 50, next: 50, step: 'full' },
    { lagging: true, buffered: 50, next: 51, step: 'keep' },
    { lagging: true, buffered: 1000, next: 0, step: 'keep' },
  ])(
    'E-SLOW-1 $buffered bytes, $next to come, lagging $lagging: $step',
    ({ lagging, buffered, next, step }) => {
      const bytes = { bufferedBytes: buffered, nextBytes: next };
      expect(slowStep(lagging, bytes, marks)).toBe(step);
    },
  );

  it.each([false, true])('E-SLOW-2 over the hard mark it ends, lagging %s', (lagging) => {
    expect(slowStep(lagging, { bufferedBytes: 1001, nextBytes: 0 }, marks)).toBe('end');
  });
});

describe('catch-up', () => {
  const view: StreamView = {
    epochs: [
      [1, 1],
      [3, 50],
    ],
    head: 100,
    ringFirst: 80,
    replayMax: 60,
  };

  it.each([
    { since: { epoch: 3, offset: 100 }, want: { how: 'ring' } },
    { since: { epoch: 3, offset: 79 }, want: { how: 'ring' } },
    { since: { epoch: 3, offset: 78 }, want: { how: 'ask', from: 79, limit: 1 } },
    { since: { epoch: 3, offset: 40 }, want: { how: 'ask', from: 41, limit: 39 } },
    { since: { epoch: 1, offset: 49 }, want: { how: 'ask', from: 50, limit: 30 } },
  ])('E-POS-1 from $since: $want.how', ({ since, want }) => {
    expect(catchUp(since, view)).toEqual(want);
  });

  it.each([
    ['more than the replay allows', { epoch: 3, offset: 39 }],
    ['an offset that another epoch wrote anew', { epoch: 1, offset: 60 }],
    ['an epoch nobody knows', { epoch: 0, offset: 10 }],
    ['the beginning, too far away', { epoch: 0, offset: 0 }],
  ])('E-POS-2 %s: the window', (_, since) => {
    expect(catchUp(since, view)).toEqual({ how: 'window' });
  });

  it('E-POS-3 a viewer ahead of its edge makes the edge catch up', () => {
    expect(catchUp({ epoch: 3, offset: 101 }, view)).toEqual({ how: 'ahead' });
  });

  it('E-POS-1 an empty ring asks for everything', () => {
    const empty = { epochs: [[1, 1]] as const, head: 5, ringFirst: 6, replayMax: 60 };
    expect(catchUp({ epoch: 0, offset: 0 }, empty)).toEqual({ how: 'ask', from: 1, limit: 5 });
  });
});

describe('early refusals', () => {
  const rules = { ...edgeRules(DEFAULT_SETTINGS), textCharacters: 5, textBytes: 12 };
  const room = (more: Partial<KnownRoom> = {}): KnownRoom => ({
    status: 'open',
    rules,
    bans: new Map(),
    allowed: new Map(),
    admission: LEVEL_FULL,
    ...more,
  });
  const said = { user: 'ann' as UserId, role: 'member', kind: 'danmaku', text: 'hello' } as const;

  it.each([
    { why: 'a good one', say: said, known: room(), verdict: undefined },
    { why: 'a closed room', say: said, known: room({ status: 'closed' }), verdict: 'closed' },
    { why: 'a frozen room is for the room to say', say: said, known: room({ status: 'frozen' }) },
    {
      why: 'a ban for good',
      say: said,
      known: room({ bans: new Map([[said.user, 0]]) }),
      verdict: 'banned',
    },
    {
      why: 'a ban in force',
      say: said,
      known: room({ bans: new Map([[said.user, NOW + 1]]) }),
      verdict: 'banned',
    },
    { why: 'a ban that ended', say: said, known: room({ bans: new Map([[said.user, NOW]]) }) },
    { why: 'a guest', say: { ...said, role: 'guest' }, known: room(), verdict: 'forbidden' },
    {
      why: 'a guest let speak',
      say: { ...said, role: 'guest' },
      known: room({ rules: { ...rules, guestsSpeak: true } }),
    },
    {
      why: 'a kind not for viewers',
      say: { ...said, kind: 'gift' },
      known: room(),
      verdict: 'forbidden',
    },
    {
      why: 'too many characters',
      say: { ...said, text: 'hellos' },
      known: room(),
      verdict: 'invalid',
    },
    {
      why: 'five characters of four bytes',
      say: { ...said, text: '😀😀😀😀😀' },
      known: room(),
      verdict: 'invalid',
    },
    { why: 'five characters of two units', say: { ...said, text: '😀😀aa' }, known: room() },
    { why: 'no admission', say: said, known: room({ admission: 0 }), verdict: 'sampled_out' },
    { why: 'no admission, a host', say: { ...said, role: 'host' }, known: room({ admission: 0 }) },
    {
      why: 'no admission, an allowed user',
      say: said,
      known: room({ admission: 0, allowed: new Map([[said.user, NOW + 1]]) }),
    },
    {
      why: 'no admission, allowed until now',
      say: said,
      known: room({ admission: 0, allowed: new Map([[said.user, NOW]]) }),
      verdict: 'sampled_out',
    },
    {
      why: 'a like where the low lane is held back',
      say: { ...said, kind: 'like' },
      known: room({ admission: 3 * USER_PLACES }),
      verdict: 'sampled_out',
    },
    {
      why: 'a like where only the uplink is guarded',
      say: { ...said, kind: 'like' },
      known: room({ admission: (2 * USER_PLACES + 1) | LEVEL_SPARES_LIKES }),
    },
  ] as const)('E-SAY-3 $why', ({ say, known, ...want }) => {
    const refusal = earlyRefusal(say, known, NOW);
    expect(refusal?.verdict).toBe('verdict' in want ? want.verdict : undefined);
    if (refusal?.verdict === 'invalid') expect(refusal.field).toBe('text');
  });

  it('E-SAY-5 the admission level lets its share of users through, others in another hour', () => {
    const users = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);
    const admission = 2 * USER_PLACES + Math.round(0.3 * USER_PLACES);
    const passing = (now: number) =>
      users.filter((user) => {
        return !earlyRefusal({ ...said, user: user as UserId }, room({ admission }), now);
      });
    const let1 = passing(NOW);
    const let2 = passing(NOW + 3_600_000);
    for (const share of [let1.length / 20_000, let2.length / 20_000]) {
      expect(share).toBeGreaterThan(0.28);
      expect(share).toBeLessThan(0.32);
    }
    const both = new Set(let2);
    const again = let1.filter((user) => both.has(user)).length / let1.length;
    expect(again).toBeGreaterThan(0.25);
    expect(again).toBeLessThan(0.35);
    // The same user has the same place within the hour.
    expect(admissionPlace('ann', NOW)).toBe(admissionPlace('ann', NOW + 1));
  });
});

describe('the door', () => {
  const rules = { origins: ['https://ok.example'], connectionsMax: 10, connectionsPerAddress: 3 };
  const fine = {
    isDraining: false,
    origin: '',
    host: 'edge.example:8080',
    connections: 0,
    connectionsOfAddress: 0,
  };

  it.each([
    { why: undefined, facts: {} },
    { why: 'draining', status: 503, facts: { isDraining: true } },
    { why: 'full', status: 503, facts: { connections: 10 } },
    { why: 'origin', status: 403, facts: { origin: 'https://evil.example' } },
    { why: 'address', status: 429, facts: { connectionsOfAddress: 3 } },
  ])('E-IN-1 $why: $status', ({ why, status, facts }) => {
    const refusal = doorRefusal({ ...fine, ...facts }, rules);
    expect(refusal?.why).toBe(why);
    expect(refusal?.status).toBe(status);
  });

  it.each([
    ['', true],
    ['http://edge.example', true],
    ['https://edge.example:3000', true],
    ['https://ok.example', true],
    ['https://ok.example.evil.example', false],
    ['https://edge.example.evil.example', false],
    ['null', false],
    ['not a url', false],
  ])('E-IN-1 origin "%s" allowed: %s', (origin, allowed) => {
    expect(isOriginAllowed(origin, 'edge.example:8080', rules.origins)).toBe(allowed);
    expect(isOriginAllowed(origin, 'edge.example:8080', ['*'])).toBe(true);
  });

  it.each([
    ['', '', false],
    ['barrage.v1+json', 'barrage.v1+json', false],
    ['barrage.v1+deflate', 'barrage.v1+deflate', true],
    ['other, barrage.v1+deflate, barrage.v1+json', 'barrage.v1+deflate', true],
  ])('W-2 offered "%s": speaks "%s"', (offered, protocol, isDeflate) => {
    expect(chooseProtocol(offered)).toEqual({ protocol, isDeflate });
  });

  it('W-2 only unknown subprotocols: 400', () => {
    expect(chooseProtocol('mqtt, graphql-ws')).toMatchObject({ why: 'protocol', status: 400 });
  });
});

describe('quotas', () => {
  it('E-IN-6 the quota lets the burst in at once and then its rate, refusals cost nothing', () => {
    const quota = { perSecond: 20, burst: 40 };
    let tat = 0;
    const letIn = (now: number) => {
      const next = gcra(tat, now, quota);
      if (next !== undefined) tat = next;
      return next !== undefined;
    };
    let count = 0;
    for (let i = 0; i < 1000; i++) if (letIn(NOW)) count++;
    expect(count).toBe(40);
    expect(gcraWaitMs(tat, NOW, quota)).toBe(50);
    expect(letIn(NOW + 49)).toBe(false);
    expect(letIn(NOW + 50)).toBe(true);
    count = 0;
    for (let ms = 51; ms <= 10_050; ms++) if (letIn(NOW + ms)) count++;
    expect(count).toBe(200);
  });

  it('E-IN-7 the oldest connections of a user go', () => {
    const users = new UserConnections<string>();
    const ann = 'ann' as UserId;
    expect(users.enter(ann, 'a', 2)).toEqual([]);
    expect(users.enter(ann, 'b', 2)).toEqual([]);
    expect(users.enter(ann, 'b', 2)).toEqual([]);
    expect(users.enter(ann, 'c', 2)).toEqual(['a']);
    users.leave(ann, 'a');
    users.leave(ann, 'b');
    expect(users.enter(ann, 'd', 2)).toEqual([]);
    expect(users.enter('bob' as UserId, 'e', 1)).toEqual([]);
  });
});
