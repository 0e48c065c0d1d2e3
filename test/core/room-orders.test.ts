/** The pure parts of the studio's powers: permissions, standing, mute all, pins, drafts, schedules. */
import { describe, expect, it } from 'vitest';
import {
  ANNOUNCE_GRACE_MS,
  beginProgress,
  planDue,
  type Progress,
} from '../../room/core/announcements.js';
import { actionOf, MOD_MS_MAX, parseModOp } from '../../room/core/mod-ops.js';
import {
  MUTE_ALL_ROLES,
  muteAllHolds,
  mutedForMs,
  type MuteAll,
} from '../../room/core/mute-all.js';
import { mayDo, maySay, outranks } from '../../room/core/permissions.js';
import { pinOf, withoutPins, withPin, type Pin } from '../../room/core/pins.js';
import { placeForOne, published, withdrawn, type Staged } from '../../room/core/staged.js';
import { asGranted, grantRole, mayReach, noStanding } from '../../room/core/standing.js';
import type { Arrival } from '../../room/core/types.js';
import { permissionsFlaw } from '../../room/powers/permission-rules.js';
import { runsOf } from '../../room/powers/recording.js';
import { DEFAULT_PERMISSIONS, ROLES } from '../../src/permissions.js';
import type { UserId } from '../../src/ids.js';
import type { Publication, Role } from '../../src/words.js';

const user = (id: string) => id as UserId;
const arrival = (id: string, role: Role): Arrival => ({
  ref: 1,
  user: { id: user(id) },
  role,
  kind: 'danmaku',
});

describe('permissions', () => {
  it('R-STUDIO-2 an action needs its least role; one not named follows the defaults', () => {
    const may = (permissions: Record<string, 'guest' | 'host' | 'nobody'>) =>
      ROLES.filter((role) => mayDo(permissions, 'mute', role));
    expect(may({})).toEqual(['moderator', 'host']);
    expect(may({ mute: 'host' })).toEqual(['host']);
    expect(may({ mute: 'guest' })).toEqual(['guest', 'member', 'moderator', 'host']);
    expect(may({ mute: 'nobody' })).toEqual([]);
    expect(ROLES.filter((role) => mayDo(DEFAULT_PERMISSIONS, 'freeze', role))).toEqual(['host']);
  });

  it('R-STUDIO-2 a kind of its own goes before speaking at large', () => {
    const permissions = { speak: 'member', 'speak.gift': 'host' } as const;
    expect(ROLES.filter((role) => maySay(permissions, 'danmaku', role))).toEqual([
      'member',
      'moderator',
      'host',
    ]);
    expect(ROLES.filter((role) => maySay(permissions, 'gift', role))).toEqual(['host']);
    expect(maySay({}, 'constructor', 'guest')).toBe(true);
  });

  it.each([
    [{ walk: 'host' }, 'permissions.walk'],
    [{ mute: 'king' }, 'permissions.mute'],
    [{ 'speak.Gift': 'host' }, 'permissions.speak.Gift'],
    [[], 'permissions'],
    [null, 'permissions'],
    [
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`speak.k${i}`, 'host'])),
      'permissions',
    ],
  ])('R-STUDIO-2 a table with a flaw is refused at its path %#', (table, path) => {
    expect(permissionsFlaw(table)?.path).toBe(path);
    expect(permissionsFlaw(DEFAULT_PERMISSIONS)).toBeUndefined();
  });
});

