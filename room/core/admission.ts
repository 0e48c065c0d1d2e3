/**
 * Owns the admission level a room tells its edges (src/admission-level.ts), judged window by window
 * from how long arrivals waited and how far they overshoot the uplink. After DAGOR (Zhou and others,
 * 2018): down by 5 % of what was let through, up by 1 %, the cut read off a histogram. Knows no lane's
 * queue.
 */
import {
  LEVEL_FULL,
  LEVEL_MIN,
  LEVEL_SPARES_LIKES,
  passesLevel,
  USER_LEVEL,
  USER_PLACES,
} from '../../src/admission-level.js';
import { countRank, cutFor, emptyHistogram, type Histogram } from './arrival-histogram.js';
import { isLike } from './likes.js';
import type { Arrival } from './types.js';

const WINDOW_MS = 1000;
/** A window ends early with this many arrivals, yet not before edges can have heard of a change. */
const WINDOW_ARRIVALS = 2000;
const WINDOW_MS_MIN = 100;
/** Arrivals that waited longer on average mean overload (DAGOR). */
export const WAIT_MS_MAX = 20;
const LOWER_TO = 0.95;
/** Of fewer arrivals in a window 5 % is not one: a room that says so little overloads nothing. */
export const ARRIVALS_MIN = Math.round(1 / (1 - LOWER_TO));
const RAISE_BY = 1.01;
/** More than this many times the uplink lowers the level at once to TARGET times the uplink. */
const HIGH_MARK = 1.5;
const TARGET = 1.2;
/** An uplink that is not full is opened by this factor at most, and by this share of the low lane. */
const OPEN_BY = 4;
const OPEN_LOW = 0.25;
const LOW_FROM = LEVEL_FULL - USER_PLACES;
/** After this many silent windows everything is at rest; a meter at rest is forgotten after IDLE. */
const REST_WINDOWS = 300;
const IDLE_WINDOWS = 10;

/** One window of arrivals, and the two levels the told one is made of. */
export interface Meter {
  from: number;
  /** Of all sorts, of those whose wait is known, and the sum of these waits. */
  arrivals: number;
  waits: number;
  waitedMs: number;
  /** Let through by the level in force: all, and those that reached the uplink. */
  passed: number;
  demand: number;
  readonly passedAt: Histogram;
  readonly demandAt: Histogram;
  waitLevel: number;
  uplinkLevel: number;
  raisedAt: number;
  idle: number;
}

/** What admission needs of a room: an absent meter means nothing arrived lately. */
export interface Admitting {
  admission: number;
  meter: Meter | undefined;
}

/** `rank` of an arrival the level does not concern. */
export const NO_RANK = -1;

/** Counts an arrival at the room's door. What edges will refuse once they hear of it does not count. */
export function noteArrival(state: Admitting, arrival: Arrival, rank: number, now: number): void {
  const meter = (state.meter ??= newMeter(now));
  meter.arrivals += 1;
  if (arrival.waitedMs !== undefined) {
    meter.waits += 1;
    meter.waitedMs += arrival.waitedMs;
  }
  if (rank === NO_RANK || !passesLevel(state.admission, rank, isLike(arrival))) return;
  meter.passed += 1;
  countRank(meter.passedAt, rank);
}

/** Counts one that has reached the room's uplink limit. */
export function noteDemand(state: Admitting, rank: number): void {
  const meter = state.meter;
  if (meter === undefined || rank === NO_RANK || !passesLevel(state.admission, rank, false)) return;
  meter.demand += 1;
  countRank(meter.demandAt, rank);
}

/** Brings the level up to date: one step for each window that has ended. */
export function advanceAdmission(state: Admitting, uplinkPerSecond: number, now: number): void {
  const meter = state.meter;
  if (meter === undefined) return;
  const span = now - meter.from;
  if (span < WINDOW_MS_MIN || (span < WINDOW_MS && meter.arrivals < WINDOW_ARRIVALS)) return;
  closeWindow(state, meter, uplinkPerSecond, Math.min(span, WINDOW_MS));
  const silent = Math.min(REST_WINDOWS, Math.floor(span / WINDOW_MS) - 1);
  for (let i = 0; i < silent; i++) closeWindow(state, meter, uplinkPerSecond, WINDOW_MS);
  meter.from = now;
}

