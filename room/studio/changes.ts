/**
 * Owns changes of a room's own values: title, labels, status, limits. Stored first, then in force.
 * Who asks is not known here.
 */
import { BarrageError } from '../../src/errors.js';
import { ROOM_KIND, type RoomStatus } from '../../src/words.js';
import type { LimitsChange, RoomChange, RoomView } from '../calls/calls.js';
import { closedError } from '../ends.js';
import { differences, mergeSettings, patchSettings, type SettingsChange } from '../limits.js';
import { SETTINGS_RECORD } from '../records.js';
import type { Room } from '../room.js';

export async function changeRoom(room: Room, change: RoomChange): Promise<RoomView> {
  if (room.status === 'closed') throw closedError();
  const { title, labels, status, streamStart } = change;
  const more = {
    ...(title === undefined ? {} : { title }),
    ...(labels === undefined ? {} : { labels }),
    ...(streamStart === undefined ? {} : { streamStart }),
  };
  if (status !== undefined && status !== room.status) await setStatus(room, status, more);
  else if (Object.keys(more).length > 0) {
    await room.log.change((work) => (work.meta = { ...work.meta, ...more }));
  }
  return room.view();
}

export async function closeRoom(room: Room): Promise<RoomView> {
  if (room.status !== 'closed') await setStatus(room, 'closed', {});
  return room.view();
}

/** The status is stored in the commit that logs its control publication; then it holds. */
async function setStatus(
  room: Room,
  status: RoomStatus,
  more: {
    readonly title?: string;
    readonly labels?: readonly string[];
    readonly streamStart?: number;
  },
): Promise<void> {
  const fated = await room.post({ kind: ROOM_KIND, lane: 'control', data: { status } }, (work) => {
    work.meta = { ...work.meta, ...more, status };
  });
  if (fated.verdict === 'published') return;
  throw new BarrageError('unavailable', `the change ended as ${fated.verdict}`, {
    retryAfterMs: fated.retryAfterMs ?? 1000,
  });
}

export async function changeLimits(
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
