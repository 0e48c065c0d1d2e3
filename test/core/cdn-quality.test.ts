/** How the viewers of CDNs that work fare, and what that is worth: steps of delay, a table, regions. */
import { describe, expect, it } from 'vitest';
import {
  faredOf,
  Quality,
  QUALITY_RULES,
  qualityFactor,
  type Fared,
} from '../../room/cdn/core/quality.js';
import { Scores } from '../../room/cdn/core/scoring.js';
import { DELAY_STEPS, delayAtShare, delayStep } from '../../src/wire/cdn-delays.js';
import type { CdnSum } from '../../src/wire/cdn-state.js';

const noSteps = () => Array.from({ length: DELAY_STEPS }, () => 0);

/** As an edge adds up the reports of viewers with these delays. */
function sumOf(source: string, delays: readonly number[], missed = 0): CdnSum {
  const delaySteps = noSteps();
  for (const delay of delays) delaySteps[delayStep(delay)]!++;
  const delayMs = delays.reduce((total, delay) => total + delay, 0);
  const ok = delays.length * 60;
  const counts = { reports: delays.length, ok, failed: 0, missed, bytes: 0 };
  return { source, ...counts, delayMs, delays: delays.length, delaySteps };
}

const times = (count: number, delay: number) => Array.from({ length: count }, () => delay);

describe('how viewers fare', () => {
  it('R-CDN-14 the delay of the slowest tenth is told from steps, within a step', () => {
    expect([0, 250, 251, 297, 298, 1000, 32_000, 1e9].map(delayStep)).toEqual([
      ...[0, 0, 1, 1, 2, 8, 28, 29],
    ]);
    expect(delayAtShare(noSteps(), 0.9)).toBe(0);
    for (const [fast, slow, wanted] of [
      [95, 5, 2000],
      [80, 20, 6000],
      [0, 100, 6000],
    ] as const) {
      const told = new Quality();
      told.hear(sumOf('a', [...times(fast, 2000), ...times(slow, 6000)]), 0);
      const { delayMs } = told.fared(0)!;
      expect(delayMs / wanted).toBeGreaterThan(0.83);
      expect(delayMs / wanted).toBeLessThan(1.19);
    }
  });

  it('R-CDN-14 few reports, and those of a minute ago, say nothing; an edge without steps tells the mean', () => {
    const told = new Quality();
    told.hear(sumOf('a', times(19, 2000)), 0);
    expect(told.fared(0)).toBeUndefined();
    const { delaySteps: _, ...old } = sumOf('a', times(1, 2000), 40);
    told.hear(old, 1000);
    expect(told.fared(1000)!.delayMs).toBeGreaterThan(1600);
    expect(told.fared(1000)!.missed).toBeCloseTo(40 / 1240);
    expect(told.fared(59_000)).toBeDefined();
    expect(told.fared(65_000)).toBeUndefined();
    const other = new Quality();
    other.hear(sumOf('a', times(10, 2000)), 0);
    expect(faredOf([other, other], 0)).toBeDefined();
  });

  it('R-CDN-14 what is clearly worse than the best costs weight, down to a least', () => {
    const best: Fared = { delayMs: 2000, missed: 0.01 };
    const factor = (delayMs: number, missed = 0.01, rules = QUALITY_RULES) =>
      qualityFactor({ delayMs, missed }, best, rules);
    for (const [delayMs, missed, wanted] of [
      [2000, 0.01, 1],
      [2500, 0.03, 1],
      [1000, 0, 1],
      [5000, 0.01, 0.5],
      [2500, 0.13, 0.5],
      [5000, 0.13, 0.25],
      [1e6, 0.01, 0.25],
      [2000, 1, 0.25],
    ] as const) {
      expect(factor(delayMs, missed), `${delayMs} ms, ${missed}`).toBeCloseTo(wanted);
    }
    expect(factor(5000, 1, { ...QUALITY_RULES, least: 1 })).toBe(1);
    expect(factor(5000, 0.01, { ...QUALITY_RULES, delayMs: 3000 })).toBe(1);
    expect(factor(2000, 0.2, { ...QUALITY_RULES, missed: 0.2 })).toBe(1);
  });

  it('R-CDN-14 viewers are compared within their region, and a CDN that is down is no measure', () => {
    const scores = new Scores();
    scores.set(
      ['near', 'far', 'dead'].map((id) => ({ id, url: `https://${id}.example/`, weight: 1 })),
    );
    const hear = (region: string, sum: CdnSum, now: number) => scores.hear(region, sum, now);
    for (let now = 1000; now <= 120_000; now += 1000) {
      // Far away all are late alike; near one of them is.
      for (const id of ['near', 'far']) hear('us', sumOf(id, times(5, 8000)), now);
      hear('eu', sumOf('near', times(5, 2000)), now);
      hear('eu', sumOf('far', times(5, 5200)), now);
      hear('eu', { ...sumOf('dead', times(5, 300)), ok: 0, failed: 300 }, now);
      scores.step(now);
    }
    const entries = scores.entries(120_000);
    expect(entries.slice(0, 2).map(({ regions }) => regions['us'])).toEqual([100, 100]);
    const [near, far, dead] = entries.map(({ regions }) => regions['eu']!);
    expect([near, dead]).toEqual([100, 0]);
    expect(far).toBeGreaterThan(40);
    expect(far).toBeLessThan(60);
    expect(entries[1]!.weight).toBeGreaterThan(far!);
    expect(entries[1]!.seen.slowMs).toBeGreaterThan(6000);
    expect(entries[1]!.seen.missed).toBe(0);
  });
});
