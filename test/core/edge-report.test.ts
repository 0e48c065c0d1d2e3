/** What an edge tells of itself, its bounds, and the tables of addresses that say where a viewer is. */
import { describe, expect, it } from 'vitest';
import { SmoothRate } from '../../edge/core/smooth-rate.js';
import { LoadReports } from '../../edge/load-report.js';
import { EDGE_DEFAULTS, type EdgeTuning } from '../../edge/options.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { reachableHost } from '../../src/adapters/host.js';
import { AddressRanges, isAddress, isRange } from '../../src/address-ranges.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { edgesSubject } from '../../src/subjects.js';
import {
  decodeReport,
  encodeReport,
  REPORT_ROOMS_MAX,
  type EdgeReport,
  type RoomCount,
} from '../../src/wire/edge-report.js';
import { reportOf } from '../kit/edge-reports.js';
import { ManualClock } from '../kit/manual-clock.js';

const room = (name: string, viewers: number): RoomCount => [name as RoomId, viewers];

describe('the report', () => {
  it('E-REPORT-1 is read as it was written', () => {
    const report = reportOf('e1', { region: 'eu-1', busy: 0.5, rooms: [room('lobby', 70)] });
    expect(decodeReport(encodeReport(report))).toEqual(report);
    const last = reportOf('e1', { draining: true, gone: true });
    expect(decodeReport(encodeReport(last))).toEqual(last);
  });

  const broken: [string, unknown][] = [
    ['no object', 7],
    ['nothing', null],
    ['an id with a space', { edge: 'a b' }],
    ['an address of another scheme', { url: 'ftp://a' }],
    ['an address with a path', { url: 'http://a/b' }],
    ['an address with a quote', { url: 'http://a"b' }],
    ['no address', { url: 'http://' }],
    ['a port that is none', { url: 'http://a:99999999' }],
    ['a region with a quote', { region: 'e"u' }],
    ['negative viewers', { viewers: -1 }],
    ['viewers that are no number', { viewers: '1' }],
    ['no place at all', { capacity: 0 }],
    ['more place than there can be', { capacity: 1e9 }],
    ['no load', { busy: null }],
    ['no lateness', { lagMs: undefined }],
    ['a word for draining', { draining: 'yes' }],
    ['gone that is not so', { gone: false }],
    ['a room that is none', { rooms: [['a b', 1]] }],
    ['a room with nobody', { rooms: [['a', 0]] }],
    ['too many rooms', { rooms: Array.from({ length: REPORT_ROOMS_MAX + 1 }, () => ['a', 1]) }],
  ];
  it.each(broken)('E-REPORT-1 %s is refused', (_, more) => {
    const value = typeof more === 'object' && more !== null ? { ...reportOf('e'), ...more } : more;
    expect(decodeReport(Buffer.from(JSON.stringify(value)))).toBeUndefined();
  });

  it('E-REPORT-1 bytes that are no JSON or too many are refused', () => {
    expect(decodeReport(Buffer.from('{'))).toBeUndefined();
    expect(decodeReport(Buffer.from([0xff, 0xfe]))).toBeUndefined();
    const long = { ...reportOf('e'), more: 'x'.repeat(9000) };
    expect(decodeReport(Buffer.from(JSON.stringify(long)))).toBeUndefined();
  });
});

