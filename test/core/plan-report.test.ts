/**
 * The newest report of ten million simulated viewers against what the plan says now; after a change
 * to either run `npm run bench -- --only simulation`.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportsOf, type MedianRow } from '../../bench/coefficients.js';
import { plannedFigures, type Audience } from '../../bench/simulation/planned.js';
import { COSTS } from '../../src/plan/coefficients.js';
import { readPlanInput, type PlanText } from '../../src/plan/input.js';
import { makePlan } from '../../src/plan/plan.js';
import { ROOT } from '../kit/source-tree.js';

const ALIKE = 0.05;
const sources = reportsOf(join(ROOT, 'bench', 'report'));
const rows = sources('simulation')[0]!.rows.map((row) => [row] as const);

const inputOf = ({ case: { viewers, regions, survive } }: MedianRow) =>
  readPlanInput({ viewers, regions, survive } as PlanText);

/** What the plan says now of the audience of a row. */
function plannedNow(row: MedianRow): number {
  const { online, arrivalsPerSecond } = row.values;
  const when = row.case['when'] as Audience['when'];
  const audience = { when, viewers: online!, arrivals: arrivalsPerSecond! };
  const figures = plannedFigures(inputOf(row), COSTS, audience);
  return figures.find(({ what }) => what === row.case['figure'])!.planned;
}

describe('the newest report of the simulation', () => {
  it('P-PLAN-9 has ten million viewers and every figure of the plan', () => {
    const of = (when: string) => rows.filter(([row]) => row.case['when'] === when).length;
    expect([of('steady'), of('coming')]).toEqual([8, 3]);
    for (const [{ values }] of rows) expect(values['online']! / 1e7).toBeGreaterThan(0.95);
  });

  it.each(rows)('P-PLAN-9 what was counted is what the plan says now: $case', (row) => {
    const { countedPerSecond, plannedPerSecond, errorPercent } = row.values;
    const planned = plannedNow(row);
    expect(Math.abs(plannedPerSecond! / planned - 1)).toBeLessThan(ALIKE);
    expect(Math.abs(countedPerSecond! / planned - 1)).toBeLessThan(ALIKE);
    expect(Math.abs(errorPercent! / 100)).toBeLessThan(ALIKE);
  });

  it('P-PLAN-9 the edges were as many as now, and held the loss of a region', () => {
    const lost = sources('simulation-losses')[0]!.rows;
    const region = lost.find((row) => row.case['lost'] === 'region')!;
    const { edges } = makePlan(inputOf(region), COSTS);
    expect(Math.abs(region.values['edges']! / edges.processes - 1)).toBeLessThan(ALIKE);
    expect(region.values['withoutEdge']).toBe(0);
    expect(region.values['fullestEdge']).toBeLessThan(edges.afterLoss.viewers * 1.1);
  });
});
