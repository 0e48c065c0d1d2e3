/** Owns the studio's calls about a room's past: finds the room and asks its log or its archive. */
import { BarrageError } from '../../src/errors.js';
import { parsePublication } from '../../src/wire/publication.js';
import type { LogEntry } from '../../src/ports/store.js';
import type { RecordCalls, RecordPage } from '../calls/records.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';

const PAGE_MAX = 500;
const PAGE_BYTES_MAX = 1 << 20;

export function recordCalls(rooms: Rooms): RecordCalls {
  return {
    recent: async (id) => {
      const room = await rooms.get(id);
      return {
        room: id,
        epoch: room.fence.epoch,
        offset: room.log.nextOffset - 1,
        publications: room.log.recent.entries.map(([, json]) => parsePublication(json)),
      };
    },
    page: async (id, part, from, limit) => {
      const room = await rooms.get(id);
      const most = Math.max(1, Math.min(PAGE_MAX, limit));
      if (part === 'log') return logPage(room, from, most);
      const { entries, next } = await room.powers.all.archive.page(from, most, PAGE_BYTES_MAX);
      return pageOf(entries, next);
    },
    put: async (id, publications) => {
      const room = await rooms.get(id);
      if (!room.settings.archive) {
        const rule = 'the setting `archive` on';
        throw new BarrageError('conflict', 'the room keeps no archive', { field: 'archive', rule });
      }
      await room.powers.all.archive.put(publications);
    },
  };
}

async function logPage(room: Room, from: number, most: number): Promise<RecordPage> {
  const start = Math.max(from, room.log.firstOffset);
  const entries = await room.log.read(start, most, PAGE_BYTES_MAX);
  const last = entries.at(-1)?.offset;
  const isMore = last !== undefined && last + 1 < room.log.nextOffset;
  return pageOf(entries, isMore ? last + 1 : undefined);
}

function pageOf(entries: readonly LogEntry[], next: number | undefined): RecordPage {
  const texts = entries.map(({ offset, json }) => [offset, json] as const);
  return next === undefined ? { entries: texts } : { entries: texts, next };
}
