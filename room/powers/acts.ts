/**
 * Owns what the studio, and those it lets, can do to a room, as one list: a moderator's command and
 * a studio's call take the same way. Who may is asked elsewhere.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import type { Publication } from '../../src/words.js';
import type { Kick, Sanction, SanctionKind } from '../calls/calls.js';
import { changeLimits, changeRoom } from '../studio/changes.js';
import { closedError } from '../ends.js';
import { findPublication } from './find.js';
import { recall } from '../studio/recalls.js';
import type { Room } from '../room.js';

export interface RoomActs {
  impose(kind: SanctionKind, sanction: Sanction): Promise<unknown>;
  lift(kind: SanctionKind, user: UserId): Promise<boolean>;
  kick(user: UserId, how: Kick): Promise<void>;
  recall(publication: string): Promise<void>;
  setStatus(status: 'open' | 'frozen'): Promise<unknown>;
  setSlowMode(slowModeMs: number): Promise<unknown>;
  find(publication: string): Promise<Publication | undefined>;
  isAllowed(user: UserId): boolean;
}

export function roomActs(room: Room): RoomActs {
  return {
    impose: async (kind, sanction) => {
      refuseClosed(room);
      return room.sanctions.impose(kind, sanction);
    },
    lift: (kind, user) => room.sanctions.lift(kind, user),
    kick: (user, how) => kick(room, user, how),
    recall: (publication) => recall(room, publication),
    setStatus: (status) => room.exclusive(() => changeRoom(room, { status })),
    setSlowMode: (slowModeMs) =>
      room.exclusive(() => {
        refuseClosed(room);
        return changeLimits(room, { slowModeMs }, false);
      }),
    find: (publication) => findPublication(room, publication),
    isAllowed: (user) => room.sanctions.has('allowed', user),
  };
}

/**
 * Ends the user's connections, then keeps the user out. Throws `conflict` for an allowed user,
 * `closed` for a room that ended.
 */
export async function kick(room: Room, user: UserId, { reason, forMs }: Kick): Promise<void> {
  refuseClosed(room);
  if (room.sanctions.has('allowed', user)) {
    throw new BarrageError('conflict', 'an allowed user is not kicked');
  }
  room.note({ note: 'kick', user, reason });
  if (forMs === undefined) return;
  const until = Math.ceil(room.clock.now() + forMs);
  const held = room.sanctions.endOf('bans', user);
  // A longer ban is not made shorter by a kick.
  if (held !== undefined && (held === 0 || held >= until)) return;
  await room.sanctions.impose('bans', { user, until, reason: reason === '' ? 'kicked' : reason });
}

export function refuseClosed(room: Room): void {
  if (room.status === 'closed') throw closedError();
}
