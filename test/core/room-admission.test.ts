/** The admission level: judged by queue wait and uplink overshoot, cut by lane and then by user. */
import { describe, expect, it } from 'vitest';
import {
  admissionRank,
  LEVEL_FULL,
  LEVEL_MIN,
  LEVEL_SPARES_LIKES,
  passesLevel,
  shareOf,
  USER_LEVEL,
  USER_PLACES,
} from '../../src/admission-level.js';
import { seededRandom } from '../../src/random.js';
import { laneOfKind } from '../../src/room-settings.js';
import { countRank, cutFor, emptyHistogram } from '../../room/core/arrival-histogram.js';
import { sweep } from '../../room/core/commands.js';
import { ADMISSION_TICK_MS, dueAt } from '../../room/core/tick.js';
import { earlyRefusal, type KnownRoom } from '../../edge/core/early-refusal.js';
import { edgeRules } from '../../src/room-settings.js';
import { T0, Table, room, said, user } from '../kit/room-core.js';

interface Second {
  readonly level: number;
  readonly offered: number;
  readonly arrived: number;
  readonly letIn: number;
}

interface Demand {
  readonly perSecond: number;
  readonly kind?: string;
  /** What each waited before the room's door. */
  readonly waitedMs?: number;
}

/** Crowds a second long whose edges apply the level, a tick late. */
function crowd(table: Table, demands: readonly Demand[], seconds: number, from = T0): Second[] {
  const out: Second[] = [];
  const owed = demands.map(() => 0);
  let told = table.state.admission;
  let number = 0;
  for (let second = 0; second < seconds; second++) {
    const before = { received: table.state.received, refused: table.state.verdicts.rate_limited };
    let offered = 0;
    for (let step = 0; step < 100; step++) {
      const now = from + second * 1000 + step * 10;
      demands.forEach(({ perSecond, kind = 'danmaku', waitedMs }, i) => {
        for (owed[i]! += perSecond / 100; owed[i]! >= 1; owed[i]!--) {
          const by = `u${number++}`;
          offered += 1;
          const rank = admissionRank(laneOfKind(table.state.settings.kinds, kind), by, now);
          if (!passesLevel(told, rank, kind === 'like')) continue;
          const wait = waitedMs === undefined ? {} : { waitedMs };
          table.admit(said(by, `${number}`, { kind, ...wait }), now);
        }
      });
      if (step % 10 === 9) told = table.tick(now).admission;
    }
    const arrived = table.state.received - before.received;
    const refused = table.state.verdicts.rate_limited - before.refused;
    out.push({ level: told, offered, arrived, letIn: arrived - refused });
  }
  return out;
}

const LIMITED = { uplinkPerSecond: 200, uplinkBurst: 50 };
const WIDE = { uplinkPerSecond: 1_000_000, uplinkBurst: 1_000_000 };
const LOW_FROM = 3 * USER_PLACES;

describe('the level', () => {
  it('R-OVER-1 passes by lane first, then by the place a user draws; control and high always', () => {
    const normal = admissionRank('normal', 'ann', T0);
    expect(passesLevel(normal + 1, normal, false)).toBe(true);
    expect(passesLevel(normal, normal, false)).toBe(false);
    for (const lane of ['control', 'high'] as const) {
      expect(passesLevel(LEVEL_MIN, admissionRank(lane, 'ann', T0), false)).toBe(true);
    }
    expect(passesLevel(LOW_FROM, normal, false)).toBe(true);
    expect(passesLevel(LOW_FROM, admissionRank('low', 'ann', T0), false)).toBe(false);
    expect(passesLevel(LOW_FROM, admissionRank('low', 'ann', T0), true)).toBe(false);
    expect(passesLevel(LEVEL_FULL, admissionRank('low', 'ann', T0), true)).toBe(true);
  });

  it('R-OVER-1 room and edge agree on every user, kind and hour', () => {
    const random = seededRandom(5);
    const settings = room().settings;
    for (let i = 0; i < 5000; i++) {
      const level = LEVEL_MIN + random.below(LEVEL_FULL - LEVEL_MIN);
      const admission = random.next() < 0.5 ? level : level | LEVEL_SPARES_LIKES;
      const now = T0 + random.below(1e9);
      const kind = ['danmaku', 'like', 'chat'][random.below(3)]!;
      const by = `u${random.below(1e6)}`;
      const known: KnownRoom = {
        ...{ status: 'open', bans: new Map(), allowed: new Map(), admission },
        rules: edgeRules(settings),
      };
      const refused = earlyRefusal({ user: user(by), role: 'member', kind }, known, now);
      const rank = admissionRank(laneOfKind(settings.kinds, kind), by, now);
      expect(refused?.verdict).toBe(
        passesLevel(admission, rank, kind === 'like') ? undefined : 'sampled_out',
      );
    }
  });

  it('R-OVER-1 fits the sixteen bits of the envelope, and reads as a share', () => {
    expect(LEVEL_FULL | LEVEL_SPARES_LIKES).toBeLessThan(65_536);
    expect(shareOf(LEVEL_FULL)).toBe(1);
    expect(shareOf((2 * USER_PLACES + USER_PLACES / 4) | LEVEL_SPARES_LIKES)).toBe(0.25);
  });

  it('R-OVER-2 a histogram of one window finds the cut in one step', () => {
    const random = seededRandom(9);
    for (const share of [0.95, 0.5, 0.1, 0.01, 0.001]) {
      const ranks = Array.from(
        { length: 200_000 },
        () => (2 + random.below(2)) * USER_PLACES + random.below(USER_PLACES),
      );
      const histogram = emptyHistogram();
      for (const rank of ranks) countRank(histogram, rank);
      const cut = cutFor(histogram, share * ranks.length, LEVEL_FULL);
      const passed = ranks.filter((rank) => rank < cut).length / ranks.length;
      expect(Math.abs(passed - share)).toBeLessThan(0.06 * share + 1 / USER_PLACES);
    }
  });
});

