/**
 * Owns the studio's calls: finds the room of each and puts the answer together. The rules are with
 * the room's parts; this is the list of what can be asked.
 */
import { BarrageError } from '../src/errors.js';
import { PAGE_MAX } from '../src/limits.js';
import type { Store } from '../src/ports/store.js';
import { parsePublication } from '../src/wire/publication.js';
import { ROOM_KIND, type RoomStatus } from '../src/words.js';
import type {
  HistoryPage,
  LimitsChange,
  RoomCalls,
  RoomChange,
  RoomStats,
  RoomView,
} from './calls.js';
import { queuedOf } from './core/state.js';
import { checkDraft } from './drafts.js';
import { closedError } from './ends.js';
import { differences, mergeSettings, patchSettings, type SettingsChange } from './limits.js';
import { recall } from './recalls.js';
import { SETTINGS_RECORD } from './records.js';
import { rideWithKey } from './repeats.js';
import type { Room } from './room.js';
import type { Rooms } from './rooms.js';

/** JSON texts in one page of history. */
const HISTORY_BYTES_MAX = 1 << 20;

/** What a studio can ask of the rooms owned here. */
export function studioCalls(rooms: Rooms, store: Store): RoomCalls {
  return {
    create: async (spec) => (await rooms.create(spec)).view(),
    read: async (room) => (await rooms.get(room)).view(),
    change: async (id, change) => {
      const room = await rooms.get(id);
      return room.exclusive(() => changeRoom(room, change));
    },
    close: async (id) => {
      const room = await rooms.get(id);
      return room.exclusive(() => closeRoom(room));
    },
    list: (after, limit) => listRooms(rooms, store, after, limit),
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
    kick: async (id, user, reason) => {
      const room = await rooms.get(id);
      if (room.status === 'closed') throw closedError();
      if (room.sanctions.has('allowed', user)) {
        throw new BarrageError('conflict', 'an allowed user is not kicked');
      }
      room.note({ note: 'kick', user, reason });
    },
    limits: async (id) => {
      const { settings: effective, own } = await rooms.get(id);
      return { effective, own };
    },
    changeLimits: async (id, patch, dryRun) => {
      const room = await rooms.get(id);
      return room.exclusive(() => changeLimits(room, patch, dryRun));
    },
    stats: async (id) => statsOf(await rooms.get(id)),
  };
}

async function changeRoom(room: Room, change: RoomChange): Promise<RoomView> {
  if (room.status === 'closed') throw closedError();
  const { title, labels, status } = change;
  const more = {
    ...(title === undefined ? {} : { title }),
    ...(labels === undefined ? {} : { labels }),
  };
  if (status !== undefined && status !== room.status) await setStatus(room, status, more);
  else if (Object.keys(more).length > 0) {
    await room.log.change((work) => (work.meta = { ...work.meta, ...more }));
  }
  return room.view();
}

async function closeRoom(room: Room): Promise<RoomView> {
  if (room.status !== 'closed') await setStatus(room, 'closed', {});
  return room.view();
}

/** The status is stored in the commit that logs its control publication; then it holds. */
async function setStatus(
  room: Room,
  status: RoomStatus,
  more: { readonly title?: string; readonly labels?: readonly string[] },
): Promise<void> {
  const fated = await room.post({ kind: ROOM_KIND, lane: 'control', data: { status } }, (work) => {
    work.meta = { ...work.meta, ...more, status };
  });
  if (fated.verdict === 'published') return;
  throw new BarrageError('unavailable', `the change ended as ${fated.verdict}`, {
    retryAfterMs: fated.retryAfterMs ?? 1000,
  });
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

async function changeLimits(
  room: Room,
  patch: SettingsChange,
  dryRun: boolean,
): Promise<LimitsChange> {
  const own = patchSettings(room.defaults, room.own, patch);
  const effective = mergeSettings(room.defaults, own);
  const changed = differences(room.settings, effective);
  if (!dryRun) {
    await room.log.change(
      (work) => work.records.set(SETTINGS_RECORD, JSON.stringify(own)),
      () => room.adoptSettings(room.defaults, own),
    );
  }
  return { effective, own, changed, dryRun };
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
    admission: state.admission / 1000,
  };
}

function limitOf(limit: number): number {
  return Math.max(1, Math.min(PAGE_MAX, Math.floor(limit)));
}