describe('standing', () => {
  it('R-STUDIO-3 a granted role goes before that of the token, but makes no account', () => {
    const standing = noStanding();
    grantRole(standing, user('a'), 'moderator');
    grantRole(standing, user('g'), 'host');
    expect(asGranted(standing, arrival('a', 'member')).role).toBe('moderator');
    expect(asGranted(standing, arrival('g', 'guest')).role).toBe('guest');
    grantRole(standing, user('a'), undefined);
    expect(asGranted(standing, arrival('a', 'member')).role).toBe('member');
    grantRole(standing, user('g'), undefined);
    expect(standing.granted).toBeUndefined();
  });

  it('R-STUDIO-4 nobody reaches equals or betters, known by grant or by having been heard', () => {
    const standing = noStanding();
    expect(outranks('moderator', 'moderator')).toBe(false);
    expect(mayReach(standing, 'moderator', user('b'))).toBe(true);
    asGranted(standing, arrival('b', 'host'));
    expect(mayReach(standing, 'moderator', user('b'))).toBe(false);
    grantRole(standing, user('b'), 'member');
    expect(mayReach(standing, 'moderator', user('b'))).toBe(true);
  });

  it('R-STUDIO-4 who was heard is remembered up to a bound', () => {
    const standing = noStanding();
    for (let i = 0; i < 1500; i++) asGranted(standing, arrival(`u${i}`, 'host'));
    expect(standing.heard?.size).toBe(1000);
    expect(mayReach(standing, 'moderator', user('u1499'))).toBe(false);
  });
});

describe('mute all', () => {
  const rule: MuteAll = { until: 500, except: { roles: MUTE_ALL_ROLES, users: [user('x')] } };
  const speaker = (id: string, role: Role, isAllowed = false) => ({
    user: user(id),
    role,
    isAllowed,
  });

  it('R-STUDIO-1 spares the roles and users named and the allowed, until its end and not after', () => {
    expect(mutedForMs(rule, speaker('a', 'member'), 100)).toBe(400);
    expect(mutedForMs(rule, speaker('a', 'member'), 499.5)).toBe(1);
    expect(mutedForMs(rule, speaker('a', 'member'), 500)).toBe(0);
    expect(mutedForMs(rule, speaker('a', 'moderator'), 100)).toBe(0);
    expect(mutedForMs(rule, speaker('x', 'member'), 100)).toBe(0);
    expect(mutedForMs(rule, speaker('a', 'member', true), 100)).toBe(0);
    expect(mutedForMs({ ...rule, until: 0 }, speaker('a', 'guest'), 1e12)).toBe(Infinity);
    expect(muteAllHolds(undefined, 0)).toBe(false);
  });
});

describe('pins', () => {
  const publication = (id: string): Publication => ({
    id,
    kind: 'chat',
    lane: 'high',
    at: 1,
    text: id,
  });
  const pin = (id: string): Pin => pinOf(publication(id), 2.5);

  it('R-STUDIO-5 the newest is last, the oldest goes, the same one is not there twice', () => {
    const two = withPin([pin('a')], pin('b'), 2);
    expect(two).toEqual({ pins: [pin('a'), pin('b')], gone: [] });
    const three = withPin(two.pins, pin('c'), 2);
    expect(three.pins.map(({ id }) => id)).toEqual(['b', 'c']);
    expect(three.gone).toEqual(['a']);
    expect(withPin(three.pins, pin('b'), 2).pins.map(({ id }) => id)).toEqual(['c', 'b']);
    expect(withoutPins(three.pins, new Set(['c', 'z'])).gone).toEqual(['c']);
    expect(withoutPins(three.pins, new Set(['z'])).pins).toBe(three.pins);
    expect(pin('a')).toEqual({ id: 'a', kind: 'chat', at: 1, text: 'a', pinnedAt: 2 });
  });
});

describe('staged publications', () => {
  const staged = (id: string, at: number): Staged<string> => ({
    ...{ id, state: 'draft', draft: 'd', createdAt: at, updatedAt: at },
  });

  it('R-STUDIO-7 what is no draft any more makes place, the longest untouched first', () => {
    const all = [staged('a', 1), published(staged('b', 2), 'p', 9), withdrawn(staged('c', 3), 5)];
    expect(placeForOne(all, 4)).toBe('');
    expect(placeForOne(all, 3)).toBe('c');
    expect(placeForOne([staged('a', 1)], 1)).toBeUndefined();
  });
});

