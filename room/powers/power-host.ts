/**
 * Owns what a room's powers see of the room: a narrow view, so that no power reaches into another's
 * or the room's own books.
 */
import { NO_CDN } from '../cdn/room-cdn.js';
import { roomActs, type RoomActs } from './acts.js';
import type { PowerHost } from './power.js';
import type { Room } from '../room.js';
import type { RoomTools } from '../room-parts.js';
import { Shelf } from './shelf.js';
import { listForWaking } from './wake-list.js';

/** `room` may still be in the making: powers use the host only after they were made. */
export function powerHost(room: Room, tools: RoomTools): PowerHost {
  const { clock, random, log } = tools;
  let acts: RoomActs | undefined;
  return {
    room: room.id,
    clock,
    random,
    log,
    get state() {
      return room.state;
    },
    dropRate: room.frames.dropRate,
    cdn: tools.cdn ?? NO_CDN,
    get fence() {
      return room.fence;
    },
    outside: tools.outside,
    settings: () => room.settings,
    status: () => room.status,
    post: (draft, ride) => room.post(draft, ride),
    change: (add, kept) => room.log.change(add, kept),
    note: (note) => room.note(note),
    get acts() {
      return (acts ??= roomActs(room));
    },
    keepAwake: () => listForWaking(tools.store, room.fence, room.id),
    shelf: (name, bounds) =>
      new Shelf(room.id, name, {
        store: tools.store,
        fence: room.fence,
        bounds,
        lost: () => tools.fenced(room.fence),
      }),
    archiveLost: (count) => tools.meters.archiveLost.add(count),
    show: (changes) => {
      if (changes.length > 0) room.note({ note: 'facts', changes });
    },
    tellOnline: (change) => {
      room.powers.online(change, clock.now());
      room.wake();
    },
    wake: () => room.wake(),
  };
}
