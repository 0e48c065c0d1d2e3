/** When a room's droppables go to the CDN and come back: a table, and audiences that swing. */
import { describe, expect, it } from 'vitest';
import {
  CDN_START,
  decideCdn,
  isCdnWatched,
  PUSHER_BACK_MS,
  PUSHER_LOST_MS,
  type CdnSight,
  type CdnSwitch,
} from '../../room/core/cdn-switch.js';
import { seededRandom } from '../../src/random.js';

const NOW = 1_000_000_000;
const STAY = 60_000;
const calm: CdnSight = {
  ...{ choice: 'auto', online: 0, onAbove: 1000, offBelow: 500, stayMs: STAY },
  ...{ egress: 0, isEgressKnown: true, egressOnAbove: 0, egressOffBelow: 0 },
  ...{ hasSource: true, hasPusher: true, isPusherEnding: false },
};
const ON: CdnSwitch = { mode: 'on', since: NOW - 10 * STAY, why: 'audience' };
const OFF: CdnSwitch = { mode: 'off', since: NOW - 10 * STAY, why: 'audience' };
const at = (before: CdnSwitch, sight: Partial<CdnSight>, now = NOW) => {
  const { mode, why } = decideCdn(before, { ...calm, ...sight }, now);
  return `${mode} ${why}`;
};

