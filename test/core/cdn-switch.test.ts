/** When a room's droppables go to the CDN and come back: a table, and audiences that swing. */
import { describe, expect, it } from 'vitest';
import {
  CDN_START,
  decideCdn,
  isCdnWatched,
  PUSHER_LOST_MS,
  type CdnSight,
  type CdnSwitch,
} from '../../room/core/cdn-switch.js';
import { seededRandom } from '../../src/random.js';

const NOW = 1_000_000_000;
const STAY = 60_000;
const calm: CdnSight = {
  ...{ choice: 'auto', online: 0, onAbove: 1000, offBelow: 500, stayMs: STAY },
  ...{ hasSource: true, hasPusher: true },
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
    const { onAbove } = calm;
    expect(isCdnWatched(OFF, { choice: 'auto', online: 999, onAbove })).toBe(false);
    expect(isCdnWatched(OFF, { choice: 'off', online: 1e9, onAbove })).toBe(false);
    expect(isCdnWatched(OFF, { choice: 'auto', online: 1000, onAbove })).toBe(true);
    expect(isCdnWatched(OFF, { choice: 'on', online: 0, onAbove })).toBe(true);
    expect(isCdnWatched(ON, { choice: 'off', online: 0, onAbove })).toBe(true);
  });
});
