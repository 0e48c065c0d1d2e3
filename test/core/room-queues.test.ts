/** One queue: who gets in, who moves where, against a table and a model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  actInQueue,
  indexOf,
  newQueue,
  tuneQueue,
  type Queue,
  type QueueAct,
  type QueueTerms,
} from '../../room/core/queues.js';
import type { UserId } from '../../src/ids.js';

const NOW = 1_000_000;
const by = (op: 'join' | 'grab' | 'leave', user: string): QueueAct => ({
  op,
  user: user as UserId,
});
const ids = (queue: Queue) => queue.entries.map(({ id }) => id as string);

function after(terms: QueueTerms, acts: readonly QueueAct[]): (Queue | string)[] {
  const states: (Queue | string)[] = [];
  let queue = newQueue(terms, 1);
  for (const act of acts) {
    const next = actInQueue(queue, act, NOW);
    states.push(next);
    if (typeof next !== 'string') queue = next;
  }
  return states;
}

function last(terms: QueueTerms, ...acts: QueueAct[]): string[] | string {
  const end = after(terms, acts).at(-1)!;
  return typeof end === 'string' ? end : ids(end);
}

describe('a queue', () => {
  const a = by('join', 'a');
  const b = by('join', 'b');
  const c = by('join', 'c');
  const move = (user: string, to: number): QueueAct => ({ op: 'move', user: user as UserId, to });
  const table: [string, QueueTerms, QueueAct[], string[] | string][] = [
    ['in order of coming', {}, [a, b, c], ['a', 'b', 'c']],
    ['joining twice keeps the place', {}, [a, b, a], ['a', 'b']],
    ['a closed queue lets nobody in', { isOpen: false }, [a], 'closed'],
    ['a full queue lets nobody in', { max: 2 }, [a, b, c], 'full'],
    ['leaving', {}, [a, b, by('leave', 'a')], ['b']],
    ['leaving without being in', {}, [by('leave', 'a')], 'not_in'],
    ['the first goes', {}, [a, b, { op: 'skip' }], ['b']],
    ['nobody to go', {}, [{ op: 'skip' }], 'empty'],
    ['to the front', {}, [a, b, c, move('c', 0)], ['c', 'a', 'b']],
    ['to the middle', {}, [a, b, c, move('a', 1)], ['b', 'a', 'c']],
    ['past the end is last', {}, [a, b, c, move('a', 900)], ['b', 'c', 'a']],
    ['moving one who is not in', {}, [a, move('z', 0)], 'not_in'],
    ['all out', {}, [a, b, { op: 'clear' }], []],
    ['no seats, no grabbing', {}, [by('grab', 'a')], 'no_seat'],
    ['a free seat', { seats: 1 }, [by('grab', 'a')], ['a']],
    ['one late for the seat', { seats: 1 }, [by('grab', 'a'), by('grab', 'b')], 'no_seat'],
    ['seated already', { seats: 1 }, [a, by('grab', 'a')], ['a']],
    ['waiting behind the seats', { seats: 1 }, [a, b, by('grab', 'b')], 'no_seat'],
    ['grabbing in a closed queue', { seats: 1, isOpen: false }, [by('grab', 'a')], 'closed'],
  ];
  it.each(table)('R-QUEUE-1 %s', (_, terms, acts, end) => {
    expect(last(terms, ...acts)).toEqual(end);
  });

  it('R-QUEUE-2 exactly as many grab as seats are free', () => {
    const grabs = Array.from({ length: 100 }, (_, i) => by('grab', `u${i}`));
    const ends = after({ seats: 7 }, grabs);
    expect(ends.filter((end) => typeof end !== 'string')).toHaveLength(7);
    expect(ends.slice(7).every((end) => end === 'no_seat')).toBe(true);
  });

  it('R-QUEUE-4 new terms keep who is in and number the change', () => {
    const queue = after({}, [a, b, c]).at(-1) as Queue;
    const tuned = tuneQueue(queue, { isOpen: false, max: 1 });
    expect([ids(tuned), tuned.version]).toEqual([['a', 'b', 'c'], queue.version + 1]);
    expect(actInQueue(tuned, by('join', 'd'), NOW)).toBe('closed');
  });

  it('R-QUEUE-1 nobody is in twice, the bounds hold, a version is a change, whatever is asked', () => {
    const user = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const act = fc.oneof(
      fc
        .tuple(fc.constantFrom('join', 'grab', 'leave'), user)
        .map(([op, id]) => by(op as 'join', id)),
      fc.tuple(user, fc.nat(8)).map(([id, to]) => move(id, to)),
      fc.constant<QueueAct>({ op: 'skip' }),
    );
    fc.assert(
      fc.property(fc.nat(3), fc.integer({ min: 1, max: 4 }), fc.array(act), (seats, max, acts) => {
        let queue = newQueue({ seats, max }, 1);
        for (const each of acts) {
          const next = actInQueue(queue, each, NOW);
          if (typeof next === 'string') continue;
          expect(new Set(ids(next)).size).toBe(next.entries.length);
          expect(next.entries.length).toBeLessThanOrEqual(max);
          expect(next.version).toBe(next === queue ? queue.version : queue.version + 1);
          if (each.op === 'grab') expect(indexOf(next, each.user)).toBeLessThan(seats);
          queue = next;
        }
      }),
      { numRuns: 300 },
    );
  });
});
