/**
 * Owns the studio's orders: finds the room of each and hands it to the power that carries it out.
 */
import { BarrageError } from '../../src/errors.js';
import { PAGE_MAX } from '../../src/limits.js';
import { refuseClosed } from '../powers/acts.js';
import type { Announcement } from '../powers/announcer.js';
import type { AnnouncementView, OrderCalls } from '../calls/orders.js';
import type { Draft } from '../calls/calls.js';
import { checkDraft } from './drafts.js';
import { findPublication } from '../powers/find.js';
import { recall, recallUser } from './recalls.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';

export function orderCalls(rooms: Rooms): OrderCalls {
  return { ...peopleCalls(rooms), ...pinCalls(rooms), ...plannedCalls(rooms) };
}

function peopleCalls(rooms: Rooms) {
  return {
    muteAll: async (id, rule) => (await openRoom(rooms, id)).powers.all.muteAll.impose(rule),
    mutedAll: async (id) => {
      const { rule } = (await rooms.get(id)).powers.all.muteAll;
      if (rule !== undefined) return rule;
      throw new BarrageError('not_found', 'the room is not muted as a whole');
    },
    unmuteAll: async (id) => (await openRoom(rooms, id)).powers.all.muteAll.lift(),
    grantRole: async (id, user, role) =>
      (await openRoom(rooms, id)).powers.all.roles.grant(user, role),
    revokeRole: async (id, user) => (await rooms.get(id)).powers.all.roles.revoke(user),
    roles: async (id, after, limit) =>
      (await rooms.get(id)).powers.all.roles.page(after, Math.min(PAGE_MAX, limit)),
    recallUser: async (id, user) => recallUser(await rooms.get(id), user),
  } satisfies Partial<OrderCalls>;
}

function pinCalls(rooms: Rooms) {
  return {
    pins: async (id) => (await rooms.get(id)).powers.all.pins.pins,
    pin: async (id, publication) => {
      const room = await openRoom(rooms, id);
      const found = await findPublication(room, publication);
      if (found !== undefined) return room.powers.all.pins.pin(found);
      throw new BarrageError('not_found', 'no such publication', { field: 'id' });
    },
    pinDraft: async (id, draft) => {
      const room = await openRoom(rooms, id);
      return room.powers.all.pins.pin(await publishForPin(room, draft));
    },
    unpin: async (id, publication) => (await rooms.get(id)).powers.all.pins.unpin(publication),
  } satisfies Partial<OrderCalls>;
}

function plannedCalls(rooms: Rooms) {
  return {
    drafts: async (id) => (await rooms.get(id)).powers.all.staging.list(),
    stage: async (id, draft, preview) =>
      (await openRoom(rooms, id)).powers.all.staging.add(draft, preview),
    editStaged: async (id, staged, change) =>
      (await openRoom(rooms, id)).powers.all.staging.edit(staged, change),
    publishStaged: async (id, staged) =>
      (await (await openRoom(rooms, id)).powers.all.staging.publish(staged)).fated,
    withdrawStaged: async (id, staged) => {
      const room = await rooms.get(id);
      return room.powers.all.staging.withdraw(staged, (publication) => recall(room, publication));
    },
    announcements: async (id) => (await rooms.get(id)).powers.all.announcer.list().map(viewOf),
    announce: async (id, schedule, draft) =>
      viewOf(await (await openRoom(rooms, id)).powers.all.announcer.add(schedule, draft)),
    removeAnnouncement: async (id, announcement) =>
      (await rooms.get(id)).powers.all.announcer.remove(announcement),
  } satisfies Partial<OrderCalls>;
}

async function openRoom(rooms: Rooms, id: Parameters<Rooms['get']>[0]): Promise<Room> {
  const room = await rooms.get(id);
  refuseClosed(room);
  return room;
}

/** The publication of a draft that went out; what a viewer sees pinned is what was sent. */
async function publishForPin(room: Room, draft: Draft) {
  checkDraft(draft);
  const at = Math.floor(room.clock.now());
  const { id, verdict, lane, retryAfterMs } = await room.post(draft);
  if (id !== '' && (verdict === 'published' || verdict === 'merged')) {
    return { ...draft, id, lane, at };
  }
  throw new BarrageError('unavailable', `it ended as ${verdict}`, {
    retryAfterMs: retryAfterMs ?? 1000,
  });
}

function viewOf({ id, schedule, draft, progress }: Announcement): AnnouncementView {
  const { nextAt, ...counts } = progress;
  return { id, ...schedule, draft, ...counts, ...(nextAt === Infinity ? {} : { nextAt }) };
}
