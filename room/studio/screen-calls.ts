/** Owns the studio's calls about words, reviews and callbacks: finds the room of each. */
import { PAGE_MAX } from '../../src/limits.js';
import type { RoomId } from '../../src/ids.js';
import type { ScreenCalls } from '../calls/screen.js';
import { closedError } from '../ends.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';

/** What a studio can ask of what screens the danmaku of the rooms owned here. */
export function screenCalls(rooms: Rooms): ScreenCalls {
  /** Changes of one room come one after another; a closed room takes none. */
  const change = async <T>(id: RoomId, run: (room: Room) => Promise<T>): Promise<T> => {
    const room = await rooms.get(id);
    return room.exclusive(() => {
      if (room.status === 'closed') throw closedError();
      return run(room);
    });
  };
  return {
    words: {
      read: async (id) => (await rooms.get(id)).powers.all.words.view(),
      set: (id, own) => change(id, (room) => room.powers.all.words.set(own)),
      clear: (id) => change(id, (room) => room.powers.all.words.set({ words: [] })),
    },
    reviews: {
      list: async (id, after, limit) => {
        const most = Math.max(1, Math.min(PAGE_MAX, Math.floor(limit)));
        return (await rooms.get(id)).powers.all.reviews.page(after, most);
      },
      approve: async (id, review) => {
        const publication = await (await rooms.get(id)).powers.all.reviews.approve(review);
        return { id: review, action: 'approve', publication };
      },
      reject: async (id, review) => {
        await (await rooms.get(id)).powers.all.reviews.reject(review);
        return { id: review, action: 'reject' };
      },
    },
    callbacks: {
      read: async (id) => (await rooms.get(id)).powers.all.callbacks.view(),
      set: (id, own) => change(id, (room) => room.powers.all.callbacks.set(own)),
      clear: (id) => change(id, (room) => room.powers.all.callbacks.clear()),
    },
  };
}
