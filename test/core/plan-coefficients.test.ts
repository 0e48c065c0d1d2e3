/** The plan's coefficients against the reports they are from, and the model against measured rows. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { derive, fanOutRows, FAN_OUT_TERMS, reportsOf, termsOf } from '../../bench/coefficients.js';
import { fitNonNegative } from '../../bench/fit.js';
import { COEFFICIENTS, COSTS, type CoefficientName } from '../../src/plan/coefficients.js';
import { ROOT } from '../kit/source-tree.js';

/** What one machine drifts by within an hour (bench/README.md). */
const DRIFT = 0.25;
const sources = reportsOf(join(ROOT, 'bench', 'report'));
const derived = derive(sources);
const names = Object.keys(COEFFICIENTS) as CoefficientName[];

describe('coefficients', () => {
  it.each(names.filter((name) => derived[name] !== undefined))(
    'P-PLAN-2 %s is what the newest report says; else run bench/plan-coefficients --write',
    (name) => {
      const { value, from } = derived[name]!;
      // How sends and bytes share a cost is certain only together: that is P-PLAN-3.
      const allowed = name === 'byteNs' || name === 'idleShare' ? 1 : 0.2;
      expect(Math.abs(COEFFICIENTS[name].value - value)).toBeLessThanOrEqual(allowed * value);
      expect(COEFFICIENTS[name].from).toMatch(/^\d{4}-\d\d-\d\d-/);
      expect(from.split(' ')[1]).toBe(COEFFICIENTS[name].from.split(' ')[1]);
    },
  );

  it.each(names.filter((name) => derived[name] === undefined))(
    'P-PLAN-2 %s, which no report has, does not pass for measured by one',
    (name) => {
      expect(COEFFICIENTS[name].from).not.toMatch(/^\d{4}-/);
    },
  );

  it('P-PLAN-2 most are measured, and all are costs', () => {
    expect(Object.keys(derived).length).toBeGreaterThanOrEqual(12);
    for (const name of names) expect(COSTS[name], name).toBeGreaterThanOrEqual(0);
  });
});

describe('the model of a send and its bytes', () => {
  const rows = fanOutRows(sources('fanout')[0]!).map((row) => [row] as const);

  it.each(rows)('P-PLAN-3 gives the core time of the measured row $case', (row) => {
    const terms = termsOf(row);
    const predicted = FAN_OUT_TERMS.reduce((sum, name, i) => sum + COSTS[name] * terms[i]!, 0);
    const measured = row.values['serverBusy']!;
    expect(Math.abs(predicted / measured - 1)).toBeLessThan(DRIFT);
  });

  it.each(rows)('P-PLAN-3 gives the bytes of the measured row $case', (row) => {
    const { flushesPerSecond, deliveriesPerSecond, bytesPerSecond } = row.values;
    const isDeflate = row.case['format'] === 'deflate';
    const head = isDeflate ? COSTS.deflateFlushBytes : COSTS.jsonFlushBytes;
    const each = isDeflate ? COSTS.deflateEachBytes : COSTS.jsonEachBytes;
    const predicted = flushesPerSecond! * head + deliveriesPerSecond! * each;
    expect(Math.abs(predicted / bytesPerSecond! - 1)).toBeLessThan(DRIFT);
  });
});

describe('the fit', () => {
  it('P-PLAN-3 finds the factors that made the values', () => {
    const terms = [
      [1, 10, 3],
      [1, 20, 9],
      [1, 5, 40],
      [1, 80, 1],
    ];
    const values = terms.map(([a, b, c]) => 0.5 * a! + 2 * b! + 0.25 * c!);
    const [one, two, three] = fitNonNegative(terms, values);
    expect([one, two, three].map((factor) => Number(factor!.toFixed(3)))).toEqual([0.5, 2, 0.25]);
  });

  it('P-PLAN-3 gives no term a negative cost', () => {
    const factors = fitNonNegative(
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
      [3, 2, 1],
    );
    expect(factors.every((factor) => factor >= 0)).toBe(true);
  });
});
