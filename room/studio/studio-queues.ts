/**
 * Owns the studio's calls about queues: names and refusals of a room's queues as a studio knows them.
 * The rules are in core/queues.ts.
 */
import { BarrageError } from '../../src/errors.js';
import type { QueueAsk, QueueCalls, QueuePage, QueuePut, QueueView } from '../calls/queues.js';
import {
  QUEUES_MAX,
  type Queue,
  type QueueAct,
  type QueueRefusal,
  type QueueTerms,
} from '../core/queues.js';
import type { Rooms } from '../rooms.js';

const REFUSALS: Readonly<Record<QueueRefusal, string>> = {
  closed: 'the queue is closed',
  full: 'the queue is full',
  no_seat: 'no seat is free',
  not_in: 'the user is not in the queue',
  empty: 'the queue is empty',
};

export function queueCalls(rooms: Rooms): QueueCalls {
  return {
    list: async (id) => {
      const { queues } = (await rooms.get(id)).powers.all.queues;
      return { queues: queues.map(([name, queue]) => viewOf(name, queue)) };
    },
    read: async (id, name) => {
      const { queues } = (await rooms.get(id)).powers.all.queues;
      const found = queues.find(([each]) => each === name);
      if (found === undefined) throw missing(name);
      return pageOf(name, found[1]);
    },
    put: async (id, name, put) => {
      const made = await (await rooms.getOpen(id)).powers.all.queues.put(name, termsOf(put));
      if (made !== 'full') return pageOf(name, made);
      const rule = `at most ${QUEUES_MAX} queues`;
      throw new BarrageError('conflict', `a room has ${rule}`, { field: 'queue', rule });
    },
    remove: async (id, name) => (await rooms.getOpen(id)).powers.all.queues.remove(name),
    act: async (id, name, ask) => {
      const room = await rooms.getOpen(id);
      const act = actOf(ask);
      const done = await room.powers.all.queues.act(name, act, room.clock.now());
      if (done === undefined) throw missing(name);
      if (typeof done !== 'string') return pageOf(name, done);
      throw new BarrageError('conflict', REFUSALS[done], { rule: done });
    },
  };
}

function actOf({ op, user, name, to }: QueueAsk): QueueAct {
  if (op === 'skip' || op === 'clear') return { op };
  if (user === undefined) throw refuse('user', `given for ${op}`);
  if (op === 'leave') return { op, user };
  if (op !== 'move') return { op, user, ...(name === undefined ? {} : { name }) };
  if (to === undefined) throw refuse('to', 'given for move');
  return { op, user, to };
}

function termsOf({ open, ...terms }: QueuePut): QueueTerms {
  return { ...terms, ...(open === undefined ? {} : { isOpen: open }) };
}

function viewOf(queue: string, held: Queue): QueueView {
  const { isOpen, entries, ...terms } = held;
  return { queue, ...terms, open: isOpen, count: entries.length };
}

function pageOf(queue: string, held: Queue): QueuePage {
  return { ...viewOf(queue, held), entries: held.entries };
}

function missing(queue: string): BarrageError {
  return new BarrageError('not_found', `no queue ${queue.slice(0, 64)}`, { field: 'queue' });
}

function refuse(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
