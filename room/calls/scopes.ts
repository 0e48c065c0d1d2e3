/**
 * Owns what a studio can ask about whom publications are meant for: users' tags, broadcasts to many
 * rooms, and how far something reached. Data in and data out.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { Verdict } from '../../src/verdict.js';
import type { Draft, RepeatKey } from './calls.js';

export interface TaggedUser {
  readonly user: UserId;
  readonly tags: readonly string[];
}

export type BroadcastScope =
  { readonly zone: string } | { readonly all: true } | { readonly users: readonly UserId[] };

/** `draft.to` narrows it in each room; not together with `users`. */
export interface Broadcast {
  readonly scope: BroadcastScope;
  readonly draft: Draft;
  /** A repeat reaches the rooms that were not reached and publishes nothing twice. */
  readonly key?: RepeatKey;
  /** Only rooms of these shards; absent: of all. */
  readonly shards?: readonly number[];
}

export interface RoomFate {
  readonly room: RoomId;
  readonly verdict: Verdict;
  readonly id: string;
  readonly offset?: number;
}

/** Rooms a broadcast did not come to, by the service that should have brought it there. */
export interface Unreached {
  /** Absent: nobody owned them. */
  readonly member?: string;
  readonly shards: readonly number[];
  readonly code: string;
}

export interface BroadcastAnswer {
  /** Rooms it was meant for. */
  readonly rooms: number;
  /** Ends by verdict; rooms that failed or were passed over are not in it. */
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  /** Droppable, and nobody is in the room. */
  readonly empty: number;
  /** Closed rooms. */
  readonly closed: number;
  readonly failed: number;
  /** Keepable ones, in order of room, the first `ROOM_FATES_MAX`. */
  readonly fates: readonly RoomFate[];
  /** Rooms that failed, the first `FAILURES_MAX`. */
  readonly failures: readonly { readonly room: RoomId; readonly code: string }[];
  /** Of a broadcast to users: the publication's id. */
  readonly id?: string;
  /** Absent: every service answered for its rooms. */
  readonly unreached?: readonly Unreached[];
}
export const ROOM_FATES_MAX = 1000;
export const FAILURES_MAX = 100;

/** Numbers as the edges told them last, summed up; they run behind by about a second. */
export interface DeliveryView {
  readonly id: string;
  /** Users and devices named; 0 when only tags were. */
  readonly targets: number;
  /** Viewers it was handed to. */
  readonly delivered: number;
  readonly acked: number;
  readonly resent: number;
  readonly givenUp: number;
}

export interface ScopeCalls {
  /** Replaces the tags a user has in the room beside those of its token; none takes them away. */
  setTags(room: RoomId, user: UserId, tags: readonly string[]): Promise<TaggedUser>;
  readTags(room: RoomId, user: UserId): Promise<TaggedUser>;
  listTags(
    room: RoomId,
    after: string,
    limit: number,
  ): Promise<{ items: TaggedUser[]; next?: string }>;
  broadcast(broadcast: Broadcast): Promise<BroadcastAnswer>;
  /** `room` undefined: of a broadcast to users. Throws BarrageError `not_found` when not known (any more). */
  delivery(room: RoomId | undefined, id: string): Promise<DeliveryView>;
}
