/** Distinct users in 4 KiB: exact while few, within stated bounds above, mergeable, and the hash. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { hashUser } from '../../src/sketch/user-hash.js';

const STANDARD_ERROR = 1.04 / Math.sqrt(4096);

/** Different every time for a seed: 53 random bits. */
function* hashes(seed: number): Generator<number> {
  const random = seededRandom(seed);
  for (;;) yield random.below(2 ** 21) * 2 ** 32 + random.below(2 ** 32);
}

function countOf(seed: number, size: number): UniqueCount {
  const out = new UniqueCount();
  const from = hashes(seed);
  for (let i = 0; i < size; i++) out.add(from.next().value as number);
  return out;
}

const hash = fc.tuple(fc.nat(2 ** 21 - 1), fc.nat(2 ** 31 - 1)).map(([a, b]) => a * 2 ** 32 + b);

describe('counting', () => {
  it('up to 256 it is exact, repeats do not count', () => {
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 256 }), (all) => {
        const count = new UniqueCount();
        for (const one of [...all, ...all]) count.add(one);
        expect(count.count()).toBe(new Set(all).size);
      }),
    );
  });

  it.each([300, 1000, 4000, 10_240, 20_000, 100_000])(
    'at %d the root mean square error of 30 counts is near the standard one',
    (size) => {
      const errors = Array.from(
        { length: 30 },
        (_, seed) => countOf(seed, size).count() / size - 1,
      );
      const spread = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
      // With 30 samples the spread is within 1.4 times its expectation in 99.9 % of cases; the rest is
      // the known bias of the raw estimate about 2.5 to 5 times the registers.
      expect(spread).toBeLessThan(STANDARD_ERROR * 1.6);
      // Four standard deviations are passed by chance once in 16,000; the bias again on top.
      expect(Math.max(...errors.map(Math.abs))).toBeLessThan(STANDARD_ERROR * 4.5);
    },
  );

  it('a million user ids in a row are counted within four standard errors', () => {
    const count = new UniqueCount();
    for (let i = 0; i < 1_000_000; i++) count.add(hashUser(`user${i}`));
    expect(Math.abs(count.count() / 1e6 - 1)).toBeLessThan(STANDARD_ERROR * 4);
  });

  it('what is no hash is refused', () => {
    const count = new UniqueCount();
    for (const bad of [-1, 0.5, NaN, 2 ** 53, Infinity]) {
      expect(() => count.add(bad)).toThrow(RangeError);
    }
    expect(count.count()).toBe(0);
    count.add(Number.MAX_SAFE_INTEGER);
    count.add(0);
    expect(count.count()).toBe(2);
  });
});

describe('merging and keeping', () => {
  const sizes = fc.constantFrom(0, 1, 100, 200, 256, 257, 300, 5000);

  it('merged counts are what one counter of both would have, the other stays as it was', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.nat(2), (first, second, seed) => {
        const one = countOf(1, first);
        const other = countOf(1 + seed, second);
        const before = other.encode();
        const both = countOf(1, first);
        const from = hashes(1 + seed);
        for (let i = 0; i < second; i++) both.add(from.next().value as number);
        one.merge(other);
        expect(Buffer.compare(one.encode(), both.encode())).toBe(0);
        expect(Buffer.compare(other.encode(), before)).toBe(0);
        one.merge(one);
        expect(one.count()).toBe(both.count());
      }),
    );
  });

  it.each([0, 1, 256, 257, 50_000])('%d come back from their bytes and count on', (size) => {
    const count = countOf(9, size);
    const bytes = count.encode();
    expect(bytes.length).toBeLessThanOrEqual(4097);
    const back = UniqueCount.decode(bytes);
    expect(back.count()).toBe(count.count());
    for (const one of [1, 2, 3]) {
      back.add(one);
      count.add(one);
    }
    expect(Buffer.compare(back.encode(), count.encode())).toBe(0);
    expect(Buffer.compare(UniqueCount.decode(bytes).encode(), bytes)).toBe(0);
  });

  it.each([
    ['nothing', []],
    ['an unknown form', [3]],
    ['half a hash', [1, 0, 0, 0]],
    ['hashes out of order', [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]],
    ['a hash of 56 bits', [1, 255, 255, 255, 255, 255, 255, 255]],
    ['too many hashes', [1, ...new Array<number>(257 * 7).fill(0)]],
    ['too few registers', [2, ...new Array<number>(4095).fill(0)]],
    ['an impossible rank', [2, ...new Array<number>(4096).fill(43)]],
  ])('bytes with %s are refused', (_, bytes) => {
    expect(() => UniqueCount.decode(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'invalid' }),
    );
  });

  it('any bytes are refused as invalid or are a count', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 2), (tail, form) => {
        const bytes = Uint8Array.of(form, ...tail);
        try {
          expect(Buffer.compare(UniqueCount.decode(bytes).encode(), bytes)).toBe(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid' });
        }
      }),
    );
  });
});

describe('the hash of users', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `u${10_000 + i}`);

  it('stays what it is in every release', () => {
    expect(['', 'a', 'u10001', '用户😂'].map(hashUser)).toMatchInlineSnapshot(`
      [
        3028673225900608,
        4440440155608966,
        6635826489656619,
        4035842160880623,
      ]
    `);
  });

  it('is a whole number of 53 bits and seldom the same', () => {
    const all = ids(200_000).map(hashUser);
    expect(all.every((one) => Number.isSafeInteger(one) && one >= 0)).toBe(true);
    // Two equal ones among 200,000 of 2^53 happen once in 450,000 tries.
    expect(new Set(all).size).toBe(all.length);
  });

  it('any change of an id flips each bit of the hash half of the time', () => {
    const flips = new Array<number>(53).fill(0);
    let pairs = 0;
    for (const id of ids(500)) {
      const before = BigInt(hashUser(id));
      for (let place = 0; place < id.length; place++) {
        for (const bit of [1, 2, 4]) {
          const unit = String.fromCharCode(id.charCodeAt(place) ^ bit);
          const after = BigInt(hashUser(id.slice(0, place) + unit + id.slice(place + 1)));
          for (let i = 0; i < 53; i++) flips[i]! += Number(((before ^ after) >> BigInt(i)) & 1n);
          pairs++;
        }
      }
    }
    // 9000 pairs: the standard deviation is 0.53 %, five of them are passed once in 1.7 million.
    for (const count of flips) expect(Math.abs(count / pairs - 0.5)).toBeLessThan(0.027);
  });
});
