/** The most frequent texts in bounded memory, with bounds that always hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { TopCounts } from '../../src/sketch/top-counts.js';

type Added = readonly [key: string, by: number];

function truthOf(stream: readonly Added[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const [key, by] of stream) out.set(key, (out.get(key) ?? 0) + by);
  return out;
}

function countsOf(capacity: number, stream: readonly Added[]): TopCounts {
  const out = new TopCounts(capacity);
  for (const [key, by] of stream) out.add(key, by);
  return out;
}

/** Everything the class promises of `stream`. */
function expectPromises(counts: TopCounts, capacity: number, stream: readonly Added[]): void {
  const truth = truthOf(stream);
  const total = stream.reduce((sum, [, by]) => sum + by, 0);
  const all = counts.top(Infinity);
  expect(counts.total).toBe(total);
  expect(all.length).toBeLessThanOrEqual(capacity);
  expect(counts.absentMax).toBeLessThanOrEqual(total / capacity);
  for (const { key, count, error } of all) {
    const real = truth.get(key) ?? 0;
    expect(count).toBeGreaterThanOrEqual(real);
    expect(count - error).toBeLessThanOrEqual(real);
    expect(error).toBeLessThanOrEqual(total / capacity);
  }
  const kept = new Set(all.map(({ key }) => key));
  for (const [key, real] of truth) {
    if (kept.has(key)) continue;
    expect(real).toBeLessThanOrEqual(counts.absentMax);
    for (const { count } of all) expect(count).toBeGreaterThanOrEqual(real);
  }
  expect(all.map(({ count }) => count)).toEqual(
    all.map(({ count }) => count).sort((a, b) => b - a),
  );
}

const capacity = fc.integer({ min: 1, max: 8 });
const added = fc.tuple(
  fc.nat(19).map((key) => `t${key}`),
  fc.integer({ min: 1, max: 9 }),
);
const stream = fc.array(added, { maxLength: 120 });

describe('promises', () => {
  it('every count is over the truth by at most its error, and no frequent key is missing', () => {
    fc.assert(
      fc.property(capacity, stream, (size, of) => {
        expectPromises(countsOf(size, of), size, of);
      }),
      { numRuns: 1000 },
    );
  });

  it('they hold after merges and for what is added after them', () => {
    fc.assert(
      fc.property(capacity, stream, stream, stream, stream, (size, a, b, c, d) => {
        const counts = countsOf(size, a);
        const other = countsOf(size, b);
        const before = other.top(Infinity);
        counts.merge(other);
        expect(other.top(Infinity)).toEqual(before);
        expectPromises(counts, size, [...a, ...b]);
        for (const [key, by] of c) counts.add(key, by);
        expectPromises(counts, size, [...a, ...b, ...c]);
        counts.merge(countsOf(size, d));
        expectPromises(counts, size, [...a, ...b, ...c, ...d]);
      }),
      { numRuns: 1000 },
    );
  });

  it('while there is room counts are exact', () => {
    fc.assert(
      fc.property(stream, (of) => {
        const all = countsOf(20, of).top(20);
        expect(new Map(all.map(({ key, count }) => [key, count]))).toEqual(truthOf(of));
        expect(all.every(({ error }) => error === 0)).toBe(true);
      }),
    );
  });

  it('the same additions give the same answer, ties by key', () => {
    const of: readonly Added[] = [
      ['b', 1],
      ['a', 1],
      ['c', 2],
    ];
    expect(countsOf(3, of).top(2)).toEqual([
      { key: 'c', count: 2, error: 0 },
      { key: 'a', count: 1, error: 0 },
    ]);
    expect(countsOf(3, of).top(0)).toEqual([]);
  });
});

it('of talk with few favourites the favourites are found in their order', () => {
  const random = seededRandom(3);
  const counts = new TopCounts(200);
  const truth = new Map<string, number>();
  for (let i = 0; i < 100_000; i++) {
    // Zipf's law over 20,000 texts, as talk has it.
    const key = `t${Math.floor(20_000 ** random.next())}`;
    truth.set(key, (truth.get(key) ?? 0) + 1);
    counts.add(key);
  }
  const best = [...truth].sort((a, b) => b[1] - a[1]).slice(0, 10);
  expect(counts.top(10).map(({ key }) => key)).toEqual(best.map(([key]) => key));
});

it('after a reset nothing is left', () => {
  const counts = countsOf(2, [
    ['a', 5],
    ['b', 5],
    ['c', 5],
  ]);
  counts.reset();
  expect([counts.total, counts.absentMax, counts.top(5)]).toEqual([0, 0, []]);
  counts.add('d');
  expect(counts.top(5)).toEqual([{ key: 'd', count: 1, error: 0 }]);
});

it('long keys are kept by their beginning, without half a character', () => {
  const counts = new TopCounts(4);
  counts.add(`${'x'.repeat(255)}😂`);
  counts.add(`${'x'.repeat(255)}😎`);
  expect(counts.top(4)).toEqual([{ key: `${'x'.repeat(255)}\ufffd`, count: 2, error: 0 }]);
});

it('bad sizes and amounts are refused and change nothing', () => {
  for (const bad of [0, -1, 1.5, NaN]) expect(() => new TopCounts(bad)).toThrow(RangeError);
  const counts = new TopCounts(2);
  for (const bad of [0, -1, NaN, Infinity]) expect(() => counts.add('a', bad)).toThrow(RangeError);
  expect(counts.total).toBe(0);
  expect(() => counts.merge(new TopCounts(3))).toThrow('capacities differ');
});
