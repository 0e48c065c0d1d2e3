/**
 * Owns the studio's calls about polls: times as a studio gives them, refusals as errors. The rules
 * are in core/polls.ts.
 */
import { BarrageError } from '../../src/errors.js';
import type { PollCalls, PollPut, PollView } from '../calls/polls.js';
import { isPollFlaw, newPoll, POLLS_MAX, type PollSpec } from '../core/polls.js';
import type { HeldPoll } from '../powers/held-poll.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';

export function pollCalls(rooms: Rooms): PollCalls {
  return {
    list: async (id) => {
      const { polls } = (await rooms.get(id)).powers.all.polls;
      return { polls: polls.map(([name, held]) => viewOf(name, held)) };
    },
    read: async (id, name) => viewOf(name, find(await rooms.get(id), name)),
    create: async (id, name, put) => {
      const room = await rooms.getOpen(id);
      const { clock, polls } = { clock: room.clock, polls: room.powers.all.polls };
      const made = newPoll(specOf(put, clock.now()), polls.newSalt(), clock.now());
      if (isPollFlaw(made)) throw refuse(made.field, made.rule);
      const held = await polls.create(name, made);
      if (typeof held !== 'string') return viewOf(name, held);
      const rule = held === 'full' ? `at most ${POLLS_MAX} polls` : 'a new name';
      throw new BarrageError('conflict', `"poll" must be: ${rule}`, { field: 'poll', rule });
    },
    end: async (id, name) => {
      const held = find(await rooms.getOpen(id), name);
      await held.end();
      return viewOf(name, held);
    },
    remove: async (id, name) => {
      const held = (await rooms.getOpen(id)).powers.all.polls.find(name);
      if (held === undefined) return false;
      await held.remove();
      return true;
    },
  };
}

function specOf({ forMs, ...put }: PollPut, now: number): PollSpec {
  if (forMs === undefined) return put;
  if (put.endsAt !== undefined) throw refuse('endsAt', 'not together with forMs');
  return { ...put, endsAt: Math.ceil(Math.max(now, put.opensAt ?? 0) + forMs) };
}

function find(room: Room, name: string): HeldPoll {
  const held = room.powers.all.polls.find(name);
  if (held === undefined) throw missing(name);
  return held;
}

/** A poll deleted while it was asked for is missing. */
function viewOf(poll: string, held: HeldPoll): PollView {
  const state = held.read();
  if (state === undefined) throw missing(poll);
  return { poll, ...state };
}

function missing(poll: string): BarrageError {
  return new BarrageError('not_found', `no poll ${poll.slice(0, 64)}`, { field: 'poll' });
}

function refuse(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
