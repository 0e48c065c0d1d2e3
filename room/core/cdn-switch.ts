/**
 * Owns when a room's droppable publications go to the CDN and when they come back: what the studio
 * chose, the audience with a gap between its two marks and a least time between changes, and whether
 * anyone writes files and any CDN serves them. Pure. Rules: SPEC R-CDN-1 to R-CDN-4.
 */
import type { CdnChoice } from '../../src/room-settings.js';

/** `start`: nothing was ever decided. */
export type CdnWhy = 'start' | 'chosen' | 'audience' | 'no_source' | 'no_pusher';

/** What is stored: a new owner goes on from it. */
export interface CdnMode {
  readonly mode: 'on' | 'off';
  /** Unix milliseconds of the last change. */
  readonly since: number;
  readonly why: CdnWhy;
}

export interface CdnSwitch extends CdnMode {
  /** Since when the audience is below the mark, without a break; absent: it is not. */
  readonly lowSince?: number;
  /** Since when no pusher is heard of, without a break; absent: one is. */
  readonly lostSince?: number;
}

export interface CdnSight {
  readonly choice: CdnChoice;
  readonly online: number;
  readonly onAbove: number;
  readonly offBelow: number;
  readonly stayMs: number;
  readonly hasSource: boolean;
  /** Somebody writes the files of the room's shard. */
  readonly hasPusher: boolean;
}

/** A pusher's shards are another's within 3 s; viewers come back to the sockets by themselves. */
export const PUSHER_LOST_MS = 10_000;
export const CDN_START: CdnMode = { mode: 'off', since: 0, why: 'start' };

/** What holds from `now` on; the same `mode` and `since` where nothing changes. */
export function decideCdn(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  return before.mode === 'on' ? whileOn(before, sight, now) : whileOff(before, sight, now);
}

function whileOn(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  const { mode, since, why } = before;
  const { choice, online, stayMs } = sight;
  // Set one by one the marks may stand the wrong way round for a while.
  const offBelow = Math.min(sight.offBelow, sight.onAbove);
  if (choice === 'off') return off('chosen', now);
  if (!sight.hasSource) return off('no_source', now);
  const lostSince = sight.hasPusher ? undefined : (before.lostSince ?? now);
  if (lostSince !== undefined && now - lostSince >= PUSHER_LOST_MS) return off('no_pusher', now);
  const isLow = choice === 'auto' && online < offBelow;
  const lowSince = isLow ? (before.lowSince ?? now) : undefined;
  const isStayOver = lowSince !== undefined && now - lowSince >= stayMs && now - since >= stayMs;
  if (isStayOver) return off('audience', now);
  return {
    ...{ mode, since, why },
    ...(lowSince !== undefined && { lowSince }),
    ...(lostSince !== undefined && { lostSince }),
  };
}

function whileOff(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  const { choice, online, onAbove, stayMs, hasSource, hasPusher } = sight;
  const { mode, since, why } = before;
  const stays = { mode, since, why };
  if (choice === 'off' || !hasSource || !hasPusher) return stays;
  if (choice === 'auto' && online < onAbove) return stays;
  // What a studio orders holds at once; what went wrong or swung back is not tried again so soon.
  const isFree = why === 'start' || why === 'chosen' || (choice === 'on' && why === 'audience');
  if (!isFree && now - since < stayMs) return stays;
  return { mode: 'on', since: now, why: choice === 'on' ? 'chosen' : 'audience' };
}

function off(why: CdnWhy, now: number): CdnSwitch {
  return { mode: 'off', since: now, why };
}

/** Whether it is worth looking again before the room's own next event. */
export function isCdnWatched(
  { mode }: CdnMode,
  sight: Pick<CdnSight, 'choice' | 'online' | 'onAbove'>,
) {
  if (mode === 'on' || sight.choice === 'on') return true;
  return sight.choice === 'auto' && sight.online >= sight.onAbove;
}
