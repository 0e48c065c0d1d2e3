/**
 * Owns which shards a pusher listens to: those that are to be its own, and those that would be if the
 * one who has them went away. Pure; all who know of the same members agree.
 */
import { shareOut } from '../../src/ownership/rendezvous.js';

/** Leases of which `member` is the owner or the standby. */
export function leasesToHear(
  member: string,
  leases: readonly number[],
  members: readonly string[],
): ReadonlySet<number> {
  const heard = new Set<number>();
  const owners = shareOut(leases, members);
  for (const owner of new Set(owners.values())) {
    const others = members.filter((name) => name !== owner);
    const next = shareOut(leases, others);
    for (const [lease, of] of owners) {
      if (of !== owner) continue;
      if (owner === member || next.get(lease) === member) heard.add(lease);
    }
  }
  return heard;
}
