/**
 * Owns the hash by which users are counted: 53 bits of a text, the same in every process and release.
 * It spreads well and is no secret: who chooses ids at will can skew a count by it, nothing more.
 */

/**
 * A whole number in [0, 2^53): two multiplicative hashes over the code units (the multipliers are those
 * of xxHash32 and MurmurHash3), each finished by MurmurHash3's fmix32 (Appleby, 2011) over both.
 */
export function hashUser(id: string): number {
  let one = 0x9e3779b9 ^ id.length;
  let two = 0x85ebca77 ^ id.length;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    one = Math.imul(one ^ unit, 0x9e3779b1);
    one ^= one >>> 15;
    two = Math.imul(two ^ unit, 0xcc9e2d51);
    two ^= two >>> 13;
  }
  const low = finish(one ^ Math.imul(two, 0x1b873593));
  const high = finish(two ^ Math.imul(low, 0x27d4eb2f));
  return (high >>> 11) * 0x100000000 + (low >>> 0);
}

function finish(of: number): number {
  let hash = of ^ (of >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