describe('by uplink overshoot', () => {
  it.each([10, 100, 1000])(
    'R-OVER-4 of %d times the uplink about 1.2 come through, and the uplink is full within 1 %%',
    (times) => {
      const seconds = crowd(new Table(room(LIMITED)), [{ perSecond: 200 * times }], 12);
      for (const { level, arrived } of seconds.slice(2)) {
        expect(level & LEVEL_SPARES_LIKES).toBe(LEVEL_SPARES_LIKES);
        expect(arrived).toBeGreaterThan(200);
        expect(arrived).toBeLessThan(200 * 1.7);
      }
      const letIn = seconds.slice(2).reduce((sum, second) => sum + second.letIn, 0) / 10;
      expect(Math.abs(letIn / 200 - 1)).toBeLessThan(0.01);
    },
  );

  it('R-OVER-4 the first full window lowers the level at once, not step by step', () => {
    const [first] = crowd(new Table(room(LIMITED)), [{ perSecond: 50_000 }], 1);
    expect(shareOf(first!.level)).toBeLessThan(0.01);
  });

  it('E-SAY-5 what the room can take is let through whole', () => {
    for (const { level } of crowd(new Table(room(LIMITED)), [{ perSecond: 290 }], 5)) {
      expect(level).toBe(LEVEL_FULL);
    }
  });

  it('R-OVER-4 trusted users and likes are not what overshoots an uplink, and likes are spared', () => {
    const table = new Table(room(LIMITED));
    for (let i = 0; i < 5000; i++) {
      table.admit(said(`h${i}`, `${i}`, { role: 'host' }), T0 + i);
      table.admit(said(`l${i}`, '', { kind: 'like' }), T0 + i);
    }
    expect(table.tick(T0 + 5000).admission).toBe(LEVEL_FULL);
    const flood = [{ perSecond: 20_000 }, { perSecond: 100, kind: 'like' }];
    crowd(table, flood, 5, T0 + 6000);
    expect(table.ended('counted')).toBe(5000 + 500);
  });

  it('R-OVER-4 when the flood ends the level opens within seconds, telling so every second', () => {
    const table = new Table(room(LIMITED));
    crowd(table, [{ perSecond: 200_000 }], 3);
    expect(shareOf(table.state.admission)).toBeLessThan(0.01);
    const after = crowd(table, [{ perSecond: 150 }], 10, T0 + 3000);
    expect(after.at(-1)!.arrived).toBe(150);
    let now = T0 + 13_000;
    for (let ticks = 0; table.state.admission !== LEVEL_FULL && ticks < 50; ticks++) {
      const due = dueAt(table.state, now);
      expect(due - now).toBeLessThanOrEqual(ADMISSION_TICK_MS);
      now = due;
      table.tick(now);
    }
    expect(now).toBeLessThan(T0 + 20_000);
    for (let second = 1; second <= 12; second++) table.tick(now + 1000 * second);
    sweep(table.state, now + 13_000);
    expect(table.state.meter).toBeUndefined();
    expect(dueAt(table.state, now + 13_000)).toBe(Infinity);
  });

  it('R-OVER-4 a long silence restores the level in one step', () => {
    const table = new Table(room(LIMITED));
    crowd(table, [{ perSecond: 20_000 }], 3);
    table.admit(said('late', 'hello'), T0 + 3_600_000);
    expect(table.state.admission).toBe(LEVEL_FULL);
  });
});