describe('the switch of one room', () => {
  it('R-CDN-1 what the studio chose holds at once', () => {
    expect(at(CDN_START, { choice: 'on' })).toBe('on chosen');
    expect(at({ ...ON, since: NOW }, { choice: 'off', online: 1e9 })).toBe('off chosen');
    const ordered: CdnSwitch = { mode: 'off', since: NOW, why: 'chosen' };
    expect(at(ordered, { choice: 'on' })).toBe('on chosen');
    expect(at(ordered, { choice: 'off', online: 1e9 })).toBe('off chosen');
  });

  it('R-CDN-2 auto goes by two marks and a least time between changes', () => {
    expect(at(CDN_START, { online: 999 })).toBe('off start');
    expect(at(CDN_START, { online: 1000 })).toBe('on audience');
    expect(at({ ...OFF, since: NOW - STAY + 1 }, { online: 1e6 })).toBe('off audience');
    expect(at({ ...OFF, since: NOW - STAY }, { online: 1e6 })).toBe('on audience');
    expect(at({ ...ON, lowSince: NOW - STAY + 1 }, { online: 499 })).toBe('on audience');
    expect(at({ ...ON, lowSince: NOW - STAY }, { online: 499 })).toBe('off audience');
    expect(at({ ...ON, lowSince: NOW - STAY }, { online: 500 })).toBe('on audience');
    // Low for long enough, but on for too short.
    expect(at({ ...ON, since: NOW - STAY + 1, lowSince: 0 }, { online: 0 })).toBe('on audience');
    // A dip ends the time that counts.
    const back = decideCdn({ ...ON, lowSince: NOW - STAY }, { ...calm, online: 600 }, NOW);
    expect(back.lowSince).toBeUndefined();
  });

  it('R-CDN-3 without a CDN or a pusher no room turns on, and one that is on turns off', () => {
    for (const choice of ['on', 'auto'] as const) {
      const big = { choice, online: 1e9 };
      expect(at(CDN_START, { ...big, hasSource: false })).toBe('off start');
      expect(at(CDN_START, { ...big, hasPusher: false })).toBe('off start');
      expect(at(ON, { ...big, hasSource: false })).toBe('off no_source');
      const lost = { ...ON, lostSince: NOW - PUSHER_LOST_MS };
      expect(at({ ...lost, lostSince: lost.lostSince + 1 }, { ...big, hasPusher: false })).toBe(
        'on audience',
      );
      expect(at(lost, { ...big, hasPusher: false })).toBe('off no_pusher');
      expect(at(lost, big)).toBe('on audience');
      // Not tried again before the stay is over.
      const failed: CdnSwitch = { mode: 'off', since: NOW - STAY + 1, why: 'no_pusher' };
      expect(at(failed, big)).toBe('off no_pusher');
      expect(at({ ...failed, since: NOW - STAY }, big)).toMatch(/^on /);
    }
  });

  it('R-CDN-13 the only pusher ends: off at once, and on again as soon as one writes', () => {
    const gone = { isPusherEnding: true, hasPusher: false };
    const now = { ...ON, since: NOW };
    for (const choice of ['on', 'auto'] as const) {
      expect(at(now, { ...gone, choice, online: 1e9 })).toBe('off pusher_ends');
    }
    expect(at(now, { ...gone, choice: 'off' })).toBe('off chosen');
    const left: CdnSwitch = { mode: 'off', since: NOW, why: 'pusher_ends' };
    expect(at(left, { ...gone, choice: 'on' })).toBe('off pusher_ends');
    expect(at(left, { choice: 'on', hasPusher: false })).toBe('off pusher_ends');
    expect(at(left, { choice: 'on' })).toBe('on chosen');
    expect(at(left, { choice: 'off' })).toBe('off pusher_ends');
    // It was on: what would have kept it on brings it back, for a while.
    expect(at(left, { online: 500 })).toBe('on audience');
    expect(at(left, { online: 499 })).toBe('off pusher_ends');
    expect(at({ ...left, since: NOW - PUSHER_BACK_MS }, { online: 999 })).toBe('off pusher_ends');
    expect(at({ ...left, since: NOW - PUSHER_BACK_MS }, { online: 1000 })).toBe('on audience');
    const watched = (choice: 'on' | 'auto' | 'off') =>
      isCdnWatched(left, { ...calm, choice, online: 600 });
    expect([watched('on'), watched('auto'), watched('off')]).toEqual([true, true, false]);
  });

  it('R-CDN-2 an audience that swings around the marks changes the mode at most once a stay', () => {
    const random = seededRandom(7);
    let state: CdnSwitch = CDN_START;
    let changes = 0;
    const seconds = 3600;
    for (let second = 0; second < seconds; second++) {
      const online = Math.floor(random.next() * 2000);
      const next = decideCdn(state, { ...calm, online }, NOW + second * 1000);
      if (next.mode !== state.mode) changes++;
      state = next;
    }
    // Never below the lower mark for a whole minute: on once, and it stays.
    expect([changes, state.mode]).toEqual([1, 'on']);
    for (let minute = 0; minute < 60; minute++) {
      const online = minute % 2 === 0 ? 10 : 5000;
      for (let second = 0; second < 60; second++) {
        const now = NOW + (seconds + minute * 60 + second) * 1000;
        const next = decideCdn(state, { ...calm, online }, now);
        if (next.mode !== state.mode) {
          expect(next.since - state.since).toBeGreaterThanOrEqual(STAY);
        }
        state = next;
      }
    }
  });

  it('R-CDN-2 a room that cannot turn on is not looked at', () => {
    const watched = (before: CdnSwitch, sight: Partial<CdnSight>) =>
      isCdnWatched(before, { ...calm, ...sight });
    expect(watched(OFF, { choice: 'auto', online: 999 })).toBe(false);
    expect(watched(OFF, { choice: 'off', online: 1e9 })).toBe(false);
    expect(watched(OFF, { choice: 'auto', online: 1000 })).toBe(true);
    expect(watched(OFF, { choice: 'on', online: 0 })).toBe(true);
    expect(watched(ON, { choice: 'off', online: 0 })).toBe(true);
    expect(watched(OFF, { choice: 'auto', egress: 1e12 })).toBe(false);
    expect(watched(OFF, { choice: 'auto', egress: 5000, egressOnAbove: 5001 })).toBe(false);
    expect(watched(OFF, { choice: 'auto', egress: 5000, egressOnAbove: 5000 })).toBe(true);
  });

  it('R-CDN-11 auto goes by the egress too: over either mark it goes, below both it comes back', () => {
    const marks = { egressOnAbove: 5000, egressOffBelow: 2000 };
    const of = (before: CdnSwitch, sight: Partial<CdnSight>, now = NOW) =>
      at(before, { ...marks, ...sight }, now);
    expect(of(CDN_START, { egress: 4999 })).toBe('off start');
    expect(of(CDN_START, { egress: 5000 })).toBe('on egress');
    expect(of(CDN_START, { egress: 5000, online: 1000 })).toBe('on audience');
    expect(of(CDN_START, { egress: 1e12, egressOnAbove: 0 })).toBe('off start');
    expect(of(CDN_START, { egress: 1e12, choice: 'off' })).toBe('off start');
    expect(of(CDN_START, { egress: 1e12, hasPusher: false })).toBe('off start');
    const byEgress: CdnSwitch = { ...ON, why: 'egress' };
    const low: CdnSwitch = { ...byEgress, lowSince: NOW - STAY };
    expect(of(low, { egress: 2000 })).toBe('on egress');
    expect(of(low, { egress: 1999 })).toBe('off egress');
    expect(of({ ...low, lowSince: NOW - STAY + 1 }, { egress: 0 })).toBe('on egress');
    expect(of({ ...low, since: NOW - STAY + 1 }, { egress: 0 })).toBe('on egress');
    // The other mark keeps it, and is the reason when it falls last.
    expect(of(low, { egress: 0, online: 500 })).toBe('on egress');
    expect(of({ ...low, heldBy: 'audience' }, { egress: 0 })).toBe('off audience');
    expect(of({ ...ON, lowSince: NOW - STAY }, { egress: 2000 })).toBe('on audience');
    expect(of({ ...ON, heldBy: 'egress', lowSince: NOW - STAY }, { egress: 0 })).toBe('off egress');
    // A new owner has not measured long enough to call it low; what the audience held it need not.
    expect(of(low, { egress: 0, isEgressKnown: false })).toBe('on egress');
    const audience = { ...ON, lowSince: NOW - STAY };
    expect(of(audience, { egress: 0, isEgressKnown: false })).toBe('off audience');
    // The marks the wrong way round, as defaults may change beneath a studio's own.
    expect(of(low, { egress: 5000, egressOffBelow: 9000 })).toBe('on egress');
    // Not again so soon, whichever mark it is; the studio's order at once.
    const back: CdnSwitch = { mode: 'off', since: NOW - STAY + 1, why: 'egress' };
    expect(of(back, { egress: 1e12 })).toBe('off egress');
    expect(of(back, { online: 1e6 })).toBe('off egress');
    expect(of(back, { choice: 'on' })).toBe('on chosen');
    expect(of({ ...back, since: NOW - STAY }, { egress: 1e12 })).toBe('on egress');
    // Taken from the configuration while the room is on by it.
    expect(of(low, { egress: 1e12, egressOnAbove: 0 })).toBe('off egress');
  });
});
