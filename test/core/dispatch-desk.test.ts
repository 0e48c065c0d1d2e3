/** Who is handed which edge: load, prediction, rooms, regions, bounds; all as of a given moment. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EDGES_MAX } from '../../room/dispatch/core/edge-table.js';
import { EDGE_FORGET_MS, type EdgeReport } from '../../src/wire/edge-report.js';
import type { RoomId } from '../../src/ids.js';
import { ask, deskOf, NOW, reportOf, tally } from '../kit/edge-reports.js';

const many = (count: number, more: (i: number) => Partial<EdgeReport> = () => ({})) =>
  Array.from({ length: count }, (_, i) => reportOf(`e${i}`, more(i)));

describe('the table', () => {
  it('D-DISP-1 draining and gone edges are handed out no more, at once', () => {
    const desk = deskOf([reportOf('a'), reportOf('b'), reportOf('c')]);
    expect(ask(desk).sort()).toEqual(['a', 'b', 'c']);
    desk.hear(reportOf('a', { draining: true }), NOW);
    expect(ask(desk).sort()).toEqual(['b', 'c']);
    expect(desk.table.list('', 9).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    desk.hear(reportOf('b', { draining: true, gone: true }), NOW);
    expect(ask(desk)).toEqual(['c']);
    expect(desk.table.size).toBe(2);
    desk.hear(reportOf('a'), NOW);
    expect(ask(desk).sort()).toEqual(['a', 'c']);
    desk.hear(reportOf('nobody', { gone: true, draining: true }), NOW);
    expect(desk.table.size).toBe(2);
  });

  it('D-DISP-1 a silent edge is forgotten after its time and not before', () => {
    const desk = deskOf([reportOf('silent'), reportOf('loud')]);
    desk.hear(reportOf('loud'), NOW + EDGE_FORGET_MS - 1);
    expect(desk.forget(NOW + EDGE_FORGET_MS - 1)).toBe(0);
    expect(desk.forget(NOW + EDGE_FORGET_MS)).toBe(1);
    expect(ask(desk, {}, NOW + EDGE_FORGET_MS)).toEqual(['loud']);
    expect(desk.forget(NOW + 3 * EDGE_FORGET_MS)).toBe(1);
    expect(ask(desk, {}, NOW + 3 * EDGE_FORGET_MS)).toEqual([]);
  });

  it('D-DISP-1 the table is bounded; those known stay and are heard', () => {
    const desk = deskOf(many(EDGES_MAX));
    expect(desk.hear(reportOf('late'), NOW)).toBe('over_bound');
    expect(desk.hear(reportOf('e7', { viewers: 5 }), NOW)).toBe('taken');
    expect(desk.table.size).toBe(EDGES_MAX);
    expect(desk.hear(reportOf('e7', { gone: true, draining: true }), NOW)).toBe('gone');
    expect(desk.hear(reportOf('late'), NOW)).toBe('taken');
  });
});

describe('load', () => {
  const last: [string, Partial<EdgeReport>][] = [
    ['over the mark of its capacity', { viewers: 950 }],
    ['over the mark of its core', { busy: 0.9 }],
    ['late', { lagMs: 400 }],
  ];
  it.each(last)('D-DISP-2 an edge %s comes last', (_, more) => {
    const desk = deskOf([reportOf('bad', more), reportOf('b'), reportOf('c')]);
    for (let i = 0; i < 50; i++) expect(ask(desk)[2]).toBe('bad');
    for (let i = 0; i < 50; i++) expect(ask(desk, { room: `r${i}` })[2]).toBe('bad');
    expect(ask(deskOf([reportOf('bad', more)]))).toEqual(['bad']);
  });

  it('D-DISP-2 a full edge is not handed out; of none left there is none', () => {
    const full = { viewers: 1000 };
    expect(ask(deskOf([reportOf('full', full), reportOf('b')]))).toEqual(['b']);
    expect(ask(deskOf([reportOf('full', full)]))).toEqual([]);
    expect(ask(deskOf([]))).toEqual([]);
  });

  it('D-DISP-2 edges get newcomers by the place they have left', () => {
    const desk = deskOf([
      reportOf('big', { capacity: 30_000 }),
      reportOf('small', { capacity: 10_000 }),
      reportOf('filled', { capacity: 20_000, viewers: 9_500 }),
    ]);
    const counts = tally(500, () => ask(desk)[0]);
    expect(counts.get('big')! / 500).toBeCloseTo(0.6, 1);
    expect(counts.get('small')! / 500).toBeCloseTo(0.2, 1);
    expect(counts.get('filled')! / 500).toBeCloseTo(0.2, 1);
  });

  it('D-DISP-2 count says how many, and those after the first are not the same for all', () => {
    const desk = deskOf(many(8));
    expect(ask(desk, { count: 1 })).toHaveLength(1);
    expect(new Set(ask(desk, { count: 16 })).size).toBe(8);
    const second = tally(200, () => {
      const [first, next] = ask(desk);
      return first === 'e0' ? next : 'other';
    });
    second.delete('other');
    expect(second.size).toBeGreaterThan(3);
  });
});

describe('prediction', () => {
  it('D-DISP-3 between two reports a quiet edge gets its share and no more', () => {
    const busyness = fc.record({
      quiet: fc.integer({ min: 0, max: 300 }),
      others: fc.array(fc.integer({ min: 400, max: 900 }), { minLength: 9, maxLength: 9 }),
      room: fc.boolean(),
    });
    fc.assert(
      fc.property(busyness, ({ quiet, others, room }) => {
        const scale = 10;
        const reports = [quiet, ...others].map((viewers, i) =>
          reportOf(`e${i}`, { viewers: viewers * scale, capacity: 1000 * scale }),
        );
        const desk = deskOf(reports, { roomViewersPerEdge: 1 });
        const free = reports.map(({ viewers }) => 950 * scale - viewers);
        const total = free.reduce((sum, each) => sum + each, 0);
        const counts = tally(1000, () => ask(desk, room ? { room: 'hot' } : {})[0]);
        free.forEach((each, i) => {
          const share = (1000 * each) / total;
          // What is handed out is not free any more: the shares move by a little on the way.
          expect(Math.abs((counts.get(`e${i}`) ?? 0) - share)).toBeLessThan(25 + share * 0.06);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('D-DISP-3 no edge is handed out beyond its capacity, however many ask between reports', () => {
    const desk = deskOf(many(4, (i) => ({ capacity: 100 + 50 * i, viewers: 60 })));
    const counts = tally(5000, () => ask(desk)[0]);
    const capacity = 100 + 150 + 200 + 250 - 4 * 60;
    expect(counts.get('none')! + capacity).toBeGreaterThanOrEqual(5000 - 4 * 16);
    for (let i = 0; i < 4; i++) {
      expect(counts.get(`e${i}`)).toBeLessThanOrEqual(40 + 50 * i + 16);
    }
  });

  it('D-DISP-3 the last calm edge gets what it has place for, whatever the strained ones have', () => {
    const strained = { busy: 0.86, viewers: 10_000, capacity: 20_000 };
    const desk = deskOf([
      reportOf('calm', { ...strained, busy: 0.83 }),
      ...many(50, () => strained),
    ]);
    const counts = tally(20_000, () => ask(desk, { room: 'hot' })[0]);
    // At 0.83 of a core for 10,000 viewers the mark of 0.85 is 241 away.
    expect(counts.get('calm')).toBeGreaterThan(200);
    expect(counts.get('calm')).toBeLessThan(241 + 16 + 20_000 / 51);
  });

  it('D-DISP-3 a report with those handed out counts them once, and who never came is given up', () => {
    const desk = deskOf([reportOf('a')]);
    for (let i = 0; i < 100; i++) ask(desk);
    const entry = desk.table.list('', 1)[0]!;
    expect(entry.handed).toBe(100);
    desk.hear(reportOf('a', { viewers: 60 }), NOW);
    expect(entry.handed).toBe(40);
    desk.hear(reportOf('a', { viewers: 60 }), NOW + 2000);
    expect(entry.handed).toBe(20);
    for (let t = 1; t <= 20; t++) desk.hear(reportOf('a', { viewers: 60 }), NOW + 2000 * (t + 1));
    expect(entry.handed).toBe(0);
  });
});

describe('rooms', () => {
  it('D-DISP-6 a small room is handed one edge, another room another', () => {
    const desk = deskOf(many(20));
    const firsts = new Set<string>();
    for (let r = 0; r < 100; r++) {
      const counts = tally(5, () => ask(desk, { room: `room-${r}` })[0]);
      expect(counts.size).toBe(1);
      firsts.add([...counts.keys()][0]!);
    }
    expect(firsts.size).toBeGreaterThan(14);
  });

  it('D-DISP-6 all services hand a room the same edge; one gone moves only its own rooms', () => {
    const one = deskOf(many(20));
    const other = deskOf([...many(20)].reverse());
    const before = new Map<string, string>();
    for (let r = 0; r < 200; r++) {
      const [first] = ask(one, { room: `room-${r}` });
      expect(ask(other, { room: `room-${r}` })[0]).toBe(first);
      before.set(`room-${r}`, first!);
    }
    one.hear(reportOf('e3', { gone: true, draining: true }), NOW);
    for (const [room, first] of before) {
      if (first === 'e3') expect(ask(one, { room })[0]).not.toBe('e3');
      else expect(ask(one, { room })[0]).toBe(first);
    }
  });

  it('D-DISP-6 an edge far above the mean is passed over even by its rooms', () => {
    const reports = many(10);
    const loaded = deskOf(reports);
    const first = ask(loaded, { room: 'r' })[0]!;
    loaded.hear(reportOf(first, { viewers: 700 }), NOW);
    expect(ask(loaded, { room: 'r' }, NOW + 10)[0]).not.toBe(first);
    for (const { edge } of reports) loaded.hear(reportOf(edge, { viewers: 700 }), NOW + 10);
    expect(ask(loaded, { room: 'r' }, NOW + 20)[0]).toBe(first);
  });

  it.each([
    [1_000, 1],
    [5_000, 4],
    [15_000, 10],
    [60_000, 20],
  ])('D-DISP-7 a room of %i viewers is spread over %i edges', (online, expected) => {
    const rooms = [['hot' as RoomId, online / 20]] as const;
    const desk = deskOf(many(20, () => ({ capacity: 100_000, viewers: online / 20, rooms })));
    const counts = tally(300, () => ask(desk, { room: 'hot', count: 1 })[0]);
    expect(counts.size).toBe(expected);
    expect(Math.max(...counts.values())).toBeLessThan(300 / expected + 10);
  });

  it('D-DISP-7 a storm of joins spreads a room before any edge has told of it', () => {
    const desk = deskOf(many(20, () => ({ capacity: 100_000 })));
    const counts = tally(20_000, () => ask(desk, { room: 'storm', count: 1 })[0]);
    expect(counts.size).toBeGreaterThan(10);
    expect(Math.max(...counts.values())).toBeLessThan(2400);
  });
});

describe('regions', () => {
  const reports = [
    reportOf('eu-1', { region: 'eu' }),
    reportOf('us-1', { region: 'us' }),
    reportOf('asia-1', { region: 'asia' }),
    reportOf('none-1'),
  ];
  const near = [{ region: 'eu', then: ['us'] }];
  const config = {
    near,
    defaultRegion: 'us',
    regionHeader: 'cf-ipcountry',
    headerRegions: [{ value: 'DE', region: 'eu' }],
    regions: [
      { range: '10.0.0.0/8', region: 'asia' },
      { range: '10.1.0.0/16', region: 'eu' },
      { range: '2001:db8::/32', region: 'asia' },
    ],
  };
  it.each([
    ['what the viewer says', { region: 'asia', header: 'DE', address: '10.1.0.1' }, 'asia-1'],
    ['a header by its table', { header: 'DE', address: '10.2.0.1' }, 'eu-1'],
    ['a header that is a region', { header: 'eu', address: '10.2.0.1' }, 'eu-1'],
    ['the narrowest range', { address: '10.1.2.3' }, 'eu-1'],
    ['a range', { address: '::ffff:10.2.0.1' }, 'asia-1'],
    ['a range of IPv6', { address: '2001:db8:1::5' }, 'asia-1'],
    ['the default', { address: '192.0.2.1' }, 'us-1'],
    [
      'a region unknown is passed over',
      { region: 'mars', header: 'XX', address: '10.1.2.3' },
      'eu-1',
    ],
  ])('D-DISP-4 the region is told by %s', (_, where, first) => {
    expect(ask(deskOf(reports, config), where)[0]).toBe(first);
  });

  it('D-DISP-5 a full region overflows to its neighbours in order, then anywhere', () => {
    const desk = deskOf(reports, config);
    const order = () => ask(desk, { region: 'eu', count: 4 });
    expect(order().slice(0, 2)).toEqual(['eu-1', 'us-1']);
    expect(order().slice(2).sort()).toEqual(['asia-1', 'none-1']);
    desk.hear(reportOf('eu-1', { region: 'eu', viewers: 960 }), NOW + 10);
    expect(ask(desk, { region: 'eu', count: 4 }, NOW + 10)[0]).toBe('us-1');
    expect(ask(desk, { region: 'eu', count: 4 }, NOW + 10)[3]).toBe('eu-1');
    desk.hear(reportOf('us-1', { region: 'us', draining: true }), NOW + 20);
    expect(['asia-1', 'none-1']).toContain(ask(desk, { region: 'eu' }, NOW + 20)[0]);
  });

  it('D-DISP-5 a region whose last edge went still knows its neighbours', () => {
    const desk = deskOf(reports, config);
    desk.hear(reportOf('eu-1', { region: 'eu', gone: true, draining: true }), NOW);
    expect(ask(desk, { region: 'eu' })[0]).toBe('us-1');
    desk.hear(reportOf('eu-2', { region: 'eu' }), NOW + 10);
    expect(ask(desk, { region: 'eu' }, NOW + 10)[0]).toBe('eu-2');
  });

  it('D-DISP-4 new settings hold at once', () => {
    const desk = deskOf(reports, config);
    desk.tune({ ...desk.config, regions: [{ range: '192.0.2.0/24', region: 'asia' }] });
    expect(ask(desk, { address: '192.0.2.1' })[0]).toBe('asia-1');
  });
});

it('D-DISP-8 the answer names region, edges with addresses and place left, and CDNs', () => {
  const cdns = [{ id: 'c', url: 'https://cdn.example/x', weight: 3 }];
  const report = reportOf('a', { url: 'https://a.example', region: 'eu', viewers: 250 });
  const desk = deskOf([report], {}, (room, region) =>
    room === 'r' && region === 'eu' ? cdns : [],
  );
  const question = { region: 'eu', count: 3, address: '' };
  expect(JSON.parse(desk.answer({ ...question, room: 'r' as RoomId }, NOW)!)).toEqual({
    region: 'eu',
    edges: [
      { id: 'a', url: 'https://a.example', ws: 'wss://a.example/v1/ws', region: 'eu', weight: 75 },
    ],
    cdns,
  });
  desk.hear({ ...report, viewers: 500, url: 'http://b.example' }, NOW + 10);
  expect(JSON.parse(desk.answer(question, NOW + 10)!)).toMatchObject({
    edges: [{ url: 'http://b.example', ws: 'ws://b.example/v1/ws', weight: 50 }],
    cdns: [],
  });
});

it('D-DISP-14 of a room on the CDN the fact and the time are told, as the region has it, also without an edge', () => {
  const cdn = {
    ...({ mode: 'on', pollMs: 1000, segmentMs: 1000, manifest: 'r/manifest.json' } as const),
    sources: [{ id: 'c', url: 'https://cdn.example/x/', weight: 3 }],
  };
  const desk = deskOf([], {}, undefined, (room, region) =>
    room === 'r' && region === 'eu' ? cdn : undefined,
  );
  const question = { room: 'r' as RoomId, region: 'eu', count: 3, address: '' };
  // A region is known by its edges.
  desk.hear(reportOf('a', { region: 'eu' }), NOW);
  expect(JSON.parse(desk.answer(question, NOW + 0.4)!)).toMatchObject({ cdns: [], now: NOW, cdn });
  for (const other of [{ room: undefined }, { room: 's' as RoomId }, { region: 'us' }]) {
    const answer: unknown = JSON.parse(desk.answer({ ...question, ...other }, NOW)!);
    expect(answer).not.toHaveProperty('cdn');
    expect(answer).not.toHaveProperty('now');
  }
  desk.hear(reportOf('a', { region: 'eu', viewers: 1000 }), NOW + 10);
  expect(desk.answer(question, NOW + 10)).toBeUndefined();
  expect(desk.onCdn(question, NOW + 10)).toEqual({ now: NOW + 10, cdn });
});
