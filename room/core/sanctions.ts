/**
 * Owns mutes, bans and allowances: users with an end in unix milliseconds, 0 for good. Knows how to
 * ask and forget, not what a sanction means for a danmaku.
 */
import type { UserId } from '../../src/ids.js';

/** Absent means empty: most rooms never impose anything. */
export type SanctionMap = Map<UserId, number> | undefined;

/** A copy the room may change; undefined when there is nothing to copy. */
export function copySanctions(from: ReadonlyMap<UserId, number>): SanctionMap {
  return from.size === 0 ? undefined : new Map(from);
}

/** Whether it holds at `now`: until its end and not after. */
export function isHeld(sanctions: SanctionMap, user: UserId, now: number): boolean {
  const until = sanctions?.get(user);
  return until !== undefined && (until === 0 || now < until);
}

/** Milliseconds until it ends; undefined when it is for good or not there. */
export function leftMs(sanctions: SanctionMap, user: UserId, now: number): number | undefined {
  const until = sanctions?.get(user);
  return until === undefined || until === 0 ? undefined : Math.max(1, Math.ceil(until - now));
}

export function withSanction(sanctions: SanctionMap, user: UserId, until: number): SanctionMap {
  return (sanctions ?? new Map<UserId, number>()).set(user, until);
}

export function withoutSanction(sanctions: SanctionMap, user: UserId): SanctionMap {
  sanctions?.delete(user);
  return sanctions?.size === 0 ? undefined : sanctions;
}

/** Users whose sanction has ended. */
export function endedSanctions(sanctions: SanctionMap, now: number): UserId[] {
  const ended: UserId[] = [];
  if (sanctions === undefined) return ended;
  for (const [user, until] of sanctions) if (until !== 0 && until <= now) ended.push(user);
  return ended;
}
