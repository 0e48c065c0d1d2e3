/** Changes stored in groups: one commit at a time, nothing shown before it is durable, undone whole. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Draft, Fated } from '../../room/calls/calls.js';
import { GroupChange } from '../../room/powers/group-change.js';
import type { Work } from '../../room/keeper.js';
import type { PowerHost } from '../../room/powers/power.js';
import type { Placed, Ride } from '../../room/senders.js';
import { BarrageError } from '../../src/errors.js';
import type { RoomStatus } from '../../src/words.js';

interface Flight {
  readonly draft: Draft | undefined;
  readonly records: Map<string, string | null>;
  land(fated?: Partial<Fated>): Promise<void>;
  fail(): Promise<void>;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

class Host {
  readonly flights: Flight[] = [];
  roomStatus: RoomStatus = 'open';
  woken = 0;

  readonly power = {
    status: () => this.roomStatus,
    wake: () => void this.woken++,
    post: (draft: Draft, ride: Ride) => this.#fly(draft, (work) => ride(work, {} as Placed)),
    change: (add: (work: Work) => void, kept: () => void) =>
      this.#fly(undefined, (work) => {
        add(work);
        work.after.push(kept);
      }),
  } as unknown as PowerHost;

  get last(): Flight {
    return this.flights.at(-1)!;
  }

  #fly(draft: Draft | undefined, add: (work: Work) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const work = { records: new Map(), after: [] as (() => void)[] };
      add(work as unknown as Work);
      this.flights.push({
        draft,
        records: work.records,
        land: async (fated = {}) => {
          if (fated.verdict === undefined) for (const run of work.after) run();
          resolve({ verdict: 'published', ...fated });
          await turn();
        },
        fail: async () => {
          reject(new BarrageError('store_full', 'no room', { retryAfterMs: 7 }));
          await turn();
        },
      });
    });
  }
}

describe('a group change', () => {
  let host: Host;
  let group: GroupChange<number>;
  let shown: [number, number][];

  beforeEach(() => {
    host = new Host();
    shown = [];
    group = new GroupChange<number>(host.power, 0, {
      everyMs: 100,
      waitingMax: 3,
      names: (_, after) => [`n${after}`],
      record: (state, name) => (name === `n${state}` ? String(state) : null),
      draft: (before, after) => ({ kind: 'x', data: { before, after } }),
      stored: (before, after) => shown.push([before, after]),
    });
  });

  it('R-POWER-7 nobody hears of a change before it is durable, and all of a group hear then', async () => {
    const heard: string[] = [];
    void group.change(1).then(() => heard.push('one'));
    void group.change(2).then(() => heard.push('two'));
    group.step(1000);
    await turn();
    expect([group.state, group.stored, heard, shown]).toEqual([2, 0, [], []]);
    expect(host.flights).toHaveLength(1);
    expect(host.last.draft).toMatchObject({ data: { before: 0, after: 2 } });
    await host.last.land();
    expect([group.stored, heard, shown, group.isIdle]).toEqual([2, ['one', 'two'], [[0, 2]], true]);
  });

  it('R-POWER-7 one commit at a time, and no sooner than the pace', async () => {
    void group.change(1);
    group.step(1000);
    void group.change(2);
    group.step(1050);
    expect([host.flights.length, group.nextAt()]).toEqual([1, Infinity]);
    await host.last.land();
    expect([group.stored, group.isIdle, group.nextAt()]).toEqual([1, false, 1100]);
    group.step(1099);
    expect(host.flights).toHaveLength(1);
    group.step(1100);
    expect(host.last.draft).toMatchObject({ data: { before: 1, after: 2 } });
  });

  it('R-POWER-7 a group that is not stored is undone with what was built on it', async () => {
    const ends: unknown[] = [];
    const end = (error: BarrageError) => ends.push([error.code, error.retryAfterMs]);
    void group.change(1).catch(end);
    group.step(1000);
    void group.change(2).catch(end);
    await host.last.fail();
    expect([group.state, group.stored, group.isIdle]).toEqual([0, 0, true]);
    expect(ends).toEqual([
      ['store_full', 7],
      ['store_full', 7],
    ]);
    // What the store holds of the failed group is not known: the next one settles it.
    void group.change(5);
    group.step(1200);
    expect([...host.last.records]).toEqual([
      ['n1', null],
      ['n5', '5'],
    ]);
  });

  it('R-POWER-7 a publication that is refused undoes the change too', async () => {
    const ended = group.change(1).catch((error: BarrageError) => error);
    group.step(1000);
    await host.last.land({ verdict: 'overloaded', retryAfterMs: 30 });
    expect(await ended).toMatchObject({ code: 'unavailable', retryAfterMs: 30 });
    expect([group.state, shown]).toEqual([0, []]);
  });

  it('R-POWER-7 what waits is bounded, and a room that is gone takes nothing', async () => {
    const codes: string[] = [];
    const end = (error: BarrageError) => codes.push(error.code);
    for (let i = 1; i <= 4; i++) void group.change(i).catch(end);
    await turn();
    expect([codes, group.state]).toEqual([['unavailable'], 3]);
    group.drop();
    void group.change(9).catch(end);
    await turn();
    expect([codes.length, group.nextAt()]).toEqual([5, Infinity]);
  });

  it('R-POWER-7 in a closed room it is stored and not told', async () => {
    host.roomStatus = 'closed';
    group.adopt(1);
    expect(group.save(1000)).toBe(true);
    expect([host.last.draft, [...host.last.records]]).toEqual([undefined, [['n1', '1']]]);
    await host.last.land();
    expect([group.save(1001), group.stored]).toEqual([false, 1]);
  });
});
