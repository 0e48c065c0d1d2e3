/**
 * Owns the admission level: the share of ordinary danmaku, in thousandths, the edges should let
 * through, judged from how much more than the uplink arrives. Knows no lane; a richer rule (inbox
 * wait) can take this file's place.
 */

/** Everything is let through. */
export const LEVEL_MAX = 1000;
export const LEVEL_MIN = 10;
const WINDOW_MS = 100;
const WINDOWS = 10;
/** More arrivals in a second than this many times the uplink lower the level. */
const HIGH_MARK = 1.5;
/** The level is never lowered below what still brings this many times the uplink to the room. */
const TARGET = 1.35;
const LOWER_BY = 0.95;
const RAISE_BY = 10;

/** Ordinary arrivals of the last second, and the demand they stand for at the level then in force. */
export interface Meter {
  /** End of the window being counted. */
  endsAt: number;
  count: number;
  readonly counts: number[];
  readonly demands: number[];
  next: number;
  /** Consecutive windows without an arrival. */
  idle: number;
}

/** What admission needs of a room: an absent meter means nothing arrived lately. */
export interface Admitting {
  admission: number;
  meter: Meter | undefined;
}

/** Counts one ordinary danmaku that has reached the room's uplink limit. */
export function noteDemand(state: Admitting, uplinkPerSecond: number, now: number): void {
  state.meter ??= newMeter(now);
  if (now >= state.meter.endsAt) advanceAdmission(state, uplinkPerSecond, now);
  state.meter.count += 1;
}

/** Brings the level up to date: one step for each window that has ended. */
export function advanceAdmission(state: Admitting, uplinkPerSecond: number, now: number): void {
  const meter = state.meter;
  if (meter === undefined) return;
  // After this many silent windows everything is back at rest and further ones change nothing.
  const rest = WINDOWS + LEVEL_MAX / RAISE_BY;
  for (let steps = 0; now >= meter.endsAt && steps < rest; steps++) {
    closeWindow(meter, state.admission);
    state.admission = nextLevel(meter, state.admission, uplinkPerSecond);
    meter.endsAt += WINDOW_MS;
  }
  if (now >= meter.endsAt) meter.endsAt = now + WINDOW_MS;
}

/** Forgets the meter of a room at rest, so that it takes no memory. */
export function restAdmission(state: Admitting): void {
  if (state.admission === LEVEL_MAX && (state.meter?.idle ?? 0) >= WINDOWS) state.meter = undefined;
}

function newMeter(now: number): Meter {
  return {
    endsAt: now + WINDOW_MS,
    count: 0,
    counts: new Array<number>(WINDOWS).fill(0),
    demands: new Array<number>(WINDOWS).fill(0),
    next: 0,
    idle: 0,
  };
}

function closeWindow(meter: Meter, level: number): void {
  meter.counts[meter.next] = meter.count;
  meter.demands[meter.next] = (meter.count * LEVEL_MAX) / level;
  meter.next = (meter.next + 1) % WINDOWS;
  meter.idle = meter.count === 0 ? meter.idle + 1 : 0;
  meter.count = 0;
}

/** The level that should bring TARGET times the uplink is where both ways stop; up by 1 at least. */
function nextLevel(meter: Meter, level: number, uplinkPerSecond: number): number {
  const demand = sum(meter.demands);
  const enough =
    demand === 0 ? LEVEL_MAX : Math.ceil((TARGET * uplinkPerSecond * LEVEL_MAX) / demand);
  if (sum(meter.counts) <= uplinkPerSecond * HIGH_MARK) {
    return Math.min(LEVEL_MAX, Math.max(level + 1, Math.min(level + RAISE_BY, enough)));
  }
  const lowered = Math.floor(level * LOWER_BY);
  return Math.max(LEVEL_MIN, Math.min(level, Math.max(enough, lowered)));
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
