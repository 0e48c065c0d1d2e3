/**
 * The plan against an audience whose every flush, poll, request and reconnect is counted by itself: a
 * million viewers here, ten million with `node dist/bench/plan-simulation.js`.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { simulate, type SimulationResult } from '../../bench/simulation/run.js';
import { poisson } from '../../bench/simulation/chance.js';
import { readPlanInput, type PlanText } from '../../src/plan/input.js';
import { makePlan } from '../../src/plan/plan.js';
import { seededRandom } from '../../src/random.js';
import { STEADY_COSTS as COSTS } from '../kit/plan-costs.js';

const ALIKE = 0.05;

interface Case {
  readonly name: string;
  readonly text: PlanText;
}
const CASES: readonly Case[] = [
  {
    name: 'a million with the CDN, a region may be lost',
    text: { viewers: '1M', regions: '3', survive: 'region' },
  },
  {
    name: 'half a million without it, a machine may be lost',
    text: { viewers: '500k', regions: '2', cdn: 'off', survive: 'machine' },
  },
  {
    name: 'a fast room on edges at the limit of their core',
    text: {
      ...{ viewers: '100k', cdn: 'off', rate: '60', tickMs: '40', survive: 'nothing', cores: '2' },
      ...{ poll: '0.1', sse: '0.2', said: '20k', descriptors: '50k' },
    },
  },
];

describe.each(CASES)('$name', ({ text }) => {
  const input = readPlanInput(text);
  const plan = makePlan(input, COSTS);
  let result: SimulationResult;
  beforeAll(() => {
    const losses = input.survive === 'nothing' ? [] : (['machine', 'region'] as const);
    const steadySeconds = input.viewers > 5e5 ? 4 : 8;
    result = simulate({ input, costs: COSTS, seed: 11, losses, steadySeconds });
  });

  it('P-PLAN-5 what is counted event by event is what the plan says, within 5 %', () => {
    expect(result.compared.length).toBe(input.cdn > 0 ? 11 : 5);
    for (const { what, when, planned, counted } of result.compared) {
      expect(
        Math.abs(counted / planned - 1),
        `${what}, ${when}: ${counted} for ${planned}`,
      ).toBeLessThan(ALIKE);
    }
  });

  it('P-PLAN-5 dispatch fills the edges evenly and no edge is over its core while all come', () => {
    expect(result.spread).toBeLessThan(1.1);
    expect(result.busyMaxComing).toBeLessThan(input.busy * (1 + ALIKE));
  });

  it('P-PLAN-6 the loss that was planned for is held by the others', () => {
    const planned = result.losses.filter(({ loss }) => loss === input.survive);
    expect(planned.length).toBe(input.survive === 'nothing' ? 0 : 1);
    for (const { stranded, homeless, viewersMax, busyMax } of planned) {
      expect(stranded).toBeGreaterThan(0);
      expect(homeless).toBe(0);
      expect(viewersMax).toBeLessThanOrEqual(input.descriptors * 0.9);
      expect(busyMax).toBeLessThan(input.busy * (1 + ALIKE));
      expect(viewersMax).toBeLessThan(plan.edges.afterLoss.viewers * 1.1);
    }
  });
});

describe('the limits of a plan', () => {
  it('P-PLAN-6 a loss that was not planned for leaves as many without an edge as do not fit', () => {
    const input = readPlanInput({
      ...{ viewers: '300k', regions: '2', survive: 'machine', cores: '1' },
    });
    const plan = makePlan(input, COSTS);
    const result = simulate({ input, costs: COSTS, seed: 3, losses: ['region'], steadySeconds: 2 });
    const capacity = plan.edges.machinesPerRegion * input.descriptors * 0.9;
    const [{ homeless, viewersMax }] = result.losses as [(typeof result.losses)[0]];
    expect(viewersMax).toBeLessThanOrEqual(input.descriptors * 0.9 + 16);
    expect(Math.abs(homeless / (input.viewers - capacity) - 1)).toBeLessThan(ALIKE);
  });

  it('P-PLAN-5 the numbers of chance have the mean and the spread they should', () => {
    const random = seededRandom(5);
    for (const mean of [0.5, 8, 200]) {
      const drawn = Array.from({ length: 20_000 }, () => poisson(random, mean));
      const found = drawn.reduce((sum, one) => sum + one, 0) / drawn.length;
      const spread = drawn.reduce((sum, one) => sum + (one - found) ** 2, 0) / drawn.length;
      expect(Math.abs(found / mean - 1)).toBeLessThan(0.03);
      expect(Math.abs(spread / mean - 1)).toBeLessThan(0.06);
    }
  });
});
