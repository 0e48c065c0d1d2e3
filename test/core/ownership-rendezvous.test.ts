/** Who of a group should have which lease. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOf, shareOut } from '../../src/ownership/rendezvous.js';

const LEASES = Array.from({ length: 64 }, (_, lease) => lease);
const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), {
  minLength: 1,
  maxLength: 20,
});

function counts(shares: ReadonlyMap<number, string>, members: readonly string[]): number[] {
  return members.map((member) => [...shares.values()].filter((owner) => owner === member).length);
}

function moved(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): number {
  return LEASES.filter((lease) => a.get(lease) !== b.get(lease)).length;
}

describe('shares', () => {
  it.each([
    [1, [64]],
    [2, [32, 32]],
    [3, [21, 21, 22]],
    [5, [12, 13, 13, 13, 13]],
    [64, Array.from({ length: 64 }, () => 1)],
    [65, [0, ...Array.from({ length: 64 }, () => 1)]],
  ])('R-OWN-1 %i members share 64 leases evenly', (size, expected) => {
    const members = Array.from({ length: size }, (_, i) => `room-${i}`);
    const sorted = counts(shareOut(LEASES, members), members).sort((a, b) => a - b);
    expect(sorted).toEqual(expected);
  });

  it('R-OWN-1 nobody has anything without members, and a name twice is one member', () => {
    expect(shareOut(LEASES, []).size).toBe(0);
    expect(shareOf('a', LEASES, ['b', 'b']).size).toBe(0);
    expect(shareOf('b', LEASES, ['b', 'b']).size).toBe(64);
  });

  it('R-OWN-1 whatever the members, every lease has one owner and counts differ by at most one', () => {
    fc.assert(
      fc.property(names, (members) => {
        const shares = shareOut(LEASES, members);
        expect([...shares.keys()].sort((a, b) => a - b)).toEqual(LEASES);
        const had = counts(shares, members);
        expect(Math.max(...had) - Math.min(...had)).toBeLessThanOrEqual(1);
        expect(had.reduce((sum, count) => sum + count, 0)).toBe(64);
      }),
    );
  });

  it('R-OWN-1 the order in which members are known does not matter', () => {
    fc.assert(
      fc.property(names, (members) => {
        const shares = shareOut(LEASES, members);
        expect(moved(shares, shareOut(LEASES, [...members].reverse()))).toBe(0);
      }),
    );
  });

  it('R-OWN-1 one who joins or leaves moves about as few leases as can be', () => {
    for (const size of [1, 2, 3, 4, 6, 9]) {
      let sum = 0;
      for (let run = 0; run < 50; run++) {
        const members = Array.from({ length: size }, (_, i) => `m${run}-${i}`);
        const count = moved(
          shareOut(LEASES, members),
          shareOut(LEASES, [...members, `new-${run}`]),
        );
        const least = Math.floor(64 / (size + 1));
        expect(count).toBeGreaterThanOrEqual(least);
        // Beyond the newcomer's share only what evening out moves among the others.
        expect(count).toBeLessThanOrEqual(least + 12);
        sum += count;
      }
      expect(sum / 50).toBeLessThan(64 / (size + 1) + 5);
    }
  });
});