describe('announcements', () => {
  const once = { at: 1000 };
  const often = { at: 1000, everyMs: 100, until: 1350 };

  it('R-STUDIO-8 one is told once, at its time or within the grace, else missed', () => {
    const progress = beginProgress(once);
    expect(planDue(once, progress, 999)).toEqual({ progress });
    const told = planDue(once, progress, 1000 + ANNOUNCE_GRACE_MS);
    expect(told.fire).toBe(1000);
    expect(told.progress).toEqual({ nextAt: Infinity, fired: 1, missed: 0, firedAt: 1000 });
    const late = planDue(once, progress, 1001 + ANNOUNCE_GRACE_MS);
    expect(late).toEqual({ progress: { nextAt: Infinity, fired: 0, missed: 1 } });
  });

  it('R-STUDIO-8 of several times that passed the newest is told and the others are missed', () => {
    let progress: Progress = beginProgress(often);
    const told: number[] = [];
    for (const now of [1000, 1050, 1100, 1320, 1400, 5000]) {
      const plan = planDue(often, progress, now);
      if (plan.fire !== undefined) told.push(plan.fire);
      progress = plan.progress;
    }
    expect(told).toEqual([1000, 1100, 1300]);
    expect(progress).toEqual({ nextAt: Infinity, fired: 3, missed: 1, firedAt: 1300 });
    const away = planDue(often, beginProgress(often), 1350 + ANNOUNCE_GRACE_MS + 1000);
    expect(away.fire).toBeUndefined();
    expect(away.progress.missed).toBe(4);
    expect(beginProgress({ at: 10, everyMs: 5, until: 5 }).nextAt).toBe(Infinity);
  });
});

describe('moderators’ commands', () => {
  it.each([
    [{ op: 'mute', user: 'a' }, { op: 'mute', user: 'a', reason: '' }, 'mute'],
    [
      { op: 'kick', user: 'a', forMs: 5, reason: 'x' },
      { op: 'kick', user: 'a', forMs: 5, reason: 'x' },
      'kick',
    ],
    [{ op: 'unban', user: 'a' }, { op: 'unban', user: 'a' }, 'ban'],
    [{ op: 'slowMode', ms: 0 }, { op: 'slowMode', ms: 0 }, 'slowMode'],
    [{ op: 'recall', id: 'r.1' }, { op: 'recall', id: 'r.1' }, 'recall'],
    [{ op: 'unfreeze' }, { op: 'unfreeze' }, 'freeze'],
  ])('R-STUDIO-4 %j is read', (data, op, action) => {
    const read = parseModOp(data);
    expect(read).toEqual(op);
    expect(actionOf(read!)).toBe(action);
  });

  it.each([
    [undefined],
    ['freeze'],
    [[]],
    [{}],
    [{ op: 'toString' }],
    [{ op: 'mute' }],
    [{ op: 'mute', user: 'a b' }],
    [{ op: 'mute', user: 'a', forMs: 0 }],
    [{ op: 'mute', user: 'a', forMs: MOD_MS_MAX + 1 }],
    [{ op: 'mute', user: 'a', forMs: 1.5 }],
    [{ op: 'kick', user: 'a', reason: 'a\u0007' }],
    [{ op: 'kick', user: 'a', reason: 'x'.repeat(201) }],
    [{ op: 'freeze', user: 'a' }],
    [{ op: 'recall', id: 'a b' }],
    [{ op: 'slowMode', ms: 120_001 }],
  ])('R-STUDIO-4 %j is no command', (data) => {
    expect(parseModOp(data)).toBeUndefined();
  });
});

it('R-HIST-3 places without a gap are fetched together', () => {
  expect(runsOf([1, 2, 3, 7, 9, 10])).toEqual([
    [1, 3],
    [7, 1],
    [9, 2],
  ]);
  expect(runsOf([])).toEqual([]);
});
