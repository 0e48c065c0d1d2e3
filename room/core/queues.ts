/**
 * Owns one named queue of a room (mic order): who stands where, who may still come. The first
 * `seats` entries are seated, the rest wait. Every function gives a new state; knows no store.
 */
import type { UserId } from '../../src/ids.js';

export const QUEUE_NAME_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
export const QUEUES_MAX = 20;
export const QUEUE_ENTRIES_MAX = 1000;

export interface QueueEntry {
  readonly id: UserId;
  readonly name?: string;
  /** Unix milliseconds. */
  readonly at: number;
}

export interface Queue {
  /** Number of the newest change. */
  readonly version: number;
  /** Closed: nobody comes in, who is in stays. */
  readonly isOpen: boolean;
  /** Places that are taken by who grabs first; 0: grabbing is off. */
  readonly seats: number;
  readonly max: number;
  /** Whether one who leaves the room leaves the queue. */
  readonly leaveWithRoom: boolean;
  readonly entries: readonly QueueEntry[];
}

export interface QueueTerms {
  readonly isOpen?: boolean;
  readonly seats?: number;
  readonly max?: number;
  readonly leaveWithRoom?: boolean;
}

export type QueueAct =
  | { readonly op: 'join' | 'grab'; readonly user: UserId; readonly name?: string }
  | { readonly op: 'leave'; readonly user: UserId }
  /** The first in line goes. */
  | { readonly op: 'skip' }
  /** `to`: place from 0; past the end means last. */
  | { readonly op: 'move'; readonly user: UserId; readonly to: number }
  | { readonly op: 'clear' };

/** Why an act does nothing. */
export type QueueRefusal = 'closed' | 'full' | 'no_seat' | 'not_in' | 'empty';

export function newQueue(terms: QueueTerms, version: number): Queue {
  const { isOpen = true, seats = 0, max = QUEUE_ENTRIES_MAX, leaveWithRoom = true } = terms;
  return { version, isOpen, seats, max, leaveWithRoom, entries: [] };
}

/** New terms; who is in stays even where `max` shrank under them. */
export function tuneQueue(queue: Queue, terms: QueueTerms): Queue {
  return { ...queue, ...terms, version: queue.version + 1 };
}

/** The queue after an act, the same one when it is so already, or why not. */
export function actInQueue(queue: Queue, act: QueueAct, now: number): Queue | QueueRefusal {
  switch (act.op) {
    case 'join':
      return indexOf(queue, act.user) >= 0 ? queue : enter(queue, act, now);
    case 'grab':
      return grab(queue, act, now);
    case 'leave':
      return leaveQueue(queue, act.user);
    case 'skip':
      return queue.entries.length === 0 ? 'empty' : withEntries(queue, queue.entries.slice(1));
    case 'move':
      return move(queue, act.user, act.to);
    case 'clear':
      return queue.entries.length === 0 ? queue : withEntries(queue, []);
  }
}

export function leaveQueue(queue: Queue, user: UserId): Queue | 'not_in' {
  const at = indexOf(queue, user);
  return at < 0 ? 'not_in' : withEntries(queue, queue.entries.toSpliced(at, 1));
}

/** Place of a user from 0; -1 for one who is not in. */
export function indexOf(queue: Queue, user: UserId): number {
  return queue.entries.findIndex(({ id }) => id === user);
}

/** One who waits behind the seats may grab one; one who is seated has it already. */
function grab(queue: Queue, act: QueueAct & { op: 'join' | 'grab' }, now: number) {
  const at = indexOf(queue, act.user);
  if (at >= 0) return at < queue.seats ? queue : 'no_seat';
  if (!queue.isOpen) return 'closed';
  return queue.entries.length < queue.seats ? enter(queue, act, now) : 'no_seat';
}

function enter(queue: Queue, act: QueueAct & { op: 'join' | 'grab' }, now: number) {
  if (!queue.isOpen) return 'closed';
  if (queue.entries.length >= queue.max) return 'full';
  const name = act.name === undefined ? {} : { name: act.name };
  return withEntries(queue, [...queue.entries, { id: act.user, ...name, at: Math.floor(now) }]);
}

function move(queue: Queue, user: UserId, to: number): Queue | 'not_in' {
  const at = indexOf(queue, user);
  if (at < 0) return 'not_in';
  const rest = queue.entries.toSpliced(at, 1);
  const place = Math.min(to, rest.length);
  if (place === at) return queue;
  return withEntries(queue, rest.toSpliced(place, 0, queue.entries[at]!));
}

function withEntries(queue: Queue, entries: readonly QueueEntry[]): Queue {
  return { ...queue, entries, version: queue.version + 1 };
}
