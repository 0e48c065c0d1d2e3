/**
 * Owns when a room's droppable publications go to the CDN and when they come back: what the studio
 * chose, the audience and the egress it asks for, each with a gap between its two marks, a least time
 * between changes, and whether anyone writes files and any CDN serves them. Pure. Rules: SPEC R-CDN-1
 * to R-CDN-4, R-CDN-11, R-CDN-13.
 */
import type { CdnChoice } from '../../src/room-settings.js';

/**
 * `start`: nothing was ever decided; `audience`, `egress`: which mark it was; `pusher_ends`: the only one
 * was about to end in good order, most likely to be started again.
 */
export const CDN_WHYS = [
  'start',
  'chosen',
  'audience',
  'egress',
  'no_source',
  'no_pusher',
  'pusher_ends',
] as const;
export type CdnWhy = (typeof CDN_WHYS)[number];
type CdnMark = Extract<CdnWhy, 'audience' | 'egress'>;

/** What is stored: a new owner goes on from it. */
export interface CdnMode {
  readonly mode: 'on' | 'off';
  /** Unix milliseconds of the last change. */
  readonly since: number;
  readonly why: CdnWhy;
}

export interface CdnSwitch extends CdnMode {
  /** The mark that last kept it on; absent: none did. */
  readonly heldBy?: CdnMark;
  /** Since when all is below the marks, without a break; absent: it is not. */
  readonly lowSince?: number;
  /** Since when no pusher is heard of, without a break; absent: one is. */
  readonly lostSince?: number;
}

export interface CdnSight {
  readonly choice: CdnChoice;
  readonly online: number;
  readonly onAbove: number;
  readonly offBelow: number;
  /**
   * Bytes a second of droppables that the whole audience asks for, by whichever way it gets them: not
   * what the edges still send, which falls with the move itself.
   */
  readonly egress: number;
  /** False while it was measured for too short a time to be called low. */
  readonly isEgressKnown: boolean;
  /** 0: no mark. */
  readonly egressOnAbove: number;
  readonly egressOffBelow: number;
  readonly stayMs: number;
  readonly hasSource: boolean;
  /** Somebody writes the files of the room's shard. */
  readonly hasPusher: boolean;
  /** Who did says that it ends, and nobody is there to take over. */
  readonly isPusherEnding: boolean;
}

type Marks = Pick<CdnSight, 'online' | 'onAbove' | 'egress' | 'egressOnAbove'>;

/** A pusher's shards are another's within 3 s; viewers come back to the sockets by themselves. */
export const PUSHER_LOST_MS = 10_000;
/** A room whose pusher comes back within this goes on where it was, without reaching the upper mark again. */
export const PUSHER_BACK_MS = 600_000;
export const CDN_START: CdnMode = { mode: 'off', since: 0, why: 'start' };

/** What holds from `now` on; the same `mode` and `since` where nothing changes. */
export function decideCdn(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  return before.mode === 'on' ? whileOn(before, sight, now) : whileOff(before, sight, now);
}

function whileOn(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  const { mode, since, why } = before;
  const { choice, stayMs } = sight;
  if (choice === 'off') return off('chosen', now);
  if (!sight.hasSource) return off('no_source', now);
  // Waiting for it to be lost would be a gap for viewers.
  if (sight.isPusherEnding) return off('pusher_ends', now);
  const lostSince = sight.hasPusher ? undefined : (before.lostSince ?? now);
  if (lostSince !== undefined && now - lostSince >= PUSHER_LOST_MS) return off('no_pusher', now);
  const holder = choice === 'auto' ? holderOf(sight, why) : undefined;
  const heldBy = holder ?? before.heldBy ?? (why === 'egress' ? why : undefined);
  const isLow = choice === 'auto' && holder === undefined;
  const lowSince = isLow ? (before.lowSince ?? now) : undefined;
  const isStayOver = lowSince !== undefined && now - lowSince >= stayMs && now - since >= stayMs;
  if (isStayOver) return off(heldBy ?? 'audience', now);
  return {
    ...{ mode, since, why },
    ...(heldBy !== undefined && { heldBy }),
    ...(lowSince !== undefined && { lowSince }),
    ...(lostSince !== undefined && { lostSince }),
  };
}

/** The mark that keeps a room on; undefined: it is below both. */
function holderOf(sight: CdnSight, why: CdnWhy): CdnMark | undefined {
  const { online, onAbove, egress, egressOnAbove, isEgressKnown } = sight;
  // The defaults may change beneath what a studio set, and the marks stand the wrong way round.
  if (online >= Math.min(sight.offBelow, onAbove)) return 'audience';
  if (egressOnAbove === 0) return undefined;
  if (egress >= Math.min(sight.egressOffBelow, egressOnAbove)) return 'egress';
  // A new owner has not measured yet what the old one went by.
  return why === 'egress' && !isEgressKnown ? 'egress' : undefined;
}

/** The mark a room is over; undefined: neither. */
function overMark(sight: Marks): CdnMark | undefined {
  const { online, onAbove, egress, egressOnAbove } = sight;
  if (online >= onAbove) return 'audience';
  return egressOnAbove > 0 && egress >= egressOnAbove ? 'egress' : undefined;
}

function whileOff(before: CdnSwitch, sight: CdnSight, now: number): CdnSwitch {
  const { choice, stayMs, hasSource, hasPusher } = sight;
  const { mode, since, why } = before;
  const stays = { mode, since, why };
  if (choice === 'off' || !hasSource || !hasPusher) return stays;
  const isBack = why === 'pusher_ends' && now - since < PUSHER_BACK_MS;
  const overOne = isBack ? holderOf(sight, why) : overMark(sight);
  const mark = choice === 'auto' ? overOne : undefined;
  if (choice === 'auto' && mark === undefined) return stays;
  // What a studio orders holds at once; what went wrong or swung back is not tried again so soon.
  const wasMark = why === 'audience' || why === 'egress';
  const isFree =
    why === 'start' || why === 'chosen' || why === 'pusher_ends' || (choice === 'on' && wasMark);
  if (!isFree && now - since < stayMs) return stays;
  return { mode: 'on', since: now, why: mark ?? 'chosen' };
}

function off(why: CdnWhy, now: number): CdnSwitch {
  return { mode: 'off', since: now, why };
}

/** Whether it is worth looking again before the room's own next event. */
export function isCdnWatched(
  { mode, why }: CdnMode,
  sight: Marks & Pick<CdnSight, 'choice'>,
): boolean {
  if (mode === 'on' || sight.choice === 'on') return true;
  return sight.choice === 'auto' && (why === 'pusher_ends' || overMark(sight) !== undefined);
}