describe('telling', () => {
  function start(tuned: Partial<EdgeTuning> = {}) {
    const clock = new ManualClock();
    const bus = new MemoryBus();
    const told: EdgeReport[] = [];
    bus.subscribe(edgesSubject(), (bytes) => told.push(decodeReport(bytes)!));
    const state = { connections: 0, sentBytes: 0, cpuMs: 0, isDraining: false };
    let biggest: readonly RoomCount[] | undefined;
    const tuning = { ...EDGE_DEFAULTS, ...tuned };
    const reports = new LoadReports({
      ...{ edge: 'e1' as EdgeId, bus, clock, tuning: () => tuning, url: 'http://h:1' },
      sources: {
        connections: () => state.connections,
        sentBytes: () => state.sentBytes,
        cpuMs: () => state.cpuMs,
        isDraining: () => state.isDraining,
        rooms: () => {
          const taken = biggest;
          biggest = undefined;
          return taken;
        },
      },
    });
    /** Goes on step by step, so that the bus delivers in between. */
    const run = async (ms: number, each: () => void = () => undefined) => {
      for (let t = 0; t < ms; t += 5) {
        each();
        clock.advance(5);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const count = (rooms: readonly RoomCount[]) => void (biggest = rooms);
    return { clock, told, state, tuning, reports, run, count };
  }

  it('E-REPORT-2 it reports at its start, at its pace, at once when drained, and when gone', async () => {
    const { told, tuning, reports, run, state } = start();
    await run(1000);
    expect(told.map(({ at }) => at - told[0]!.at)).toEqual([0, 250, 500, 750, 1000]);
    Object.assign(tuning, { reportMs: 50 });
    await run(1000);
    expect(told.length).toBeGreaterThan(5 + 14);
    state.isDraining = true;
    reports.tell();
    await run(5);
    expect(told.at(-1)).toMatchObject({ draining: true });
    expect(told.at(-1)!.gone).toBeUndefined();
    reports.stop();
    await run(1000);
    expect(told.at(-1)).toMatchObject({ draining: true, gone: true });
    const { length } = told;
    await run(1000);
    expect(told.length).toBe(length);
  });

  it('E-REPORT-3 it says where it is and what it takes; what is tuned holds in the next', async () => {
    const { told, tuning, run, state } = start({ connectionsMax: 500 });
    state.connections = 7;
    await run(250);
    expect(told.at(-1)).toMatchObject({ url: 'http://h:1', region: '', viewers: 7, capacity: 500 });
    const next = { advertise: 'https://e.example', region: 'eu', capacity: 300 };
    Object.assign(tuning, next);
    await run(250);
    expect(told.at(-1)).toMatchObject({ url: 'https://e.example', region: 'eu', capacity: 300 });
    Object.assign(tuning, { capacity: 900 });
    await run(250);
    expect(told.at(-1)!.capacity).toBe(500);
  });

  it('E-REPORT-4 load and egress are rates over a second, however often it reports', async () => {
    for (const reportMs of [5, 250, 1000]) {
      const { told, state, run } = start({ reportMs });
      await run(5000, () => {
        state.cpuMs += 2;
        state.sentBytes += 500;
      });
      expect(told.at(-1)!.busy).toBeCloseTo(0.4, 2);
      expect(told.at(-1)!.egressBytesPerSecond).toBeCloseTo(100_000, -2);
    }
  });

  it('E-REPORT-4 a late loop is told, and forgotten after a few reports', async () => {
    const { clock, told, run } = start();
    await run(250);
    expect(told.at(-1)!.lagMs).toBe(0);
    const after = clock.after.bind(clock);
    clock.after = (ms, work) => after(ms + 300, work);
    await run(800);
    expect(told.at(-1)!.lagMs).toBe(300);
    clock.after = after;
    await run(6000);
    expect(told.at(-1)!.lagMs).toBeLessThan(5);
  });

  it('E-REPORT-3 the biggest rooms are told when counted anew and not again', async () => {
    const { told, run, count } = start();
    count([room('big', 900)]);
    await run(250);
    expect(told.at(-1)!.rooms).toEqual([['big', 900]]);
    await run(250);
    expect(told.at(-1)!.rooms).toBeUndefined();
  });

  it('E-REPORT-4 a rate is smooth, never negative, and right from its first look', () => {
    const rate = new SmoothRate(100, 0);
    expect(rate.next(300, 100)).toBe(2);
    expect(rate.next(300, 100)).toBe(2);
    expect(rate.next(300, 1100)).toBeCloseTo(2 * Math.exp(-1), 6);
    expect(rate.next(0, 1200)).toBeGreaterThanOrEqual(0);
  });
});

it('E-REPORT-3 an edge on all addresses advertises one that others reach', () => {
  expect(reachableHost('127.0.0.1')).toBe('127.0.0.1');
  expect(reachableHost('edge.example')).toBe('edge.example');
  expect(reachableHost('::1')).toBe('[::1]');
  for (const host of ['0.0.0.0', '::']) {
    expect(reachableHost(host)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(reachableHost(host)).not.toBe('0.0.0.0');
  }
});

describe('ranges of addresses', () => {
  const ranges = new AddressRanges(
    [
      ['0.0.0.0/0', 'any4'],
      ['10.0.0.0/8', 'ten'],
      ['10.128.0.0/9', 'half'],
      ['10.200.0.7', 'one'],
      ['2001:db8::/33', 'low'],
      ['2001:db8::/32', 'doc'],
      ['::1', 'loop'],
      ['nonsense', 'never'],
      ['10.0.0.0/8', 'second'],
    ].map(([cidr, value]) => ({ cidr: cidr!, value: value! })),
  );
  it.each([
    ['10.1.2.3', 'ten'],
    ['10.200.0.6', 'half'],
    ['10.127.255.255', 'ten'],
    ['10.200.0.7', 'one'],
    ['11.0.0.0', 'any4'],
    ['::ffff:10.1.2.3', 'ten'],
    ['2001:db8:7fff::', 'low'],
    ['2001:db8:8000::', 'doc'],
    ['2001:DB8::1%eth0', 'low'],
    ['::1', 'loop'],
    ['0:0:0:0:0:0:0:1', 'loop'],
    ['2001:db9::', undefined],
    ['', undefined],
    ['10.1.2', undefined],
    ['10.1.2.256', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1::2::3', undefined],
    ['x'.repeat(200), undefined],
  ])('D-DISP-4 %s is in the narrowest range', (address, value) => {
    expect(ranges.find(address)).toBe(value);
  });

  it('D-DISP-4 what is no range or address is known as such', () => {
    for (const good of ['1.2.3.4', '1.2.3.4/0', '::/0', 'fe80::/10', '::ffff:1.2.3.4/24']) {
      expect(isRange(good)).toBe(true);
    }
    for (const bad of ['1.2.3.4/33', '::/129', '1.2.3.4/', '/8', '1.2.3.4/8/9', '1.2.3.4/-1']) {
      expect(isRange(bad)).toBe(false);
    }
    expect(isAddress('1.2.3.4')).toBe(true);
    expect(isAddress('1.2.3.4/8')).toBe(false);
  });
});
