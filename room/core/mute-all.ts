/**
 * Owns what muting everyone means: who is still heard, and until when it holds. Knows no danmaku.
 */
import type { UserId } from '../../src/ids.js';
import type { Role } from '../../src/words.js';

export interface MuteAll {
  /** Unix milliseconds of its end; 0 means until lifted. */
  readonly until: number;
  /** Who is heard all the same; allowed users of the room always are. */
  readonly except: { readonly roles: readonly Role[]; readonly users: readonly UserId[] };
}

export const MUTE_ALL_USERS_MAX = 200;
export const MUTE_ALL_ROLES: readonly Role[] = ['moderator', 'host'];

/** Until its end and not after. */
export function muteAllHolds(rule: MuteAll | undefined, now: number): rule is MuteAll {
  return rule !== undefined && (rule.until === 0 || now < rule.until);
}

/**
 * Milliseconds until the speaker may be heard again, Infinity while there is no end; 0 when the
 * speaker is heard now.
 */
export function mutedForMs(
  rule: MuteAll | undefined,
  speaker: { readonly user: UserId; readonly role: Role; readonly isAllowed: boolean },
  now: number,
): number {
  if (!muteAllHolds(rule, now) || speaker.isAllowed) return 0;
  const { roles, users } = rule.except;
  if (roles.includes(speaker.role) || users.includes(speaker.user)) return 0;
  return rule.until === 0 ? Infinity : Math.max(1, Math.ceil(rule.until - now));
}
