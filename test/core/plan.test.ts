/** The arithmetic of the capacity plan, and that what it takes as given is so. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { reportsOf } from '../../bench/coefficients.js';
import { Corpus } from '../../bench/corpus.js';
import { MARGIN_MS, SHARE } from '../../client/core/cdn-delay.js';
import { FIRST_SEGMENTS } from '../../client/core/cdn-reader.js';
import { calmMs, fanoutShare } from '../../edge/core/pace.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { EDGES_MAX } from '../../room/dispatch/core/edge-table.js';
import { openConfig } from '../../src/config/manager.js';
import { DISPATCH_DEFAULTS } from '../../src/dispatch-settings.js';
import { BarrageError } from '../../src/errors.js';
import { ASSUMED } from '../../src/plan/assumptions.js';
import { planCdn, segmentBytesOf } from '../../src/plan/cdn.js';
import { calmMsOf, edgeLoad, fanOutShare } from '../../src/plan/edge-load.js';
import { edgeBounds, planEdges, type Bound } from '../../src/plan/edges.js';
import { readPlanInput, type PlanText } from '../../src/plan/input.js';
import { DISPATCH_EDGES_MAX, makePlan } from '../../src/plan/plan.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { AUDIENCE_EVERY_MS } from '../../src/wire/internal.js';
import { SHARD_COUNT } from '../../src/shards.js';
import { ROOT } from '../kit/source-tree.js';
import { STEADY_COSTS as COSTS } from '../kit/plan-costs.js';

const plan = (text: PlanText) => makePlan(readPlanInput(text), COSTS);
const edges = (text: PlanText) => planEdges(readPlanInput(text), COSTS)!;

describe('an edge', () => {
  it('P-PLAN-1 its core time is that of its sends, bytes and other work', () => {
    const input = readPlanInput({
      ...{ viewers: '10k', rate: '10', keepRate: '0', said: '0', arrivals: '0', cdn: 'off' },
      ...{ deflate: '0', sse: '0', poll: '0', tickMs: '100' },
    });
    const load = edgeLoad(input, COSTS, 1000);
    const bytes = COSTS.jsonFlushBytes + COSTS.jsonEachBytes;
    expect(load.flushesPerSecond).toBeCloseTo(10_000);
    expect(load.bytesPerSecond).toBeCloseTo(10_000 * bytes);
    const perSend = COSTS.sendUs / 1e6 + (bytes * COSTS.byteNs) / 1e9;
    expect(load.fanOutBusy).toBeCloseTo(10_000 * perSend);
    const pings = 1000 / 25;
    expect(load.otherBusy).toBeCloseTo(COSTS.idleShare + (2 * pings * COSTS.sendUs) / 1e6);
  });

  it('P-PLAN-1 more viewers than calm lets go on stretch the interval, and the pace keeps the share', () => {
    const input = readPlanInput({ viewers: '1M', rate: '60', cdn: 'off', tickMs: '40' });
    const [calm, paced] = [edgeLoad(input, COSTS, 8000), edgeLoad(input, COSTS, 40_000)];
    expect(calm.intervalMs).toBeGreaterThan(40);
    expect(calm.busy).toBeLessThan(0.7);
    expect(paced.intervalMs).toBeGreaterThan(ASSUMED.calmMsMax);
    expect(paced.busy).toBeCloseTo(0.7, 5);
  });

  it.each<[Bound, PlanText]>([
    ['descriptors', { descriptors: '2000' }],
    ['cpu', { cdn: 'off', rate: '100', tickMs: '20', intervalMs: '60' }],
    ['network', { nic: '1', cdn: 'off' }],
    ['memory', { memory: '4' }],
  ])('P-PLAN-1 tells that %s binds, and one viewer more would break it', (binding, text) => {
    const given = { viewers: '1M', ...text };
    const found = edges(given);
    expect(found.binding).toBe(binding);
    const input = readPlanInput(given);
    const over = edgeLoad(input, COSTS, found.viewersMax + 1);
    const at = edgeLoad(input, COSTS, found.viewersMax);
    const isOver = {
      cpu: over.intervalMs > input.intervalMs && at.intervalMs <= input.intervalMs,
      network: over.wireBytesPerSecond * 8 * input.cores > input.nicBitsPerSecond * input.busy,
      memory: over.memoryBytes * input.cores > input.memoryBytes * input.busy,
      descriptors: found.viewersMax + 1 > 2000 * 0.9 * 0.95,
    };
    expect(isOver[binding]).toBe(true);
  });

  it('P-PLAN-1 a viewer who follows the CDN costs a fraction', () => {
    const of = (cdn: string) => edgeBounds(readPlanInput({ viewers: '1M', cdn }), COSTS).cpu;
    expect(of('1')).toBeGreaterThan(3 * of('off'));
  });

  it('P-PLAN-1 an edge that could hold nobody is refused', () => {
    expect(() => plan({ viewers: '1M', memory: '0.5', cores: '64' })).toThrow(
      expect.objectContaining({ name: 'BarrageError', code: 'invalid', field: 'viewers' }),
    );
  });
});

describe('edges, and what is behind them', () => {
  it('P-PLAN-1 machines are enough for the loss to be survived', () => {
    const given = { viewers: '10M', regions: '4', cdn: 'off' };
    for (const survive of ['machine', 'region'] as const) {
      const found = edges({ ...given, survive });
      expect(found.afterLoss.viewers).toBeLessThanOrEqual(found.viewersMax);
      expect(found.machines).toBe(4 * found.machinesPerRegion);
      expect(found.processes).toBe(16 * found.machines);
    }
    const none = edges({ ...given, survive: 'nothing' });
    expect(none.machines).toBeLessThan(edges({ ...given, survive: 'machine' }).machines);
    expect(none.afterLoss).toEqual(none.usual);
  });

  it('P-PLAN-1 what NATS sends grows with the edges, what comes in does not', () => {
    const [few, many] = [plan({ viewers: '1M' }), plan({ viewers: '10M', said: '1000' })];
    expect(many.nats.edgesPerRoom).toBe(many.edges.processes);
    const ratio = many.edges.processes / few.edges.processes;
    const more = many.nats.bytesOutPerSecond / few.nats.bytesOutPerSecond;
    expect(more / ratio).toBeGreaterThan(0.8);
    expect(many.nats.servers).toBeGreaterThanOrEqual(3);
    expect(many.rooms.admittedPerSecond).toBe(240);
    expect(many.rooms.refusedPerSecond).toBe(760);
  });

  it('P-PLAN-1 many small rooms are heard by few edges each and share the services', () => {
    const { nats, rooms } = plan({ viewers: '1M', rooms: '10k', keepRate: '1' });
    expect(nats.edgesPerRoom).toBe(1);
    expect(rooms.services).toBeGreaterThan(2);
    expect(rooms.busy / rooms.services).toBeLessThanOrEqual(0.7 + 1e-9);
  });

  it('P-PLAN-1 says which part cannot be divided further', () => {
    const { warnings } = plan({ viewers: '10M', keepRate: '5k' });
    expect(warnings.some((text) => text.startsWith('one room takes'))).toBe(true);
  });

  it('P-PLAN-1 the origin is asked as often for any audience, and the CDN in proportion', () => {
    const of = (viewers: string) => planCdn(readPlanInput({ viewers, cdn: '0.5', rate: '20' }))!;
    const [small, big] = [of('100k'), of('10M')];
    expect(big.originRequestsPerSecond).toBe(small.originRequestsPerSecond);
    expect(big.requestsPerSecond / small.requestsPerSecond).toBeCloseTo(100);
    expect(planCdn(readPlanInput({ viewers: '10M', cdn: 'off' }))).toBeUndefined();
  });

  it('P-PLAN-1 newcomers fetch a manifest and what it lists for them, beside everybody', () => {
    const of = (arrivals: string) =>
      planCdn(readPlanInput({ viewers: '10M', cdn: '0.5', rate: '20', arrivals }))!;
    const [none, some] = [of('0'), of('100k')];
    expect([none.newcomersPerSecond, some.newcomersPerSecond]).toEqual([0, 50_000]);
    // Two segments, of which the half of one is no more asked for by the second poll.
    expect(some.requestsPerSecond - none.requestsPerSecond).toBeCloseTo(50_000 * (1 + 1.5));
    const bytes = 1.5 * (some.segmentBytes + 150) + some.manifestBytes + 150;
    expect(some.bytesPerSecond - none.bytesPerSecond).toBeCloseTo(50_000 * bytes);
    expect(some.originRequestsPerSecond).toBe(none.originRequestsPerSecond);
  });

  it('P-PLAN-1 costs are the prices times what is used', () => {
    const { cost, egressBytesPerSecond, cdn } = plan({
      ...{ viewers: '1M', priceCoreHour: '0.05', priceGbEgress: '0.02', priceCdnGb: '0.01' },
    });
    expect(cost.coresCost).toBeCloseTo(cost.cores * 0.05);
    expect(cost.egressCost).toBeCloseTo(((egressBytesPerSecond * 3600) / 1e9) * 0.02);
    expect(cost.cdnCost).toBeCloseTo(((cdn!.bytesPerSecond * 3600) / 1e9) * 0.01);
    expect(cost.total).toBeCloseTo(cost.coresCost + cost.egressCost + cost.cdnCost);
  });
});

describe('what is asked', () => {
  it('P-PLAN-4 what is not said follows from the audience', () => {
    const of = (viewers: string) => readPlanInput({ viewers });
    expect([of('100').rate, of('6k').rate, of('20k').rate, of('10M').rate]).toEqual([
      60, 60, 40, 20,
    ]);
    expect([of('100').tickMs, of('6k').tickMs, of('10M').tickMs]).toEqual([100, 40, 100]);
    const { cdnOnAbove } = DEFAULT_SETTINGS;
    const shares = [cdnOnAbove, cdnOnAbove + 1].map((viewers) => of(`${viewers}`).cdn);
    expect(shares).toEqual([0, ASSUMED.cdnAutoShare]);
    expect(of('1.5M').viewers).toBe(1_500_000);
    expect(readPlanInput({ viewers: '1k', poll: '5%', cdn: '40%' })).toMatchObject({
      ...{ poll: 0.05, cdn: 0.4 },
    });
  });

  it.each<[string, PlanText, string]>([
    ['viewers', {}, '--viewers must be given'],
    ['viewers', { viewers: 'ten' }, '--viewers must be a number, k, M or % after it (not "ten")'],
    ['viewers', { viewers: '0' }, '--viewers must be 1 to 1000000000 (not "0")'],
    ['viewers', { viewers: '1.5' }, '--viewers must be a whole number'],
    ['rooms', { viewers: '1', rooms: '2' }, '--rooms must be at most the viewers'],
    [
      'poll',
      { viewers: '1', poll: '0.9', sse: '0.2' },
      '--poll and --sse together must be at most 1',
    ],
    ['busy', { viewers: '1', busy: '2' }, '--busy must be 0.05 to 0.95 (not "2")'],
    [
      'cdn',
      { viewers: '1', cdn: 'on' },
      '--cdn must be auto, off or a share of the viewers (not "on")',
    ],
    ['survive', { viewers: '1', survive: 'all' }, '--survive must be nothing, machine, region'],
    ['survive', { viewers: '1', survive: 'region' }, '--survive a region needs --regions over 1'],
  ])('P-PLAN-4 %s of %j is refused: %s', (field, text, message) => {
    let error: unknown;
    try {
      readPlanInput(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(BarrageError);
    expect(error).toMatchObject({ code: 'invalid', field, message });
  });
});

describe('what is taken as given', () => {
  it('P-PLAN-7 the pace is that of the edge', () => {
    for (const roundMs of [0, 10, 40, 60, 500]) expect(calmMsOf(roundMs)).toBe(calmMs(roundMs));
    for (const other of [0, 0.1, 0.5, 0.69, 2]) {
      expect(fanOutShare(0.7, other)).toBe(fanoutShare(0.7, other));
    }
  });

  it('P-PLAN-7 settings and constants are the defaults of the parts they are from', () => {
    const { cdn, rooms } = openConfig({ file: undefined, env: {}, flags: [] }).current;
    expect({
      ...{ heartbeatMs: EDGE_DEFAULTS.heartbeatMs, edgeReportMs: EDGE_DEFAULTS.reportMs },
      ...{ fullMark: DISPATCH_DEFAULTS.fullMark, audienceMs: AUDIENCE_EVERY_MS },
      ...{ segmentMs: cdn.segmentMs, cdnWindowMs: cdn.windowMs, shards: SHARD_COUNT },
    }).toEqual({
      ...{ heartbeatMs: ASSUMED.heartbeatMs, edgeReportMs: ASSUMED.edgeReportMs },
      ...{ fullMark: ASSUMED.fullMark, audienceMs: ASSUMED.audienceMs },
      ...{ segmentMs: ASSUMED.segmentMs, cdnWindowMs: ASSUMED.cdnWindowMs },
      shards: ASSUMED.shards,
    });
    expect(DISPATCH_EDGES_MAX).toBe(EDGES_MAX);
    expect(rooms.leaseMs).toBe(ASSUMED.leaseMs);
    expect(cdn.pollMs).toBe(ASSUMED.cdnPollMs);
    expect(FIRST_SEGMENTS).toBe(ASSUMED.cdnFirstSegments);
    expect(cdn.leadMs).toBe(ASSUMED.segmentLeadMs);
    expect([SHARE, MARGIN_MS]).toEqual([ASSUMED.cdnShownShare, ASSUMED.cdnShownMoreMs]);
  });

  it('P-PLAN-7 files of the CDN reach viewers as late as the bench measured', () => {
    const rows = reportsOf(join(ROOT, 'bench', 'report'))('cdn')[0]!.rows;
    // Where nginx had a core enough: each viewer asks twice a second.
    const carried = rows.filter(
      (row) => row.values['requestsPerSecond']! > 0.995 * 2 * Number(row.case['viewers']),
    );
    expect(carried.length).toBeGreaterThanOrEqual(3);
    const { cdn } = plan({ viewers: '1M', cdn: '1' });
    for (const { values } of carried) {
      expect(Math.abs(cdn!.delayP50Ms / values['delayP50Ms']! - 1)).toBeLessThan(0.1);
      expect(Math.abs(cdn!.delayP99Ms / values['delayP99Ms']! - 1)).toBeLessThan(0.1);
    }
    expect(cdn!.shownMs).toBeGreaterThan(cdn!.delayP99Ms);
  });

  it('P-PLAN-7 files of the CDN are as big as it says', () => {
    for (const count of [20, 60]) {
      const bytes = gzipSync(segmentLines(count)).length;
      expect(Math.abs(segmentBytesOf(count) / bytes - 1), `${count}`).toBeLessThan(0.2);
    }
    const bytes = gzipSync(manifestText()).length;
    expect(Math.abs(ASSUMED.manifestBytes / bytes - 1)).toBeLessThan(0.2);
  });
});

function segmentLines(count: number): string {
  const corpus = new Corpus(3);
  return Array.from({ length: count }, (_, i) => {
    const { user, text, style } = corpus.next();
    const id = `7.${(i + 100_500).toString(36)}`;
    const at = 1_795_000_000_000 + i * 50;
    const head = { id, kind: 'danmaku', lane: 'normal', at, user: { ...user, level: 0 }, text };
    return `${JSON.stringify({ ...head, ...(style && { style }), count: 1 })}\n`;
  }).join('');
}

function manifestText(): string {
  const start = 1_763_670_121_000;
  const segments = Array.from({ length: 10 }, (_, i) => ({
    ...{ sequence: 118 + i, name: `${start + i * 1000}-${118 + i}-1763670000-k3v9x2ab.jsonl` },
    ...{ tick: start + i * 1000, from: start - 987 + i * 1000, to: start - 12 + i * 1000 },
    ...{ online: 1_200_345 + i * 77, count: 20, bytes: 3300 + i * 17 },
    parts: [
      { priority: 0, count: 1, end: 310 + i },
      { priority: 1, count: 17, end: 2900 + i },
      { priority: 2, count: 2, end: 3300 + i * 17 },
    ],
    ...{ shed: 0, hash: `sha256-${hashLike(i)}` },
  }));
  return JSON.stringify({
    ...{ version: 1, room: 'lobby', epoch: 1_763_670_000, run: 'k3v9x2ab', at: start + 2040 },
    ...{ mode: 'on', segmentMs: 1000, ranges: true, first: 118, next: 128, shed: 0 },
    ...{
      through: { epoch: 1_763_660_000, tick: 90_211, frames: 1 },
      until: start + 2012,
      segments,
    },
  });
}

/** 32 bytes that look like a hash's. */
function hashLike(seed: number): string {
  let state = seed * 2_654_435_761 + 1;
  const bytes = Array.from({ length: 32 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
  return Buffer.from(bytes).toString('base64');
}
