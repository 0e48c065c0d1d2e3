/** The admission level: lowered fast when far too much arrives, raised slowly, never too low. */
import { describe, expect, it } from 'vitest';
import { LEVEL_MAX, LEVEL_MIN } from '../../room/core/admission.js';
import { sweep } from '../../room/core/commands.js';
import { ADMISSION_TICK_MS, dueAt } from '../../room/core/tick.js';
import { T0, Table, room, said } from '../kit/room-core.js';

interface Second {
  readonly level: number;
  readonly arrived: number;
  readonly letIn: number;
}

/** A crowd of `demand` danmaku a second, of which edges let the level's share through, one tick late. */
function crowd(table: Table, demand: number, seconds: number, from = T0): Second[] {
  const out: Second[] = [];
  let told = table.state.admission;
  let owed = 0;
  let number = 0;
  for (let second = 0; second < seconds; second++) {
    const before = { ...table.state.verdicts };
    const received = table.state.received;
    for (let step = 0; step < 100; step++) {
      const now = from + second * 1000 + step * 10;
      owed += (demand / 100) * (told / LEVEL_MAX);
      for (; owed >= 1; owed--) table.admit(said(`u${number}`, `${number++}`), now);
      if (step % 10 === 9) told = table.tick(now).admission;
    }
    const arrived = table.state.received - received;
    const refused = table.state.verdicts.rate_limited - before.rate_limited;
    out.push({ level: told, arrived, letIn: arrived - refused });
  }
  return out;
}

const LIMITED = { uplinkPerSecond: 200, uplinkBurst: 50 };

describe('admission level', () => {
  it.each([1000, 5000, 20_000])(
    'E-SAY-5 of %d a second about one and a half times the uplink come through, and the uplink is full',
    (demand) => {
      const settled = crowd(new Table(room(LIMITED)), demand, 20).slice(10);
      for (const { level, arrived, letIn } of settled) {
        expect(level).toBeGreaterThanOrEqual(LEVEL_MIN);
        expect(letIn).toBeGreaterThanOrEqual(198);
        expect(arrived).toBeLessThan(200 * 2.5);
      }
    },
  );

  it('E-SAY-5 what the room can take is let through whole', () => {
    for (const { level } of crowd(new Table(room(LIMITED)), 290, 5)) expect(level).toBe(LEVEL_MAX);
  });

  it('E-SAY-5 the trusted and likes are not what overloads a room', () => {
    const table = new Table(room(LIMITED));
    for (let i = 0; i < 5000; i++) {
      table.admit(said(`h${i}`, `${i}`, { role: 'host' }), T0 + i);
      table.admit(said(`l${i}`, '', { kind: 'like' }), T0 + i);
    }
    expect(table.tick(T0 + 5000).admission).toBe(LEVEL_MAX);
  });

  it('E-SAY-5 a quiet room recovers by itself, telling so every second', () => {
    const table = new Table(room(LIMITED));
    crowd(table, 20_000, 5);
    let now = T0 + 5000;
    const levels = [table.state.admission];
    expect(levels[0]).toBeLessThan(100);
    while (table.state.admission < LEVEL_MAX && levels.length < 500) {
      const due = dueAt(table.state, now);
      expect(due - now).toBeLessThanOrEqual(ADMISSION_TICK_MS);
      now = due;
      levels.push(table.tick(now).admission);
    }
    expect(now).toBeLessThan(T0 + 5000 + 13_000);
    expect(dueAt(table.state, now + 2000)).toBe(Infinity);
    sweep(table.state, now + 5000);
    expect(table.state.meter).toBeUndefined();
  });

  it('E-SAY-5 a long silence restores the level in one step', () => {
    const table = new Table(room(LIMITED));
    crowd(table, 20_000, 5);
    table.admit(said('late', 'hello'), T0 + 3_600_000);
    expect(table.state.admission).toBe(LEVEL_MAX);
  });
});