describe('by queue wait', () => {
  it.each([
    ['at 20 ms on average nothing is held back', 20, LEVEL_FULL],
    ['below it neither', 3, LEVEL_FULL],
  ])('R-OVER-2 %s', (_title, waitedMs, level) => {
    const demands = [{ perSecond: 500, waitedMs }];
    expect(crowd(new Table(room(WIDE)), demands, 3).at(-1)!.level).toBe(level);
  });

  it('R-OVER-2 over 20 ms every window lets 5 % less through, from the lowest lane up', () => {
    const demands = [
      { perSecond: 500, waitedMs: 60 },
      { perSecond: 100, kind: 'like', waitedMs: 60 },
    ];
    const seconds = crowd(new Table(room(WIDE)), demands, 12);
    expect(seconds[1]!.level).toBeLessThan(LEVEL_FULL);
    expect(seconds[1]!.level).toBeGreaterThan(LOW_FROM);
    for (let i = 2; i < seconds.length; i++) {
      const ratio = seconds[i]!.arrived / seconds[i - 1]!.arrived;
      expect(ratio).toBeGreaterThan(0.89);
      expect(ratio).toBeLessThan(1);
    }
    expect(seconds[11]!.level).toBeLessThan(LOW_FROM);
    expect(seconds[11]!.arrived / 600).toBeLessThan(0.65);
  });

  it('R-OVER-3 a flood of likes lowers the low lane and no other', () => {
    const table = new Table(room(WIDE));
    const demands = [
      { perSecond: 50, waitedMs: 40 },
      { perSecond: 2500, kind: 'like', waitedMs: 40 },
    ];
    const { level } = crowd(table, demands, 2).at(-1)!;
    expect(level).toBeLessThan(LEVEL_FULL - USER_PLACES / 10);
    expect(level).toBeGreaterThanOrEqual(LOW_FROM);
    expect(shareOf(level)).toBe(1);
  });

  it('R-OVER-2 once the wait is over a window lets 1 % more through, one user level at least', () => {
    const table = new Table(room(WIDE));
    crowd(table, [{ perSecond: 500, waitedMs: 60 }], 15);
    const low = table.state.admission;
    const seconds = crowd(table, [{ perSecond: 500, waitedMs: 1 }], 10, T0 + 15_000);
    for (let i = 1; i < seconds.length; i++) {
      const step = seconds[i]!.level - seconds[i - 1]!.level;
      expect(step).toBeGreaterThanOrEqual(USER_LEVEL);
      expect(step).toBeLessThanOrEqual(USER_PLACES / 100 + 1);
    }
    expect(seconds.at(-1)!.level).toBeGreaterThan(low);
  });

  it.each([1, 10, 19])(
    'R-OVER-2 a room of %d a second holds nothing back however long arrivals wait',
    (perSecond) => {
      const seconds = crowd(new Table(room(WIDE)), [{ perSecond, waitedMs: 500 }], 20);
      for (const { level, arrived, offered } of seconds) {
        expect(level).toBe(LEVEL_FULL);
        expect(arrived).toBe(offered);
      }
    },
  );

  it('R-OVER-2 of twenty a second that wait one is held back, and no room is brought below that', () => {
    const lowered = crowd(new Table(room(WIDE)), [{ perSecond: 20, waitedMs: 500 }], 2);
    expect(shareOf(lowered[1]!.level)).toBeGreaterThan(0.85);
    expect(lowered[1]!.level).toBeLessThan(LOW_FROM);
    const seconds = crowd(new Table(room(WIDE)), [{ perSecond: 200, waitedMs: 500 }], 120);
    const last = seconds.slice(-20).reduce((sum, { arrived }) => sum + arrived, 0) / 20;
    expect(last).toBeGreaterThan(15);
    expect(last).toBeLessThan(30);
  });

  it('R-OVER-2 2,000 arrivals end a window early, yet none is shorter than 100 ms', () => {
    const table = new Table(room(WIDE));
    const before = table.state.admission;
    for (let i = 0; i < 30_000; i++) {
      const arrival = said(`u${i}`, '', { kind: 'like', waitedMs: 500 });
      table.admit(arrival, T0 + i / 400);
    }
    expect(table.state.admission).toBe(before);
    table.admit(said('one', '', { kind: 'like' }), T0 + 100);
    expect(table.state.admission).toBeLessThan(before);
  });
});
