/** The token bucket, and what a room remembers of its users. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fullBucket, takeOne, waitMs } from '../../room/core/quota.js';
import { sweep } from '../../room/core/commands.js';
import {
  emptyUsers,
  findUser,
  forgetIdle,
  rememberedUsers,
  rememberUser,
  USERS_MAX,
} from '../../room/core/users.js';
import { T0, Table, room, said, user } from '../kit/room-core.js';

const quotas = fc.record({
  rate: fc.oneof(fc.double({ min: 0.01, max: 10, noNaN: true }), fc.integer({ min: 1, max: 2000 })),
  burst: fc.integer({ min: 1, max: 100 }),
});
const gaps = fc.array(fc.double({ min: 0, max: 200, noNaN: true }), {
  minLength: 50,
  maxLength: 400,
});
const RUNS = { numRuns: 150, seed: 20_260_102 };

/** Times at which one was let in, of tries after each gap. */
function letIn(rate: number, burst: number, tries: readonly number[]): number[] {
  const bucket = fullBucket(burst, T0);
  return tries.filter((now) => {
    if (waitMs(bucket, rate, burst, now) > 0) return false;
    takeOne(bucket);
    return true;
  });
}

function timesAfter(list: readonly number[]): number[] {
  let now = T0;
  return list.map((gap) => (now += gap));
}

describe('token bucket', () => {
  it('R-ADMIT-7 over any window at most the rate and the burst are let in', () => {
    fc.assert(
      fc.property(quotas, gaps, ({ rate, burst }, list) => {
        const times = letIn(rate, burst, timesAfter(list));
        for (let from = 0; from < times.length; from += 7) {
          for (let to = from; to < times.length; to += 3) {
            const most = burst + ((times[to]! - times[from]!) * rate) / 1000;
            expect(to - from + 1).toBeLessThanOrEqual(most + 1e-6);
          }
        }
      }),
      RUNS,
    );
  });

  it.each([1, 3, 7, 200, 20_000, 1_000_000])(
    'R-ADMIT-7 offered without end, %d a second are let in within one percent',
    (rate) => {
      const seconds = Math.max(0.2, 300 / rate);
      const burst = 2;
      const tries = Math.ceil(rate * seconds * 3);
      const times = Array.from({ length: tries }, (_, i) => T0 + (i * seconds * 1000) / tries);
      const passed = letIn(rate, burst, times).length - burst;
      expect(Math.abs(passed / (rate * seconds) - 1)).toBeLessThan(0.01);
    },
  );

  it('R-ADMIT-6 the wait is exact: one moment sooner is refused, then it is let in', () => {
    fc.assert(
      fc.property(quotas, ({ rate, burst }) => {
        const bucket = fullBucket(burst, T0);
        for (let i = 0; i < burst; i++) takeOne(bucket);
        const wait = waitMs(bucket, rate, burst, T0);
        expect(wait).toBeCloseTo(1000 / rate, 6);
        expect(waitMs({ ...bucket }, rate, burst, T0 + wait * 0.99 - 0.001)).toBeGreaterThan(0);
        expect(waitMs(bucket, rate, burst, T0 + wait + 0.001)).toBe(0);
      }),
      RUNS,
    );
  });

  it('R-ADMIT-6 a clock that stands or goes back gives nothing away', () => {
    const bucket = fullBucket(1, T0);
    takeOne(bucket);
    expect(waitMs(bucket, 1, 1, T0 - 5000)).toBe(1000);
    expect(waitMs(bucket, 1, 1, T0 + 500)).toBe(500);
    expect(waitMs(bucket, 0, 1, T0 + 9999)).toBe(Infinity);
  });

  it('R-SET-1 a smaller burst or rate holds at once', () => {
    const bucket = fullBucket(100, T0);
    expect(waitMs(bucket, 10, 2, T0)).toBe(0);
    takeOne(bucket);
    takeOne(bucket);
    expect(waitMs(bucket, 10, 2, T0)).toBe(100);
    expect(waitMs(bucket, 1, 2, T0)).toBe(1000);
  });
});

describe('users', () => {
  it('R-ADMIT-6 who was refused by the room is not remembered', () => {
    const table = new Table(room({ uplinkPerSecond: 0 }));
    for (let i = 0; i < 100; i++) table.admit(said(`u${i}`, 'x'));
    expect(rememberedUsers(table.state.users)).toBe(0);
  });

  it('R-ADMIT-6 a bounded number is remembered, the latest for certain', () => {
    const users = emptyUsers(T0);
    for (let i = 0; i < 3 * USERS_MAX; i++) rememberUser(users, user(`u${i}`), 5, T0 + i);
    expect(rememberedUsers(users)).toBeLessThanOrEqual(USERS_MAX);
    expect(findUser(users, user('u0'))).toBeUndefined();
    for (let i = 3 * USERS_MAX - USERS_MAX / 2; i < 3 * USERS_MAX; i++) {
      expect(findUser(users, user(`u${i}`))).toBeDefined();
    }
  });

  it('R-ADMIT-6 one who keeps speaking is not forgotten by the sweeps', () => {
    const users = emptyUsers(T0);
    const first = rememberUser(users, user('u'), 5, T0);
    for (let i = 1; i < 10; i++) {
      rememberUser(users, user('u'), 5, T0 + i * 1000);
      forgetIdle(users, 1000, T0 + i * 1000);
      expect(findUser(users, user('u'))).toBe(first);
    }
    forgetIdle(users, 1000, T0 + 11_000);
    forgetIdle(users, 1000, T0 + 12_000);
    expect(findUser(users, user('u'))).toBeUndefined();
  });

  it('R-ADMIT-6 a sweep forgets nobody whose quota is not whole again', () => {
    const table = new Table(room({ userPerSecond: 0.01, userBurst: 2 }));
    table.admit(said('u', 'a'));
    table.admit(said('u', 'b'));
    for (let now = T0; now < T0 + 99_000; now += 30_000) sweep(table.state, now);
    expect(table.admit(said('u', 'c'), T0 + 99_000)?.verdict).toBe('rate_limited');
  });
});
