/** The tick loop, the sum of audiences and the records of a room. */
import { describe, expect, it } from 'vitest';
import { Audience, parseReport } from '../../room/audience.js';
import { decodeRecords, encodeSanction } from '../../room/records.js';
import { TickLoop, type Steppable } from '../../room/tick-loop.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { seededRandom } from '../../src/random.js';
import { Histogram } from '../../src/telemetry/meter.js';
import { ManualClock } from '../kit/manual-clock.js';

const room = 'r' as RoomId;

function newLoop() {
  const clock = new ManualClock(0);
  const late = new Histogram([0.01, 1]);
  const faults: unknown[] = [];
  const loop = new TickLoop(clock, late, (error) => faults.push(error));
  return { clock, late, faults, loop };
}

describe('tick loop', () => {
  it('R-TICK-2 steps every item once, in order of time, at its time', () => {
    const { clock, loop } = newLoop();
    const random = seededRandom(3);
    const seen: [due: number, at: number][] = [];
    for (let i = 0; i < 500; i++) {
      const due = random.below(10_000);
      loop.schedule({ step: (now) => seen.push([due, now]) }, due);
    }
    clock.advance(10_000);
    expect(seen).toHaveLength(500);
    for (const [due, at] of seen) expect(at).toBe(due);
    expect(seen.map(([due]) => due)).toEqual(seen.map(([due]) => due).sort((a, b) => a - b));
  });

  it('R-TICK-2 an earlier time replaces a later one, a later one is passed over', () => {
    const { clock, loop } = newLoop();
    const steps: number[] = [];
    const item: Steppable = { step: (now) => steps.push(now) };
    loop.schedule(item, 100);
    loop.schedule(item, 30);
    loop.schedule(item, 50);
    clock.advance(500);
    expect(steps).toEqual([30]);
  });

  it('R-TICK-7 a late loop catches up once, and says how late it was', () => {
    const { clock, loop, late } = newLoop();
    const steps: number[] = [];
    const item: Steppable = {
      step: (now) => {
        steps.push(now);
        loop.schedule(item, now + 100);
      },
    };
    clock.advance(5000);
    loop.schedule(item, 100);
    clock.advance(0);
    expect(steps).toEqual([5000]);
    expect(late.sum).toBeCloseTo(4.9);
    clock.advance(100);
    expect(steps).toEqual([5000, 5100]);
  });

  it('R-TICK-2 an item that throws or is forgotten stops no other', () => {
    const { clock, loop, faults } = newLoop();
    const steps: string[] = [];
    const forgotten: Steppable = { step: () => steps.push('forgotten') };
    loop.schedule(forgotten, 5);
    const broken = () => {
      throw new Error('broken');
    };
    loop.schedule({ step: broken }, 10);
    loop.schedule({ step: () => steps.push('other') }, 10);
    loop.forget(forgotten);
    clock.advance(20);
    expect(steps).toEqual(['other']);
    expect(faults).toHaveLength(1);
  });
});

describe('audience', () => {
  it('R-TICK-9 is the sum of the last reports; rooms left out count nothing', () => {
    const audience = new Audience();
    expect(audience.report({ edge: 'a', rooms: [[room, 5]] }, 0)).toEqual(new Set([room]));
    audience.report({ edge: 'b', rooms: [[room, 7]] }, 1000);
    expect([audience.of(room), audience.total]).toEqual([12, 12]);
    expect(audience.report({ edge: 'a', rooms: [[room, 5]] }, 1500)).toEqual(new Set());
    expect(audience.forget(1200)).toEqual(new Set([room]));
    expect(audience.of(room)).toBe(5);
    expect(audience.report({ edge: 'a', rooms: [] }, 2000)).toEqual(new Set([room]));
    expect([audience.of(room), audience.total]).toEqual([0, 0]);
  });

  it('R-TICK-9 what is no report is none', () => {
    for (const value of [
      null,
      1,
      {},
      { edge: 'a' },
      { edge: 'a', rooms: [['r', 'x']] },
      { rooms: [] },
    ]) {
      expect(parseReport(value)).toBeUndefined();
    }
    const odd = {
      edge: 'a',
      rooms: [
        ['a b', 5],
        [room, -3],
      ],
    };
    const audience = new Audience();
    audience.report(parseReport(odd)!, 0);
    expect(audience.total).toBe(0);
  });
});

describe('records', () => {
  const meta = JSON.stringify({ title: '', labels: [], status: 'open', createdAt: 1, epochs: [] });

  it('R-KEEP-8 sanctions past their end are left out', () => {
    const sanction = (id: string, until: number) =>
      encodeSanction({ user: id as UserId, until, reason: 'x' });
    const records = new Map([
      ['meta', meta],
      ['mute:a', sanction('a', 0)],
      ['mute:b', sanction('b', 99)],
      ['ban:mute:x', sanction('mute:x', 101)],
    ]);
    const { sanctions } = decodeRecords(room, records, 100);
    expect([...sanctions.mutes.values()]).toEqual([{ user: 'a', until: 0, reason: 'x' }]);
    expect([...sanctions.bans.keys()]).toEqual(['mute:x']);
  });

  it.each([
    [new Map<string, string>(), 'meta'],
    [new Map([['meta', '{']]), 'meta'],
    [
      new Map([
        ['meta', meta],
        ['settings', '7'],
      ]),
      'settings',
    ],
    [
      new Map([
        ['meta', meta],
        ['ban:a b', '{"until":0}'],
      ]),
      'ban:a b',
    ],
  ])('R-KEEP-8 an unreadable record is named (%#)', (records, name) => {
    expect(() => decodeRecords(room, records, 0)).toThrow(`"${name}" is unreadable`);
  });
});
