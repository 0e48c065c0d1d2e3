/**
 * Owns who of a group's members should have which lease: rendezvous hashing (Thaler and Ravishankar,
 * 1998) with bounded loads, so that counts differ by at most one. Pure; every member that knows of
 * the same members comes to the same answer. Rule: SPEC R-OWN-1.
 */

interface Claim {
  readonly lease: number;
  readonly member: string;
  readonly weight: number;
}

/**
 * The member of each lease. Claims are granted from the heaviest down; a member is full when it has
 * its even share, and one more as long as such are left. Without members nobody has anything.
 */
export function shareOut(
  leases: readonly number[],
  members: readonly string[],
): ReadonlyMap<number, string> {
  const shares = new Map<number, string>();
  const names = [...new Set(members)];
  if (names.length === 0) return shares;
  const share = Math.floor(leases.length / names.length);
  let larger = leases.length % names.length;
  const counts = new Map<string, number>();
  for (const { lease, member } of claimsOf(leases, names)) {
    if (shares.has(lease)) continue;
    const count = counts.get(member) ?? 0;
    if (count > share || (count === share && larger === 0)) continue;
    if (count === share) larger--;
    counts.set(member, count + 1);
    shares.set(lease, member);
  }
  return shares;
}

/** The leases that one member should have, in the order given. */
export function shareOf(
  member: string,
  leases: readonly number[],
  members: readonly string[],
): ReadonlySet<number> {
  const shares = shareOut(leases, members);
  return new Set(leases.filter((lease) => shares.get(lease) === member));
}

function claimsOf(leases: readonly number[], members: readonly string[]): Claim[] {
  const claims: Claim[] = [];
  for (const member of members) {
    const seed = hashOf(member);
    for (const lease of leases) claims.push({ lease, member, weight: mix(seed, lease) });
  }
  return claims.sort(byWeight);
}

function byWeight(a: Claim, b: Claim): number {
  if (a.weight !== b.weight) return b.weight - a.weight;
  if (a.lease !== b.lease) return a.lease - b.lease;
  return a.member < b.member ? -1 : 1;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3 over both, twice, so that near names and numbers lie far apart. */
function mix(seed: number, lease: number): number {
  return finish(finish(seed) ^ Math.imul(lease + 1, 0x9e3779b1));
}

function finish(of: number): number {
  let hash = of ^ (of >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
