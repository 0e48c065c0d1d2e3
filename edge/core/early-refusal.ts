/**
 * Owns what an edge refuses by itself because it knows the room would: rules of form, bans, and the
 * admission level. What only the room can know (mutes, slow mode, quotas) is not asked here.
 * Rules: SPEC E-SAY-3, E-SAY-5.
 */
import { admissionRank, LEVEL_FULL, passesLevel } from '../../src/admission-level.js';
import type { UserId } from '../../src/ids.js';
import { laneOfKind, type EdgeRules } from '../../src/room-settings.js';
import type { Refusal } from '../../src/verdict.js';
import { LIKE_KIND, type Role, type RoomStatus } from '../../src/words.js';

/** What the edge knows of a room. */
export interface KnownRoom {
  readonly status: RoomStatus;
  readonly rules: EdgeRules;
  readonly bans: ReadonlyMap<UserId, number>;
  /** Users the level does not hold back, with the end in unix milliseconds (0: for good). */
  readonly allowed: ReadonlyMap<UserId, number>;
  /** Level the room told with its newest frame (src/admission-level.ts). */
  readonly admission: number;
}

export interface Said {
  readonly user: UserId;
  readonly role: Role;
  readonly kind: string;
  readonly text?: string | undefined;
}

export interface EarlyRefusal {
  readonly verdict: Refusal | 'sampled_out';
  readonly field?: string;
  readonly rule?: string;
}

/** Why the room would refuse this, or undefined to send it up. */
export function earlyRefusal(said: Said, room: KnownRoom, now: number): EarlyRefusal | undefined {
  if (room.status === 'closed') return { verdict: 'closed' };
  if (isHeld(room.bans, said.user, now)) return { verdict: 'banned' };
  const { guestsSpeak, guestKinds } = room.rules;
  const mayAct = said.role !== 'guest' || guestsSpeak || guestKinds?.includes(said.kind) === true;
  if (!mayAct) return { verdict: 'forbidden' };
  if (!room.rules.viewerKinds.includes(said.kind)) {
    return { verdict: 'forbidden', field: 'kind', rule: 'a kind viewers may say' };
  }
  if (room.rules.powerKinds?.includes(said.kind) === true) return textFlaw(said.text, room.rules);
  return textFlaw(said.text, room.rules) ?? sampledOut(said, room, now);
}

/** Whether a ban or allowance is in force: its end is 0 (for good) or still to come. */
export function isHeld(bans: ReadonlyMap<UserId, number>, user: UserId, now: number): boolean {
  const until = bans.get(user);
  return until !== undefined && (until === 0 || until > now);
}

/** Hosts, moderators and allowed users go to the high lane, which the level does not concern. */
function sampledOut(said: Said, room: KnownRoom, now: number): EarlyRefusal | undefined {
  const { admission, allowed, rules } = room;
  if (admission === LEVEL_FULL || said.role === 'host' || said.role === 'moderator') {
    return undefined;
  }
  const rank = admissionRank(laneOfKind(rules.kinds, said.kind), said.user, now);
  if (passesLevel(admission, rank, said.kind === LIKE_KIND)) return undefined;
  return isHeld(allowed, said.user, now) ? undefined : { verdict: 'sampled_out' };
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
