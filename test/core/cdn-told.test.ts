/** What viewers are told of the table of CDNs, by region, and when. */
import { describe, expect, it } from 'vitest';
import { Scores } from '../../room/cdn/core/scoring.js';
import { isNews, toldOf, weightIn } from '../../room/cdn/core/told.js';
import { CDN_REGIONS_MAX } from '../../src/wire/cdn.js';
import { CDNS_MAX, type CdnEntry, type CdnSpec } from '../../src/wire/cdn-state.js';

const entry = (
  id: string,
  weight: number,
  regions: Readonly<Record<string, number>> = {},
  more: Partial<CdnSpec> = {},
): CdnEntry => ({
  ...{ spec: { id, url: `https://${id}.example/`, weight: 1, ...more }, weight, regions },
  ...{ seen: { requests: 0, ok: 1, delayMs: 0, mbps: 0 }, state: 'fine' },
});
const weightsOf = (entries: readonly CdnEntry[]) =>
  toldOf(entries).sources.map(({ weight }) => weight);

describe('the fact by region', () => {
  it('R-CDN-12 names the weights of each region that has others than all', () => {
    const table = [
      entry('a', 50, { us: 100, eu: 0, asia: 50 }),
      entry('b', 100, { us: 100, eu: 100, asia: 100 }),
    ];
    expect(weightsOf(table)).toEqual([50, 100]);
    const { regions } = toldOf(table);
    expect(regions).toEqual({ eu: [0, 100], us: [100, 100] });
    // The same table makes the same bytes.
    const turned = [
      entry('a', 50, { asia: 50, us: 100, eu: 0 }),
      entry('b', 100, { us: 100, asia: 100, eu: 100 }),
    ];
    expect(JSON.stringify(toldOf(turned))).toBe(JSON.stringify(toldOf(table)));
    expect(toldOf([entry('a', 100), entry('b', 50)]).regions).toEqual({});
  });

  it('R-CDN-12 a CDN for some regions, or not for some, is not theirs at all elsewhere', () => {
    const scores = new Scores();
    const all = { id: 'all', url: 'https://all.example/', weight: 1 };
    const eu = { id: 'eu', url: 'https://eu.example/', weight: 2, regions: ['eu'] };
    const out = { id: 'out', url: 'https://out.example/', weight: 1, notRegions: ['cn'] };
    scores.set([all, eu, out]);
    const table = scores.entries(1000);
    // Of no region listed: not the one for Europe.
    expect(weightsOf(table)).toEqual([50, 0, 50]);
    expect(toldOf(table).regions).toEqual({ cn: [100, null, null], eu: [50, 100, 50] });
    expect(['us', 'eu', 'cn', ''].map((name) => weightIn(table[1]!, name))).toEqual([
      null,
      100,
      null,
      null,
    ]);
    // When there is no other they all have it.
    scores.set([eu]);
    expect(weightsOf(scores.entries(1000))).toEqual([100]);
  });

  it('R-CDN-12 a region that nobody configured and where one fails is told too', () => {
    const scores = new Scores();
    scores.set(['a', 'b'].map((id) => ({ id, url: `https://${id}.example/`, weight: 1 })));
    const sum = (source: string, ok: number, failed: number) => ({
      ...{ source, reports: 1, ok, failed, missed: 0, bytes: 0, delayMs: 0, delays: 0 },
    });
    const before = scores.entries(0);
    for (let now = 1000; now <= 5000; now += 1000) {
      scores.hear('eu', sum('a', 0, 20), now);
      for (const id of ['a', 'b']) scores.hear('us', sum(id, 20, 0), now);
      scores.step(now);
    }
    const after = scores.entries(5000);
    expect(toldOf(after)).toMatchObject({
      sources: [{ weight: 50 }, { weight: 100 }],
      regions: { eu: [0, 100], us: [100, 100] },
    });
    expect(isNews(before, after, 1999)).toBe(false);
    expect(isNews(before, after, 2000)).toBe(true);
    expect(isNews(after, after, 1e9)).toBe(false);
  });

  it('R-CDN-12 the regions of a fact are bounded, and those that a CDN is kept from come first', () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`r${i}`, 90]));
    const last = { zz: 0, __proto__x: 0 };
    const table = Array.from({ length: CDNS_MAX }, (_, i) =>
      entry(`cdn${i}`, 100, i === 0 ? { ...many, ...last } : {}),
    );
    const { regions } = toldOf(table);
    expect(Object.keys(regions)).toHaveLength(CDN_REGIONS_MAX);
    const kept = [0, ...Array.from({ length: CDNS_MAX - 1 }, () => 100)];
    expect(regions).toMatchObject({ zz: kept, __proto__x: kept });
    expect(JSON.stringify(regions).length).toBeLessThan(4096);
  });

  it('R-CDN-10 a change in one region is news like one of all, at most every 2 s', () => {
    const at = (us: number, more: Partial<CdnSpec> = {}) => [entry('a', 100, { us }, more)];
    expect(isNews(at(100), at(0), 2000)).toBe(true);
    expect(isNews(at(100), at(0), 1999)).toBe(false);
    expect(isNews(at(0), at(2), 2000)).toBe(true);
    expect(isNews(at(100), at(80), 1e9)).toBe(false);
    expect(isNews(at(100), at(60), 14_999)).toBe(false);
    expect(isNews(at(100), at(60), 15_000)).toBe(true);
    // A region first heard of gets what all get: no news.
    expect(isNews([entry('a', 100)], at(100), 1e9)).toBe(false);
    // An operator's word on whom it is for is told at once.
    expect(isNews(at(100), at(100, { notRegions: ['us'] }), 0)).toBe(true);
  });
});
