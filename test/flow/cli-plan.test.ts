/** The command `plan` as an operator types it. */
import { describe, expect, it } from 'vitest';
import { COEFFICIENTS } from '../../src/plan/coefficients.js';
import type { Plan } from '../../src/plan/plan.js';
import { runToEnd } from '../kit/program-run.js';

describe('barrage plan', () => {
  it('P-PLAN-8 prints what is needed, what binds and from where it knows', async () => {
    const { code, out, err } = await runToEnd(
      'plan --viewers 10M --regions 3 --price-core-hour 0.04 --price-cdn-gb 0.01'.split(' '),
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^ {2}viewers +10 M in 1 room\(s\), 3 region\(s\)$/m);
    expect(out).toMatch(/^ {2}each is sent +20\/s droppable, 1\/s keepable, tick 100 ms$/m);
    expect(out).toMatch(/^ {2}viewers an edge holds +[\d,]+, bound by \w+$/m);
    expect(out).toMatch(/^ {2}would hold by cpu +[\d,.M ]+ viewers$/m);
    expect(out).toMatch(/^ {2}cost +[\d,.]+ an hour$/m);
    expect(out).toContain(COEFFICIENTS.sendUs.from);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('P-PLAN-8 gives the same as JSON, with the coefficients', async () => {
    const { code, out } = await runToEnd('plan --viewers 50k --cdn off --json'.split(' '));
    const plan = JSON.parse(out) as Plan & { coefficients: typeof COEFFICIENTS };
    expect(code).toBe(0);
    expect(plan.input.viewers).toBe(50_000);
    expect(plan.cdn).toBeUndefined();
    expect(plan.edges.processes * plan.edges.usual.viewers).toBeCloseTo(50_000);
    expect(plan.coefficients).toEqual(COEFFICIENTS);
  });

  it('P-PLAN-4 what cannot be is refused in one line', async () => {
    expect(await runToEnd(['plan'])).toEqual({
      ...{ code: 1, out: '', err: 'barrage: --viewers must be given\n' },
    });
    const { code, err } = await runToEnd('plan --viewers 1M --busy 3'.split(' '));
    expect([code, err]).toEqual([1, 'barrage: --busy must be 0.05 to 0.95 (not "3")\n']);
  });

  it('P-PLAN-8 its help names every option', async () => {
    const { out } = await runToEnd(['plan', '--help']);
    for (const name of [
      '--viewers',
      '--cdn',
      '--survive',
      '--nic',
      '--price-gb-egress',
      '--json',
    ]) {
      expect(out).toContain(name);
    }
  });
});
