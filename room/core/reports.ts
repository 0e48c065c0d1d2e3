/**
 * Owns the publications the room itself makes of what it counted (likes, runs of gifts, enter notices,
 * storms of emoji, equals of a told text): which are due, and that they take no more than their part
 * of a lane. A report waits outside of the lanes and is never shed. Knows no budget.
 */
import { COMBO_KIND, LIKE_KIND, type Lane, type Publication } from '../../src/words.js';
import { combosReadyAt, dueCombos, untellCombo } from './combos.js';
import { dueEchoes, echoesReadyAt } from './echoes.js';
import { dueStorm, stormReadyAt } from './emoji-storm.js';
import { dueEnters, entersReadyAt } from './enters.js';
import { dueLikes, likesReadyAt, untellLikes } from './likes.js';
import type { RoomState } from './state.js';

/** A report that may be told now; telling changes the room. */
export interface DueReport {
  readonly lane: Lane;
  tell(): Publication;
}

const NONE: readonly DueReport[] = [];

/** When the next report may be told; Infinity when nothing was counted. */
export function reportsReadyAt(state: RoomState): number {
  return Math.min(
    likesReadyAt(state),
    combosReadyAt(state),
    entersReadyAt(state),
    stormReadyAt(state),
    echoesReadyAt(state),
  );
}

/** All that may be told at `now`, the most telling first. */
export function dueReports(state: RoomState, now: number): readonly DueReport[] {
  if (reportsReadyAt(state) > now) return NONE;
  return [
    ...dueLikes(state, now),
    ...dueEnters(state, now),
    ...dueStorm(state, now),
    ...dueEchoes(state, now),
    ...dueCombos(state, now),
  ];
}

/**
 * Those of the lane that go out when it has `places`: all that fit, or half the places while entries
 * wait for the rest.
 */
export function reportsWithin(
  reports: readonly DueReport[],
  lane: Lane,
  places: number,
  waiting: number,
): readonly DueReport[] {
  if (reports.length === 0 || places === 0) return NONE;
  const own = reports.filter((report) => report.lane === lane);
  const most = waiting === 0 ? places : Math.max(Math.ceil(places / 2), places - waiting);
  return own.length <= most ? own : own.slice(0, most);
}

/** Takes back a report that could not be logged: it is due again. */
export function untellReport(state: RoomState, report: Publication): void {
  if (report.kind === LIKE_KIND) untellLikes(state, report);
  else if (report.kind === COMBO_KIND) untellCombo(state, report);
}