/** Forgets the meter of a room at rest, so that it takes no memory. */
export function restAdmission(state: Admitting): void {
  const idle = state.meter?.idle ?? 0;
  if (state.admission === LEVEL_FULL && idle >= IDLE_WINDOWS) state.meter = undefined;
}

function newMeter(now: number): Meter {
  return {
    from: now,
    arrivals: 0,
    waits: 0,
    waitedMs: 0,
    passed: 0,
    demand: 0,
    passedAt: emptyHistogram(),
    demandAt: emptyHistogram(),
    waitLevel: LEVEL_FULL,
    uplinkLevel: LEVEL_FULL,
    raisedAt: -Infinity,
    idle: 0,
  };
}

function closeWindow(state: Admitting, meter: Meter, uplinkPerSecond: number, span: number): void {
  const told = Math.min(meter.waitLevel, meter.uplinkLevel);
  const top = meter.waitLevel === LEVEL_FULL ? LEVEL_FULL : told;
  meter.waitLevel = nextWaitLevel(meter, top);
  meter.uplinkLevel = nextUplinkLevel(meter, told, { uplinkPerSecond, span });
  state.admission =
    meter.waitLevel === LEVEL_FULL && meter.uplinkLevel < LEVEL_FULL
      ? meter.uplinkLevel | LEVEL_SPARES_LIKES
      : Math.min(meter.waitLevel, meter.uplinkLevel);
  meter.idle = meter.arrivals === 0 ? meter.idle + 1 : 0;
  meter.from += span;
  if (meter.passed > 0) meter.passedAt.fill(0);
  if (meter.demand > 0) meter.demandAt.fill(0);
  meter.arrivals = meter.waits = meter.waitedMs = meter.passed = meter.demand = 0;
}

/** Down to what would have let 5 % fewer through, from the lowest lane up; up by 1 %. */
function nextWaitLevel(meter: Meter, top: number): number {
  const level = meter.waitLevel;
  const isOverloaded = meter.waits > 0 && meter.waitedMs > WAIT_MS_MAX * meter.waits;
  // The process may be late for others' sake: what a few say is not held back for it.
  if (!isOverloaded || meter.passed < ARRIVALS_MIN) return raised(level, RAISE_BY, USER_LEVEL);
  const cut = Math.floor(cutFor(meter.passedAt, LOWER_TO * meter.passed, top));
  return Math.max(LEVEL_MIN, Math.min(level - 1, cut));
}

/** Straight to TARGET times the uplink when far over it; open again, the sooner the emptier it is. */
function nextUplinkLevel(
  meter: Meter,
  told: number,
  { uplinkPerSecond, span }: { readonly uplinkPerSecond: number; readonly span: number },
): number {
  const level = meter.uplinkLevel;
  const perSecond = (meter.demand * 1000) / span;
  if (perSecond > uplinkPerSecond * HIGH_MARK) {
    const most = (TARGET * uplinkPerSecond * span) / 1000;
    meter.raisedAt = meter.from + span;
    return Math.max(LEVEL_MIN, Math.min(level, Math.ceil(cutFor(meter.demandAt, most, told))));
  }
  // What a change brought is seen a window later.
  if (level === LEVEL_FULL || meter.from + span < meter.raisedAt + WINDOW_MS) return level;
  if (perSecond >= uplinkPerSecond * TARGET && perSecond > 0) return level;
  meter.raisedAt = meter.from + span;
  if (perSecond >= uplinkPerSecond && perSecond > 0) return raised(level, RAISE_BY, 1);
  const factor = perSecond === 0 ? OPEN_BY : (TARGET * uplinkPerSecond) / perSecond;
  return raised(level, Math.min(OPEN_BY, factor), 1);
}

/** Higher by a factor of the lane's users, by `least` places at least; lane by lane. */
function raised(level: number, factor: number, least: number): number {
  if (level < LOW_FROM) {
    const users = level - (LEVEL_MIN - 1);
    return Math.min(LOW_FROM, level + Math.max(least, Math.ceil(users * (factor - 1))));
  }
  const step = Math.ceil(USER_PLACES * Math.min(OPEN_LOW, factor - 1));
  return Math.min(LEVEL_FULL, level + Math.max(least, step));
}
