/** Edges under one address are handed out as one; what they count is one figure. */
import { describe, expect, it } from 'vitest';
import { MergedMeter, counted, COUNTED_METRICS_MAX } from '../../src/telemetry/merged-meter.js';
import { Meter, type Metrics } from '../../src/telemetry/meter.js';
import { ask, deskOf, NOW, reportOf } from '../kit/edge-reports.js';
import { RestartPolicy, SOON_ENDS_MAX, SOON_MS } from '../../run/restart-policy.js';
import type { RoomId } from '../../src/ids.js';

const url = 'http://big.example:8080';
const lobby = 'lobby' as RoomId;

describe('edges under one address', () => {
  it('D-DISP-13 are one edge with the place, viewers and rooms of all', () => {
    const desk = deskOf([
      reportOf('b', { url, viewers: 100, busy: 0.2, lagMs: 3, rooms: [[lobby, 80]] }),
      reportOf('a', { url, viewers: 300, busy: 0.4, lagMs: 9, rooms: [[lobby, 200]] }),
      reportOf('other'),
    ]);
    const [merged, other] = desk.table.list('', 10);
    expect(merged!.report).toMatchObject({ edge: 'a', viewers: 400, capacity: 2000, lagMs: 9 });
    expect(merged!.report.busy).toBeCloseTo(0.3);
    expect(merged!.rooms).toEqual([[lobby, 280]]);
    expect([other!.id, desk.table.size, desk.table.viewers]).toEqual(['other', 2, 400]);
    expect(ask(desk).sort()).toEqual(['a', 'other']);
    expect(desk.hear(reportOf('b', { url, viewers: 150 }), NOW + 10)).toBe('taken');
    expect(desk.table.list('', 1)[0]!.report.viewers).toBe(450);
    expect(desk.table.list('', 1)[0]!.rooms).toEqual([[lobby, 280]]);
  });

  it('D-DISP-13 one that ends, drains or falls silent takes its part with it', () => {
    const desk = deskOf([reportOf('a', { url, viewers: 5 }), reportOf('b', { url, viewers: 7 })]);
    desk.hear(reportOf('a', { url, viewers: 5, draining: true }), NOW + 10);
    expect(desk.table.list('', 9).map(({ report }) => [report.edge, report.viewers])).toEqual([
      ['a', 7],
    ]);
    expect(ask(desk, {}, NOW + 10)).toEqual(['a']);
    expect(desk.hear(reportOf('a', { url, gone: true, draining: true }), NOW + 20)).toBe('gone');
    expect(desk.table.list('', 9).map(({ id, report }) => [id, report.viewers])).toEqual([
      ['b', 7],
    ]);
    desk.hear(reportOf('c', { url, viewers: 1 }), NOW + 1000);
    expect(desk.forget(NOW + 3100)).toBe(1);
    expect(desk.table.list('', 9).map(({ id, report }) => [id, report.viewers])).toEqual([
      ['c', 1],
    ]);
    expect(desk.forget(NOW + 4000)).toBe(1);
    expect(desk.table.size).toBe(0);
  });

  it('D-DISP-13 all draining are handed out no more; one that moves to another address is alone', () => {
    const desk = deskOf([reportOf('a', { url }), reportOf('b', { url })]);
    desk.hear(reportOf('a', { url, draining: true }), NOW);
    desk.hear(reportOf('b', { url, draining: true }), NOW);
    expect(ask(desk)).toEqual([]);
    desk.hear(reportOf('b', { url, draining: false }), NOW);
    desk.hear(reportOf('a', { url: 'http://own.example' }), NOW);
    expect(ask(desk).sort()).toEqual(['a', 'b']);
    expect(desk.table.list('', 9).map(({ report }) => report.capacity)).toEqual([1000, 1000]);
  });
});

const valueOf = (metrics: Metrics, name: string, suffix?: string): number | undefined =>
  [...metrics.metrics]
    .find((metric) => metric.name === name)
    ?.read()
    .find((sample) => sample.suffix === suffix && sample.labels['le'] === undefined)?.value;

const processMeter = (count: number) => {
  const meter = new Meter();
  meter.counter('sends_total', 'Sends').add(count);
  meter.counters('ends_total', 'Ends', 'end', ['good', 'bad']).add('bad', count);
  meter.histogram('wait_seconds', 'Waits', [1, 2]).observe(count);
  meter.gauge('open', 'Open', () => count);
  meter.gauge('share', 'Share', () => count, 'mean');
  meter.gauge('up', 'Up', () => count, 'min');
  return meter;
};

describe('what several processes count', () => {
  it('E-PROC-3 adds up: counters, histograms and gauges, means and least where that is meant', () => {
    const own = new Meter();
    own.counter('own_total', 'Own').add(9);
    const merged = new MergedMeter(own);
    merged.take(1, counted(processMeter(1)));
    merged.take(2, counted(processMeter(4)));
    expect(valueOf(merged, 'own_total')).toBe(9);
    expect(valueOf(merged, 'sends_total')).toBe(5);
    expect(valueOf(merged, 'wait_seconds', '_sum')).toBe(5);
    expect(valueOf(merged, 'wait_seconds', '_count')).toBe(2);
    expect(valueOf(merged, 'open')).toBe(5);
    expect(valueOf(merged, 'share')).toBe(2.5);
    expect(valueOf(merged, 'up')).toBe(1);
    expect(merged.valueOf(2, 'open')).toBe(4);
    const ends = [...merged.metrics].find(({ name }) => name === 'ends_total')!.read();
    expect(ends.map(({ labels, value }) => [labels['end'], value])).toEqual([
      ['good', 0],
      ['bad', 5],
    ]);
  });

  it('E-PROC-3 never falls when a process ends and another counts from nothing', () => {
    const merged = new MergedMeter(new Meter());
    merged.take(1, counted(processMeter(3)));
    merged.take(2, counted(processMeter(4)));
    merged.ended(1);
    expect(valueOf(merged, 'sends_total')).toBe(7);
    expect(valueOf(merged, 'open')).toBe(4);
    merged.take(1, counted(processMeter(1)));
    expect(valueOf(merged, 'sends_total')).toBe(8);
    merged.ended(1);
    merged.ended(1);
    expect([valueOf(merged, 'sends_total'), valueOf(merged, 'wait_seconds', '_count')]).toEqual([
      8, 3,
    ]);
  });

  it('E-PROC-3 more than one process can count is not taken', () => {
    const meter = new Meter();
    for (let i = 0; i <= COUNTED_METRICS_MAX; i++) meter.counter(`c${i}_total`, 'One');
    const merged = new MergedMeter(new Meter());
    expect(merged.take(1, counted(meter))).toBe(false);
    expect([...merged.metrics]).toEqual([]);
  });
});

it('E-PROC-4 a worker that ends is started again, later and later when it ends at once, then given up', () => {
  const policy = new RestartPolicy();
  const waits = Array.from({ length: SOON_ENDS_MAX - 1 }, () => policy.ended(SOON_MS - 1));
  expect(waits).toEqual([100, 200, 400, 800].map((afterMs) => ({ afterMs })));
  expect(policy.ended(SOON_MS)).toEqual({ afterMs: 100 });
  for (let i = 1; i < SOON_ENDS_MAX; i++) expect(policy.ended(0)).not.toBe('give up');
  expect(policy.ended(0)).toBe('give up');
});
