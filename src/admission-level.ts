/**
 * Owns the admission level: one number a room tells its edges, and the one comparison by which both
 * agree who passes. Two levels in one after DAGOR (Zhou and others, "Overload control for scaling
 * WeChat microservices", 2018): the lane first, within the lane a place the user draws each hour.
 */
import { LANES, type Lane } from './words.js';

/** Places a user can draw within a lane: 32 to each of DAGOR's 128 user levels. */
export const USER_PLACES = 4096;
/** One of DAGOR's 128 user levels, in places: the least step of a slow recovery. */
export const USER_LEVEL = USER_PLACES / 128;
/** Everything is let through. */
export const LEVEL_FULL = LANES.length * USER_PLACES;
/** Control and high always pass; so does one place of normal, that a change for the better is seen. */
export const LEVEL_MIN = 2 * USER_PLACES + 1;
/**
 * Set in a level that only guards the room's uplink: what the uplink does not count (likes) passes
 * whatever its lane. Not set, everything is held back alike.
 */
export const LEVEL_SPARES_LIKES = 0x8000;
const LEVEL_MASK = LEVEL_SPARES_LIKES - 1;

const HOUR_MS = 3_600_000;
const LANE_FROM: Readonly<Record<Lane, number>> = {
  control: 0,
  high: USER_PLACES,
  normal: 2 * USER_PLACES,
  low: 3 * USER_PLACES,
};

/** Where a danmaku stands: lower is let through longer. Passes while under the level. */
export function admissionRank(lane: Lane, user: string, now: number): number {
  return LANE_FROM[lane] + admissionPlace(user, now);
}

/**
 * Whether a danmaku passes: its lane is above the level's, or the same and the user's place below.
 * `isLike`: a kind the uplink does not count.
 */
export function passesLevel(level: number, rank: number, isLike: boolean): boolean {
  if (isLike && (level & LEVEL_SPARES_LIKES) !== 0) return true;
  return rank < (level & LEVEL_MASK);
}

/** A user's place, drawn anew each hour so that nobody is always the first to go. */
export function admissionPlace(user: string, now: number): number {
  const hour = Math.floor(now / HOUR_MS);
  // FNV-1a over the id and the hour, with a final mix: neighbours must not share a fate.
  let hash = 0x811c9dc5 ^ hour;
  for (let i = 0; i < user.length; i++) {
    hash = Math.imul(hash ^ user.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & (USER_PLACES - 1);
}

/** Share of the normal lane's users let through, 0-1: what a person reads off a level. */
export function shareOf(level: number): number {
  const users = (level & LEVEL_MASK) - LANE_FROM.normal;
  return Math.min(1, Math.max(0, users / USER_PLACES));
}
