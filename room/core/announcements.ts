/**
 * Owns when an announcement is due, which of its times are too late to be told, and when it has
 * ended. Pure; knows neither what it says nor how it is sent.
 */

/** Told all the same when the room was away at its time for no longer than this. */
export const ANNOUNCE_GRACE_MS = 60_000;
/** Between two times of one announcement at least. */
export const ANNOUNCE_EVERY_MS_MIN = 1_000;

export interface Schedule {
  /** Time of the first, unix milliseconds. */
  readonly at: number;
  /** Absent: told once. */
  readonly everyMs?: number;
  /** The last one may be told at this time; absent: no end. */
  readonly until?: number;
}

export interface Progress {
  /** The next time, unix milliseconds; Infinity when there is none any more. */
  readonly nextAt: number;
  readonly fired: number;
  /** Times that passed while nobody could tell it. */
  readonly missed: number;
  /** The time last told. */
  readonly firedAt?: number;
}

export interface DuePlan {
  /** The time that is to be told now; absent: nothing is. */
  readonly fire?: number;
  readonly progress: Progress;
}

export function beginProgress(schedule: Schedule): Progress {
  return { nextAt: inTime(schedule, schedule.at), fired: 0, missed: 0 };
}

/**
 * What to do at `now`. Of several times that have passed only the newest is told, and only within
 * the grace; the others are missed.
 */
export function planDue(schedule: Schedule, progress: Progress, now: number): DuePlan {
  const { nextAt } = progress;
  if (nextAt > now) return { progress };
  const { everyMs } = schedule;
  const latest = everyMs === undefined ? nextAt : latestTime(schedule, nextAt, now);
  const passed = everyMs === undefined ? 1 : Math.round((latest - nextAt) / everyMs) + 1;
  const next = everyMs === undefined ? Infinity : inTime(schedule, latest + everyMs);
  const isLate = now - latest > ANNOUNCE_GRACE_MS;
  const missed = progress.missed + passed - (isLate ? 0 : 1);
  if (isLate) return { progress: { ...progress, nextAt: next, missed } };
  return {
    fire: latest,
    progress: { nextAt: next, fired: progress.fired + 1, missed, firedAt: latest },
  };
}

/** The last of its times that is not after `now`. */
function latestTime({ everyMs = 1, until }: Schedule, nextAt: number, now: number): number {
  const end = until === undefined ? now : Math.min(now, until);
  return nextAt + Math.max(0, Math.floor((end - nextAt) / everyMs)) * everyMs;
}

function inTime({ until }: Schedule, at: number): number {
  return until !== undefined && at > until ? Infinity : at;
}
