/**
 * Owns the studio's calls: finds the room of each and puts the answer together. The rules are with
 * the room's parts; this is the list of what can be asked.
 */
import { shareOf } from '../../src/admission-level.js';
import type { RoomId } from '../../src/ids.js';
import { PAGE_MAX } from '../../src/limits.js';
import type { Store } from '../../src/ports/store.js';
import { parsePublication } from '../../src/wire/publication.js';
import type { HistoryPage, RoomCalls, RoomStats, RoomView } from '../calls/calls.js';
import type { ScopeCalls } from '../calls/scopes.js';
import { queuedOf } from '../core/state.js';
import { checkDraft } from './drafts.js';
import { kick } from '../powers/acts.js';
import { changeLimits, changeRoom, closeRoom } from './changes.js';
import { closedError } from '../ends.js';
import { orderCalls } from './order-calls.js';
import { presenceCalls } from './presence-calls.js';
import { recall } from './recalls.js';
import { recordCalls } from './record-calls.js';
import { rideWithKey } from './repeats.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';
import { screenCalls } from './screen-calls.js';
import { attributeCalls } from './studio-attributes.js';
import { pollCalls } from './studio-polls.js';
import { queueCalls } from './studio-queues.js';

/** JSON texts in one page of history. */
const HISTORY_BYTES_MAX = 1 << 20;

/** What a studio can ask of the rooms owned here. */
export function studioCalls(
  rooms: Rooms,
  store: Store,
  scopes: ScopeCalls,
): Omit<RoomCalls, 'cdn'> {
  return {
    scopes,
    ...screenCalls(rooms),
    create: async (spec) => (await rooms.create(spec)).view(),
    read: async (room) => (await rooms.get(room)).view(),
    change: async (id, change) => {
      const room = await rooms.get(id);
      const view = await room.exclusive(() => changeRoom(room, change));
      rooms.labels.set(id, view.labels);
      return view;
    },
    close: async (id) => {
      const room = await rooms.get(id);
      return room.exclusive(() => closeRoom(room));
    },
    list: (after, limit) => listRooms(rooms, store, after, limit),
    online: async (ids) => ids.flatMap((id) => rowOf(id, rooms.onlineOf(id))),
    publish: async (id, draft, key) => {
      const room = await rooms.get(id);
      const post = async () => {
        if (room.status === 'closed') throw closedError();
        checkDraft(draft);
        return room.post(draft, key === undefined ? undefined : rideWithKey(key));
      };
      return key === undefined ? post() : room.repeats.once(key, post);
    },
    history: async (id, from, limit) => historyOf(await rooms.get(id), from, limit),
    recall: async (id, publication) => recall(await rooms.get(id), publication),
    impose: async (id, kind, sanction) => (await rooms.get(id)).sanctions.impose(kind, sanction),
    lift: async (id, kind, user) => (await rooms.get(id)).sanctions.lift(kind, user),
    sanctions: async (id, kind, after, limit) =>
      (await rooms.get(id)).sanctions.page(kind, after, limitOf(limit)),
    kick: async (id, user, how) => kick(await rooms.get(id), user, how),
    limits: async (id) => {
      const { settings: effective, own } = await rooms.get(id);
      return { effective, own };
    },
    changeLimits: async (id, patch, dryRun) => {
      const room = await rooms.get(id);
      return room.exclusive(() => changeLimits(room, patch, dryRun));
    },
    stats: async (id) => statsOf(await rooms.get(id)),
    attributes: attributeCalls(rooms),
    queues: queueCalls(rooms),
    polls: pollCalls(rooms),
    orders: orderCalls(rooms),
    records: recordCalls(rooms),
    presence: presenceCalls(rooms),
  };
}

function rowOf(id: RoomId, online: number | undefined): [RoomId, number][] {
  return online === undefined ? [] : [[id, online]];
}

async function listRooms(rooms: Rooms, store: Store, after: string, limit: number) {
  const most = limitOf(limit);
  const ids = await store.listRooms(after, most + 1);
  const views: RoomView[] = [];
  for (const id of ids.slice(0, most)) {
    const view = await rooms.view(id);
    if (view !== undefined) views.push(view);
  }
  const last = ids[most - 1];
  return ids.length > most && last !== undefined ? { rooms: views, next: last } : { rooms: views };
}

async function historyOf(
  room: Room,
  from: number | undefined,
  limit: number,
): Promise<HistoryPage> {
  const most = limitOf(limit);
  const newest = room.log.nextOffset;
  const oldest = room.log.firstOffset;
  const start = Math.max(oldest, from ?? newest - most);
  const entries = await room.log.read(start, most, HISTORY_BYTES_MAX);
  const last = entries.at(-1)?.offset;
  const page = {
    room: room.id,
    epoch: room.fence.epoch,
    publications: entries.map((entry) => parsePublication(entry.json)),
    oldest,
  };
  return last !== undefined && last + 1 < newest ? { ...page, next: last + 1 } : page;
}

function statsOf(room: Room): RoomStats {
  const { state } = room;
  return {
    room: room.id,
    online: state.online,
    epoch: room.fence.epoch,
    offset: room.log.nextOffset - 1,
    tick: room.tick,
    queued: queuedOf(state),
    verdicts: { ...state.verdicts },
    received: state.received,
    likes: state.likes,
    admission: shareOf(state.admission),
    ...room.powers.all.presence.stats(),
  };
}

function limitOf(limit: number): number {
  return Math.max(1, Math.min(PAGE_MAX, Math.floor(limit)));
}
