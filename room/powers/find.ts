/**
 * Owns finding publications of a room by id or by user: in the newest window, then in the log from
 * its end. Reads only; how far it looks is bounded.
 */
import { parsePublication } from '../../src/wire/publication.js';
import type { LogEntry } from '../../src/ports/store.js';
import type { Publication } from '../../src/words.js';
import { idPrefix } from '../recent.js';
import type { Room } from '../room.js';

const PAGE = 500;
const PAGE_BYTES = 4 << 20;
/** Log entries looked through for one answer. */
export const SCAN_MAX = 100_000;

/** The publication among the newest or in the log; undefined when it is in neither. */
export async function findPublication(room: Room, id: string): Promise<Publication | undefined> {
  const offset = room.log.recent.offsetOf(id);
  if (offset === 0) return findDroppable(room, id);
  const json = offset === undefined ? await scan(room, id) : await readAt(room, offset, id);
  return json === undefined ? undefined : parsePublication(json);
}

/** Entries of the log's newest `SCAN_MAX`, page by page, each page oldest first. */
export async function* logPages(room: Room): AsyncGenerator<readonly LogEntry[], void, void> {
  const oldest = Math.max(room.log.firstOffset, room.log.nextOffset - SCAN_MAX);
  let end = room.log.nextOffset;
  while (end > oldest) {
    const from = Math.max(oldest, end - PAGE);
    // A page may end early by its bytes.
    for (let next = from; next < end;) {
      const entries = await room.log.read(next, end - next, PAGE_BYTES);
      const last = entries.at(-1);
      if (last === undefined) break;
      yield entries;
      next = last.offset + 1;
    }
    end = from;
  }
}

function findDroppable(room: Room, id: string): Publication | undefined {
  const head = idPrefix(id);
  const entry = room.log.recent.entries.find(
    ([offset, json]) => offset === 0 && json.startsWith(head),
  );
  return entry === undefined ? undefined : parsePublication(entry[1]);
}

async function readAt(room: Room, offset: number, id: string): Promise<string | undefined> {
  const [entry] = await room.log.read(offset, 1, PAGE_BYTES);
  const isIt = entry?.offset === offset && entry.json.startsWith(idPrefix(id));
  return isIt ? entry.json : undefined;
}

async function scan(room: Room, id: string): Promise<string | undefined> {
  const head = idPrefix(id);
  for await (const page of logPages(room)) {
    const found = page.find((entry) => entry.json.startsWith(head));
    if (found !== undefined) return found.json;
  }
  return undefined;
}
