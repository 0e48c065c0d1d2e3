/** The budget: strict in every sliding second, shared, passed on, and starving no lane. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import type { RoomSettings } from '../../src/room-settings.js';
import { LANES, type Lane } from '../../src/words.js';
import { dueAt } from '../../room/core/tick.js';
import { T0, Table, lanesWith, offered, room } from '../kit/room-core.js';

type Counts = Record<Lane, number>;

interface Case {
  readonly budgetPerSecond: number;
  readonly tickMs: number;
  readonly shares: readonly [number, number, number, number];
  /** Entries each lane is kept filled up to. */
  readonly level: Readonly<Counts>;
  /** From when on a lane is filled. */
  readonly from: Readonly<Counts>;
  /** Ticks run late by up to this share of a tick. */
  readonly late: number;
  readonly seed: number;
}

interface Sent extends Counts {
  readonly at: number;
}

const STEP_MS = 10;
const LENGTH_MS = 7000;

function lanesOf(shares: Case['shares']): RoomSettings['lanes'] {
  const [control, high, normal, low] = shares;
  const wide = { depth: 100_000, bytes: 1 << 30 };
  return lanesWith({
    control: { share: control, ...wide },
    high: { share: high, ...wide },
    normal: { share: normal, ...wide },
    low: { share: low, ...wide },
  });
}

/** Runs a room whose lanes are kept filled, ticking when due or up to `late` ticks later. */
function run(given: Case): Sent[] {
  const { budgetPerSecond, tickMs, level, from } = given;
  const lanes = lanesOf(given.shares);
  const table = new Table(
    room({ budgetPerSecond, tickMs, lanes, laneWaitMs: 10_000, audience: [] }),
  );
  const random = seededRandom(given.seed);
  const sent: Sent[] = [];
  let number = 0;
  let lateMs = 0;
  for (let now = T0; now < T0 + LENGTH_MS; now += STEP_MS) {
    for (const lane of LANES) {
      if (now - T0 < from[lane]) continue;
      const missing = level[lane] - table.state.lanes[lane].entries.length;
      for (let i = 0; i < missing; i++) table.offer(offered(lane, `${number++}`), now);
    }
    if (dueAt(table.state, now) > now || dueAt(table.state, now - lateMs) > now - lateMs) continue;
    const { keep, drop } = table.tick(now);
    const counts: Counts = { control: 0, high: 0, normal: 0, low: 0 };
    for (const { publication } of [...keep, ...drop]) counts[publication.lane] += 1;
    sent.push({ at: now, ...counts });
    lateMs = Math.floor((random.next() * given.late * tickMs) / STEP_MS) * STEP_MS;
  }
  return sent;
}

function within(sent: readonly Sent[], from: number, to: number, lanes: readonly Lane[]): number {
  let sum = 0;
  for (const tick of sent)
    if (tick.at >= from && tick.at < to) for (const l of lanes) sum += tick[l];
  return sum;
}

const PACED: readonly Lane[] = ['high', 'normal', 'low'];

const shares = fc
  .tuple(fc.integer({ min: 0, max: 30 }), fc.nat(10), fc.nat(10), fc.nat(10))
  .filter(([, high, normal, low]) => high + normal + low > 0)
  .map(([control, high, normal, low]): Case['shares'] => {
    const rest = 100 - control;
    const parts = high + normal + low;
    const first = Math.floor((rest * high) / parts);
    const second = Math.floor((rest * normal) / parts);
    return [control, first, second, rest - first - second];
  });
const backlog = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 }), fc.constant(120));
const cases: fc.Arbitrary<Case> = fc.record({
  budgetPerSecond: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 100 })),
  tickMs: fc.constantFrom(20, 50, 100, 130, 200, 300, 500),
  shares,
  level: fc.record({
    control: fc.constantFrom(0, 0, 1),
    high: backlog,
    normal: backlog,
    low: backlog,
  }),
  from: fc.record({
    control: fc.constant(0),
    high: fc.constantFrom(0, 0, 1500),
    normal: fc.constantFrom(0, 0, 1500),
    low: fc.constantFrom(0, 0, 1500),
  }),
  late: fc.constantFrom(0, 0, 0.5, 1),
  seed: fc.nat(1000),
});
const RUNS = { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 40), seed: 20_260_101 };

