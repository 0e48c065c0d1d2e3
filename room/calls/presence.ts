/**
 * Owns what a studio can ask about who is in a room, as data in and data out. Knows no HTTP and no
 * core.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { Kept } from '../../src/wire/presence.js';

/** A user told as present. */
export interface MemberView {
  readonly user: UserId;
  readonly name?: string;
  readonly level?: number;
  readonly badge?: string;
  /** Unix milliseconds at which it came. */
  readonly since: number;
  /** On all edges; 0 while it may still come back within `presenceLingerMs`. */
  readonly connections: number;
}

export type MemberAnswer =
  | ({ readonly present: true } & MemberView)
  | { readonly present: false; readonly user: UserId; readonly connections: 0 };

export interface MembersPage {
  readonly members: readonly MemberView[];
  /** Users in the room. */
  readonly users: number;
  /** Id to ask after for the next page; absent at the end. */
  readonly next?: string;
}

export interface PresenceStats {
  /** Whether a list of the users is kept, or only numbers. */
  readonly presence: Kept;
  /** Viewers: every connection, guests too. */
  readonly connections: number;
  /** Users in the room; without a list one on two edges counts twice. */
  readonly users: number;
  /** Different users since `uniqueSince`, within about 2 %. */
  readonly uniqueUsers: number;
  /** Unix milliseconds. */
  readonly uniqueSince: number;
}

/** Each rejects with BarrageError; `conflict` with the rule where no list is kept. */
export interface PresenceCalls {
  members(room: RoomId, after: string, limit: number): Promise<MembersPage>;
  member(room: RoomId, user: UserId): Promise<MemberAnswer>;
}
