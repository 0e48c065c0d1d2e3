/** That sampling is fair and rows of the audience do not flap, by statistics with a stated confidence. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { rowFor, NO_ROW } from '../../room/core/audience.js';
import { setOnline } from '../../room/core/commands.js';
import { dueAt } from '../../room/core/tick.js';
import { T0, Table, room, said, user } from '../kit/room-core.js';
import { chiSquare, chiSquareLimit } from '../kit/chi-square.js';

/** A crowd five times what a viewer gets, for `ms`; every sender is another unless told otherwise. */
function flood(table: Table, ms: number, say: (i: number, now: number) => void): string[] {
  const out: string[] = [];
  let i = 0;
  for (let at = 0; at < ms; at++) {
    const now = T0 + at;
    if (at % 10 < 3) say(i++, now);
    if (dueAt(table.state, now) > now) continue;
    for (const { publication } of table.tick(now).drop) out.push(publication.text!);
  }
  return out;
}

describe('sampling under a lasting crowd', () => {
  it('R-TICK-5 the chance is the same wherever in a tick and a second one arrives (p > 0.001)', () => {
    const byPhase = new Array<number>(10).fill(0);
    const bySecond = new Array<number>(30).fill(0);
    for (let seed = 1; seed <= 6; seed++) {
      const table = new Table(room({ audience: [], laneWaitMs: 500 }), seed);
      const sent = flood(table, 34_000, (i, now) => table.admit(said(`u${i}`, `${now - T0}`), now));
      for (const text of sent) {
        const at = Number(text);
        if (at < 2000 || at >= 32_000) continue;
        byPhase[Math.floor((at % 100) / 10)]! += 1;
        bySecond[Math.floor(at / 1000) - 2]! += 1;
      }
    }
    expect(byPhase.reduce((sum, count) => sum + count)).toBeGreaterThan(9000);
    expect(chiSquare(byPhase)).toBeLessThan(chiSquareLimit(9));
    expect(chiSquare(bySecond)).toBeLessThan(chiSquareLimit(29));
  });

  it('R-TICK-5 levels weigh as they say, 1 to 2 (p > 0.001)', () => {
    const levels = [0, 25, 50, 75, 100];
    const counts = levels.map(() => 0);
    for (let round = 0; round < 4000; round++) {
      const table = new Table(room({ budgetPerSecond: 1 }), round);
      for (let i = 0; i < 100; i++) {
        const speaker = { id: user(`u${i}`), level: levels[i % 5]! };
        table.admit(said(`u${i}`, `${i}`, { user: speaker }), T0);
      }
      counts[Number(table.tick(T0).drop[0]!.publication.text) % 5]! += 1;
    }
    const expected = levels.map((level) => (4000 * (1 + level / 100)) / 7.5);
    const statistic = counts.reduce((sum, count, i) => {
      return sum + (count - expected[i]!) ** 2 / expected[i]!;
    }, 0);
    expect(statistic).toBeLessThan(chiSquareLimit(levels.length - 1));
  });

  it.each([1, 2, 4])(
    'R-TICK-5 no user has more than %d places of any tick while enough others wait',
    (places) => {
      const table = new Table(room({ audience: [], perUserPerTick: places }), places);
      const random = seededRandom(places);
      let ticks = 0;
      for (let now = T0; now < T0 + 60_000; now += 100) {
        for (let i = 0; i < 30; i++) table.admit(said('loud', `${now} ${i}`), now);
        for (let i = 0; i < 20; i++) {
          const by = `u${random.below(10_000)}`;
          table.admit(said(by, `${now} ${i} ${by}`), now);
        }
        const taken = new Map<string, number>();
        for (const { publication } of table.tick(now).drop) {
          const by = publication.user!.id;
          taken.set(by, (taken.get(by) ?? 0) + 1);
        }
        if (taken.size > 0) ticks += 1;
        expect(Math.max(0, ...taken.values())).toBeLessThanOrEqual(places);
      }
      expect(ticks).toBeGreaterThan(500);
    },
  );
});

describe('rows of the audience', () => {
  it('R-TICK-9 a crowd that comes and goes around a row changes it once, not again and again', () => {
    const { settings } = room();
    const random = seededRandom(3);
    for (const { viewers } of settings.audience) {
      let row = rowFor(settings, 0, NO_ROW);
      let changes = 0;
      for (let i = 0; i < 5000; i++) {
        const online = Math.round(viewers * (0.92 + 0.16 * random.next()));
        const next = rowFor(settings, online, row);
        if (next !== row && i > 0) changes += 1;
        row = next;
      }
      expect(changes).toBeLessThanOrEqual(1);
    }
  });

  it('R-TICK-9 in a running room the tick does not flap either', () => {
    const audience = [{ viewers: 10_000, budgetPerSecond: 40, tickMs: 200 }];
    const table = new Table(room({ audience }));
    const seen: number[] = [];
    for (let i = 0; i < 200; i++) {
      const now = T0 + 1000 * i;
      setOnline(table.state, i % 2 === 0 ? 10_050 : 9_950, now);
      table.admit(said(`u${i}`, 'a'), now);
      table.tick(now + 500);
      table.admit(said(`v${i}`, 'b'), now + 500);
      seen.push(dueAt(table.state, now + 500) - now - 500);
      table.tick(now + 800);
    }
    expect(new Set(seen)).toEqual(new Set([200]));
  });
});
