/**
 * Owns what a poll is and what a vote in it means: options, times, whether a vote may be changed.
 * Every change of a poll gives a new one; who voted is beside it (voters.ts). Knows no store.
 */
import type { UserId } from '../../src/ids.js';
import type { Salt, Voters } from './voters.js';

export const POLL_NAME_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
/** Polls a room holds, ended ones included. */
export const POLLS_MAX = 20;
export const POLL_OPTIONS_MIN = 2;
export const POLL_OPTIONS_MAX = 20;
/** Voters of one poll, and of all running ones of a room together. */
export const POLL_VOTERS_MAX = 1_000_000;
export const ROOM_VOTERS_MAX = 2_000_000;
/** The longest from opening to end, and from making to opening. */
export const POLL_MS_MAX = 30 * 24 * 3_600_000;

export type PollStatus = 'waiting' | 'open' | 'ended';

export interface Poll {
  readonly question: string;
  readonly options: readonly string[];
  /** Whether a user may vote again for another option. */
  readonly isChangeable: boolean;
  readonly votersMax: number;
  /** Unix milliseconds. */
  readonly opensAt: number;
  /** Absent: until it is ended by hand. */
  readonly endsAt?: number;
  readonly status: PollStatus;
  readonly salt: Salt;
  /** Of an ended poll: votes of each option. */
  readonly counts?: readonly number[];
}

export interface PollSpec {
  readonly question: string;
  readonly options: readonly string[];
  readonly changeable?: boolean;
  readonly votersMax?: number;
  readonly opensAt?: number;
  readonly endsAt?: number;
}

export interface PollFlaw {
  readonly field: string;
  readonly rule: string;
}

/** What becomes of a vote. */
export type VoteEnd = 'counted' | 'same' | 'not_open' | 'no_option' | 'voted' | 'full';

/** A poll that waits for its time, or the first rule it breaks. */
export function newPoll(spec: PollSpec, salt: Salt, now: number): Poll | PollFlaw {
  const { question, options, changeable = false, votersMax = POLL_VOTERS_MAX } = spec;
  const opensAt = Math.max(Math.floor(now), spec.opensAt ?? 0);
  const { endsAt } = spec;
  if (new Set(options).size < options.length) return { field: 'options', rule: 'no option twice' };
  if (opensAt > now + POLL_MS_MAX) return { field: 'opensAt', rule: 'within 30 days' };
  if (endsAt !== undefined && endsAt <= opensAt) return { field: 'endsAt', rule: 'after opensAt' };
  if (endsAt !== undefined && endsAt > opensAt + POLL_MS_MAX) {
    return { field: 'endsAt', rule: 'within 30 days of opensAt' };
  }
  const end = endsAt === undefined ? {} : { endsAt };
  const terms = { question, options, isChangeable: changeable, votersMax, opensAt, ...end };
  return { ...terms, status: 'waiting', salt };
}

/** The poll as its times say at `now`; the same one when nothing is due. */
export function advancePoll(poll: Poll, voters: Voters, now: number): Poll {
  if (poll.status === 'waiting' && poll.opensAt <= now) return { ...poll, status: 'open' };
  if (poll.status === 'open' && (poll.endsAt ?? Infinity) <= now) return endPoll(poll, voters);
  return poll;
}

/** When `advancePoll` has something to do (unix milliseconds); Infinity for never. */
export function pollDueAt(poll: Poll): number {
  if (poll.status === 'waiting') return poll.opensAt;
  return poll.status === 'open' ? (poll.endsAt ?? Infinity) : Infinity;
}

/** Ended with the counts as they are; an ended one stays as it is. */
export function endPoll(poll: Poll, voters: Voters): Poll {
  if (poll.status === 'ended') return poll;
  return { ...poll, status: 'ended', counts: [...voters.counts] };
}

export interface Vote {
  readonly user: UserId;
  readonly option: number;
  /** Voters in all running polls of the room. */
  readonly inRoom: number;
}

/** Counts a vote, or says why not. `poll` must be what `advancePoll` makes of it now. */
export function castVote(poll: Poll, voters: Voters, vote: Vote): VoteEnd {
  const { user, option, inRoom } = vote;
  if (poll.status !== 'open') return 'not_open';
  if (!Number.isInteger(option) || option < 0 || option >= poll.options.length) return 'no_option';
  const before = voters.optionOf(user);
  if (before === option) return 'same';
  if (before !== undefined && !poll.isChangeable) return 'voted';
  if (before === undefined && (voters.size >= poll.votersMax || inRoom >= ROOM_VOTERS_MAX)) {
    return 'full';
  }
  voters.vote(user, option);
  return 'counted';
}

export function isPollFlaw(made: Poll | PollFlaw): made is PollFlaw {
  return 'rule' in made;
}
