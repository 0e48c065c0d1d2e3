/** Owns the studio's questions about who is in a room: finds the room of each. */
import { PAGE_MAX } from '../../src/limits.js';
import type { PresenceCalls } from '../calls/presence.js';
import type { Rooms } from '../rooms.js';

/** What a studio can ask about the users of the rooms owned here. */
export function presenceCalls(rooms: Rooms): PresenceCalls {
  return {
    members: async (room, after, limit) => {
      const most = Math.max(1, Math.min(PAGE_MAX, Math.floor(limit)));
      return (await rooms.get(room)).powers.all.presence.members(after, most);
    },
    member: async (room, user) => (await rooms.get(room)).powers.all.presence.member(user),
  };
}
