/**
 * Owns what an edge refuses by itself because it knows the room would: rules of form, bans, and the
 * admission level. What only the room can know (mutes, slow mode, allowed users) is not asked here.
 * Rules: SPEC E-SAY-3, E-SAY-5.
 */
import type { UserId } from '../../src/ids.js';
import type { EdgeRules } from '../../src/room-settings.js';
import type { Refusal } from '../../src/verdict.js';
import { ADMIT_ALL } from '../../src/wire/envelope.js';
import type { Role, RoomStatus } from '../../src/words.js';

/** What the edge knows of a room. */
export interface KnownRoom {
  readonly status: RoomStatus;
  readonly rules: EdgeRules;
  readonly bans: ReadonlyMap<UserId, number>;
  /** Share of ordinary danmaku let through, thousandths. */
  readonly admission: number;
}

export interface Said {
  readonly user: UserId;
  readonly role: Role;
  readonly kind: string;
  readonly text?: string;
}

export interface EarlyRefusal {
  readonly verdict: Refusal | 'sampled_out';
  readonly field?: string;
  readonly rule?: string;
}

const HOUR_MS = 3_600_000;

/** Why the room would refuse this, or undefined to send it up. */
export function earlyRefusal(said: Said, room: KnownRoom, now: number): EarlyRefusal | undefined {
  if (room.status === 'closed') return { verdict: 'closed' };
  if (isBanned(room.bans, said.user, now)) return { verdict: 'banned' };
  if (said.role === 'guest' && !room.rules.guestsSpeak) return { verdict: 'forbidden' };
  if (!room.rules.viewerKinds.includes(said.kind)) {
    return { verdict: 'forbidden', field: 'kind', rule: 'a kind viewers may say' };
  }
  return textFlaw(said.text, room.rules) ?? sampledOut(said, room.admission, now);
}

/** Whether a ban is in force: its end is 0 (for good) or still to come. */
export function isBanned(bans: ReadonlyMap<UserId, number>, user: UserId, now: number): boolean {
  const until = bans.get(user);
  return until !== undefined && (until === 0 || until > now);
}

/** A user's place in 0-999, drawn anew each hour so that nobody is always the first to go. */
export function admissionPlace(user: string, now: number): number {
  const hour = Math.floor(now / HOUR_MS);
  // FNV-1a over the id and the hour, with a final mix: neighbours must not share a fate.
  let hash = 0x811c9dc5 ^ hour;
  for (let i = 0; i < user.length; i++) {
    hash = Math.imul(hash ^ user.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % ADMIT_ALL;
}

function sampledOut(said: Said, admission: number, now: number): EarlyRefusal | undefined {
  if (admission >= ADMIT_ALL || said.role === 'host' || said.role === 'moderator') return undefined;
  return admissionPlace(said.user, now) < admission ? undefined : { verdict: 'sampled_out' };
}

function textFlaw(text: string | undefined, rules: EdgeRules): EarlyRefusal | undefined {
  if (text === undefined) return undefined;
  if (text.length > rules.textCharacters && characters(text) > rules.textCharacters) {
    return { verdict: 'invalid', field: 'text', rule: `maxLength ${rules.textCharacters}` };
  }
  if (text.length * 3 > rules.textBytes && Buffer.byteLength(text) > rules.textBytes) {
    return { verdict: 'invalid', field: 'text', rule: `maxBytes ${rules.textBytes}` };
  }
  return undefined;
}

/** Unicode characters (code points), as the room counts them. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
