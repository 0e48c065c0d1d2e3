/**
 * Owns when a room ticks and what a tick sends: grants of the budget turned into a plan. Keepable
 * entries are planned and settled only when the shell says what became of them; droppable ones are
 * settled here. Knows no log, no frame and no edge.
 */
import type { Random } from '../../src/random.js';
import { LEVEL_FULL } from '../../src/admission-level.js';
import { advanceAdmission } from './admission.js';
import { NO_ROW, paceOf } from './audience.js';
import { settle, settleSent } from './books.js';
import { accrue, grant, settleCredit, slideWindow, spend, type Slots } from './budget.js';
import { trimLanes } from './enqueue.js';
import { comboLogged, countGift, GIFT_KIND } from './combos.js';
import { planDropped, planKept } from './plan.js';
import { dueReports, reportsReadyAt, untellReport, type DueReport } from './reports.js';
import { isWaiting, type RoomState } from './state.js';
import type { Planned, TickPlan } from './types.js';

/** Least time between ticks, however urgent. */
export const EARLY_TICK_MS = 20;
/** An admission level below full is told again this often though nothing else is sent. */
export const ADMISSION_TICK_MS = 1000;
/** A timer may fire this much too soon and the tick still counts as the regular one. */
const TIMER_SLACK_MS = 1;

/** When the next tick should run, at the earliest `now`; Infinity when nothing waits. */
export function dueAt(state: RoomState, now: number): number {
  const { tickAt, fullAt, isUrgent } = state.times;
  const { tickMs } = paceOf(state.settings, state.row);
  const due = Math.min(
    isUrgent ? tickAt + EARLY_TICK_MS : Infinity,
    isWaiting(state) ? regularDue(state, tickMs) : Infinity,
    Math.max(reportsReadyAt(state), fullAt + tickMs),
    state.admission !== LEVEL_FULL ? tickAt + ADMISSION_TICK_MS : Infinity,
  );
  return Math.max(now, due);
}

/** A tick after the last; in a room quiet for that long at once, or in a large one a tick later. */
function regularDue(state: RoomState, tickMs: number): number {
  const { fullAt, waitingSince } = state.times;
  if (waitingSince < fullAt + tickMs) return fullAt + tickMs;
  return state.row === NO_ROW ? waitingSince : waitingSince + tickMs;
}

/**
 * One tick. Before the regular time it sends keepable publications only, so that viewers get at most
 * one droppable frame in `tickMs`. Safe to run at any time; too soon it sends less.
 */
export function tick(state: RoomState, now: number, random: Random): TickPlan {
  const pace = paceOf(state.settings, state.row);
  const shares = state.settings.lanes;
  const isFull = now >= state.times.fullAt + pace.tickMs - TIMER_SLACK_MS;
  trimLanes(state, random);
  advanceAdmission(state, state.settings.uplinkPerSecond, now);
  slideWindow(state.budget, now);
  accrue(state.budget, state.lanes, shares, pace, now - state.times.accruedAt);
  state.times.accruedAt = now;
  const reports = isFull ? dueReports(state, now) : [];
  const waiting = waitingOf(state, reports);
  const slots = grant(state.budget, state.lanes, waiting, shares, pace);
  if (!isFull) slots.normal = slots.low = 0;
  const keep = planKept(state, slots, reports);
  const drop = isFull ? planDropped(state, slots, reports, { now, random }) : [];
  const control = keep.length - slots.high;
  spend(state.budget, state.lanes, slots, control, now);
  settleCredit(state.budget, state.lanes, shares, pace);
  return finish(state, { keep, drop, isFull, now });
}

/** Ends what a tick planned to keep, once the log has answered. Each planned one exactly once. */
export function settleKept(
  state: RoomState,
  planned: readonly Planned[],
  outcome: 'published' | 'unavailable',
  retryAfterMs?: number,
): void {
  for (const { publication, refs } of planned) {
    state.lanes[publication.lane].planned -= refs.length;
    if (outcome === 'published') settleSent(state, refs, publication.id);
    else for (const ref of refs) settle(state, ref, 'unavailable', { retryAfterMs });
    if (refs.length > 0) {
      const isGift = publication.kind === GIFT_KIND && outcome === 'published';
      if (isGift) countGift(state, publication);
    } else if (outcome === 'unavailable') untellReport(state, publication);
    else comboLogged(state, publication);
  }
}

/** What each lane could send; a due report waits for its lane without an entry. */
function waitingOf(state: RoomState, reports: readonly DueReport[]): Slots {
  const { high, normal, low } = state.lanes;
  const waiting = {
    high: high.entries.length,
    normal: normal.entries.length,
    low: low.entries.length,
  };
  for (const { lane } of reports) if (lane !== 'control') waiting[lane] += 1;
  return waiting;
}

function finish(
  state: RoomState,
  done: {
    readonly keep: readonly Planned[];
    readonly drop: readonly Planned[];
    readonly isFull: boolean;
    readonly now: number;
  },
): TickPlan {
  const { keep, drop, now } = done;
  const times = state.times;
  const isSending = keep.length + drop.length > 0;
  const isOwing = isWaiting(state) || now >= reportsReadyAt(state);
  times.tickAt = now;
  times.isUrgent = false;
  if (done.isFull && (isSending || isOwing)) times.fullAt = now;
  state.tick += 1;
  const shed = state.lost;
  if (isSending) state.lost = 0;
  const { online, admission } = state;
  return { tick: state.tick, at: Math.round(now), keep, drop, shed, online, admission };
}
