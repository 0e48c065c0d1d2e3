/**
 * Owns what a studio can ask of a room's queues, as data in and data out.
 */
import type { RoomId, UserId } from '../../src/ids.js';

export interface QueueEntryView {
  readonly id: UserId;
  readonly name?: string;
  /** Unix milliseconds. */
  readonly at: number;
}

export interface QueueView {
  readonly queue: string;
  readonly version: number;
  readonly open: boolean;
  /** Places that are taken by who grabs first; the first of `entries` have them. */
  readonly seats: number;
  readonly max: number;
  readonly leaveWithRoom: boolean;
  readonly count: number;
}

export interface QueuePage extends QueueView {
  readonly entries: readonly QueueEntryView[];
}

export interface QueuePut {
  readonly open?: boolean;
  readonly seats?: number;
  readonly max?: number;
  readonly leaveWithRoom?: boolean;
}

export type QueueOp = 'join' | 'grab' | 'leave' | 'skip' | 'move' | 'clear';

export interface QueueAsk {
  readonly op: QueueOp;
  /** All but `skip` and `clear` name one. */
  readonly user?: UserId;
  readonly name?: string;
  /** Of `move`: place from 0. */
  readonly to?: number;
}

/**
 * Each rejects with BarrageError: `not_found` for a queue that is not there, `invalid`, `conflict`
 * when the queue is closed, full, without a free seat or the user not in it, `closed`, `unavailable`.
 */
export interface QueueCalls {
  list(room: RoomId): Promise<{ queues: readonly QueueView[] }>;
  read(room: RoomId, queue: string): Promise<QueuePage>;
  /** Makes the queue or changes its terms. */
  put(room: RoomId, queue: string, put: QueuePut): Promise<QueuePage>;
  /** Whether it was there. */
  remove(room: RoomId, queue: string): Promise<boolean>;
  act(room: RoomId, queue: string, ask: QueueAsk): Promise<QueuePage>;
}