describe('properties', () => {
  it('R-TICK-1 no sliding second holds more than the budget, control apart', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const sent = run(given);
        for (const { at } of sent) {
          expect(within(sent, at, at + 1000, PACED)).toBeLessThanOrEqual(given.budgetPerSecond);
        }
      }),
      RUNS,
    );
  });

  it('R-TICK-3 with enough waiting every second that ends in a tick is full', () => {
    const saturated = { control: 0, high: 120, normal: 120, low: 120 };
    const from = { control: 0, high: 0, normal: 0, low: 0 };
    fc.assert(
      fc.property(cases, fc.constantFrom(...PACED), (given, only) => {
        const level = given.seed % 2 === 0 ? saturated : { ...from, [only]: 120 };
        const sent = run({ ...given, late: 0, level, from });
        // Whole publications of a fractional credit: up to 3 % may be a tick late.
        const full = Math.floor(given.budgetPerSecond * 0.97);
        for (const { at } of sent.filter((tick) => tick.at >= T0 + 2000)) {
          expect(within(sent, at - 1000 + STEP_MS / 2, at + 1, PACED)).toBeGreaterThanOrEqual(full);
        }
        if (1000 % given.tickMs !== 0) return;
        const five = within(sent, T0 + 2000, T0 + 7000, PACED);
        expect(five).toBeGreaterThanOrEqual(Math.floor(5 * given.budgetPerSecond * 0.97));
      }),
      RUNS,
    );
  });

  it('R-TICK-4 a lane that waits gets at least its share over every two seconds', () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(...PACED), (given, lane) => {
        // Later ticks leave too few of them in two seconds for whole publications to come out even.
        const late = given.tickMs <= 200 ? given.late : 0;
        const sent = run({ ...given, late, level: { ...given.level, [lane]: 120 } });
        const index = LANES.indexOf(lane);
        const share = Math.floor((given.shares[index]! * given.budgetPerSecond) / 100);
        const first = T0 + given.from[lane];
        for (let start = first; start + 2000 <= T0 + LENGTH_MS; start += 50) {
          expect(within(sent, start, start + 2000, [lane])).toBeGreaterThanOrEqual(share);
        }
      }),
      RUNS,
    );
  });
});

describe('tables', () => {
  const even: Case = {
    budgetPerSecond: 60,
    tickMs: 100,
    shares: [10, 30, 50, 10],
    level: { control: 0, high: 120, normal: 120, low: 120 },
    from: { control: 0, high: 0, normal: 0, low: 0 },
    late: 0,
    seed: 1,
  };
  const perSecond = (given: Case): number[] => {
    const sent = run(given);
    return LANES.map((lane) => within(sent, T0 + 2000, T0 + 7000, [lane]) / 5);
  };

  it.each<[string, Partial<Case>, readonly number[]]>([
    ['R-TICK-3 all wait: control passes its share to high', {}, [0, 24, 30, 6]],
    [
      'R-TICK-3 high does not wait: its share goes to normal',
      { level: { control: 0, high: 0, normal: 120, low: 120 } },
      [0, 0, 54, 6],
    ],
    [
      'R-TICK-3 only low waits: it gets everything',
      { level: { control: 0, high: 0, normal: 0, low: 120 } },
      [0, 0, 0, 60],
    ],
  ])('%s', (_title, change, expected) => {
    perSecond({ ...even, ...change }).forEach((rate, index) => {
      expect(Math.abs(rate - expected[index]!)).toBeLessThanOrEqual(1);
    });
  });

  it('R-TICK-4 a flood of control takes no more than its share from the others', () => {
    const [control, high, normal, low] = perSecond({
      ...even,
      level: { ...even.level, control: 9 },
    });
    expect(control).toBeGreaterThan(100);
    expect(high! + normal! + low!).toBeGreaterThanOrEqual(53);
    expect(normal).toBeGreaterThanOrEqual(29);
    expect(low).toBeGreaterThanOrEqual(5);
  });

  it('R-TICK-4 a small share is not outweighed by the credit of large ones', () => {
    const sent = run({
      ...even,
      budgetPerSecond: 17,
      tickMs: 200,
      shares: [0, 6, 46, 48],
      from: { control: 0, high: 0, normal: 1500, low: 1500 },
    });
    for (let start = T0; start + 2000 <= T0 + LENGTH_MS; start += 50) {
      expect(within(sent, start, start + 2000, ['high'])).toBeGreaterThanOrEqual(1);
    }
  });

  it('R-TICK-1 a burst after quiet is spread over ticks', () => {
    const sent = run(even);
    const perTick = sent.slice(0, 10).map((tick) => within([tick], 0, Infinity, PACED));
    expect(Math.max(...perTick)).toBeLessThanOrEqual(12);
    expect(perTick.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(60);
  });

  it('R-TICK-3 a stall is not followed by more than two ticks of credit', () => {
    const table = new Table(room({ audience: [] }));
    for (let i = 0; i < 500; i++) table.offer(offered('normal', `${i}`), T0);
    table.tick(T0);
    expect(table.tick(T0 + 900).drop.length).toBeLessThanOrEqual(13);
  });
});
