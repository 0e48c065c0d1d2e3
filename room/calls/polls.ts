/**
 * Owns what a studio can ask of a room's polls, as data in and data out.
 */
import type { RoomId } from '../../src/ids.js';

export interface PollPut {
  readonly question: string;
  readonly options: readonly string[];
  /** Whether a user may vote again for another option. */
  readonly changeable?: boolean;
  /** Users who may vote at most. */
  readonly votersMax?: number;
  /** Unix milliseconds; absent or past: now. */
  readonly opensAt?: number;
  /** Unix milliseconds; absent: until it is ended by hand. */
  readonly endsAt?: number;
  /** In place of `endsAt`: how long it is open. */
  readonly forMs?: number;
}

export interface PollView {
  readonly poll: string;
  readonly question: string;
  readonly options: readonly string[];
  readonly changeable: boolean;
  readonly status: 'waiting' | 'open' | 'ended';
  readonly opensAt: number;
  readonly endsAt?: number;
  /** Votes of each option. */
  readonly counts: readonly number[];
  readonly voters: number;
}

/**
 * Each rejects with BarrageError: `not_found` for a poll that is not there, `conflict` for one that
 * is already or one too many, `invalid`, `closed`, `unavailable`.
 */
export interface PollCalls {
  list(room: RoomId): Promise<{ polls: readonly PollView[] }>;
  read(room: RoomId, poll: string): Promise<PollView>;
  create(room: RoomId, poll: string, put: PollPut): Promise<PollView>;
  /** Ends it now; the counts stay. */
  end(room: RoomId, poll: string): Promise<PollView>;
  /** Whether it was there. */
  remove(room: RoomId, poll: string): Promise<boolean>;
}
