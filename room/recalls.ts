/**
 * Owns taking a publication back: a tombstone in the log and in what later viewers get, a control
 * publication for those present. Finds publications by id, newest first.
 */
import { BarrageError } from '../src/errors.js';
import { encodePublication, parsePublication } from '../src/wire/publication.js';
import { RECALLED_KIND, RECALL_KIND, type Publication } from '../src/words.js';
import { idPrefix } from './recent.js';
import type { Room } from './room.js';

const PAGE = 500;
const PAGE_BYTES = 4 << 20;
/** Log entries looked through for one recall. */
const SCAN_MAX = 100_000;

/**
 * Recalls the publication; a second time changes nothing. Throws BarrageError `not_found` for an id
 * that is neither among the newest publications nor in the log.
 */
export async function recall(room: Room, id: string): Promise<void> {
  const offset = room.log.recent.offsetOf(id);
  if (offset === 0) return recallDroppable(room, id);
  const json = offset === undefined ? await scan(room, id) : await at(room, offset, id);
  if (json === undefined) {
    throw new BarrageError('not_found', `no publication ${id.slice(0, 80)} in the log`);
  }
  const publication = parsePublication(json);
  if (publication.kind === RECALLED_KIND) return;
  await recallKept(room, publication, publication.offset ?? 0);
}

async function recallKept(room: Room, publication: Publication, offset: number): Promise<void> {
  const { id, lane, at } = publication;
  const json = encodePublication({ id, kind: RECALLED_KIND, lane, offset, at });
  if (room.status === 'closed') {
    // Nobody is present to be told; what is read later must not show it.
    await room.log.change((work) => work.rewrite.push({ offset, json }));
  } else {
    await tell(room, id, () => ({ offset, json }));
  }
  room.meters.recalls.add();
  room.note({ note: 'recall', id, offset, json });
}

async function recallDroppable(room: Room, id: string): Promise<void> {
  room.log.recent.remove(id);
  if (room.status !== 'closed') await tell(room, id, () => undefined);
  room.meters.recalls.add();
  const at = room.clock.now();
  const json = encodePublication({ id, kind: RECALLED_KIND, lane: 'normal', at });
  room.note({ note: 'recall', id, offset: 0, json });
}

async function tell(
  room: Room,
  id: string,
  rewrite: () => { offset: number; json: string } | undefined,
): Promise<void> {
  const fated = await room.post({ kind: RECALL_KIND, lane: 'control', data: { id } }, (work) => {
    const entry = rewrite();
    if (entry !== undefined) work.rewrite.push(entry);
  });
  if (fated.verdict === 'published') return;
  throw new BarrageError('unavailable', `the recall ended as ${fated.verdict}`, {
    retryAfterMs: fated.retryAfterMs ?? 1000,
  });
}

async function at(room: Room, offset: number, id: string): Promise<string | undefined> {
  const [entry] = await room.log.read(offset, 1, PAGE_BYTES);
  const isIt = entry?.offset === offset && entry.json.startsWith(idPrefix(id));
  return isIt ? entry.json : undefined;
}

async function scan(room: Room, id: string): Promise<string | undefined> {
  const head = idPrefix(id);
  const oldest = Math.max(room.log.firstOffset, room.log.nextOffset - SCAN_MAX);
  let end = room.log.nextOffset;
  while (end > oldest) {
    const from = Math.max(oldest, end - PAGE);
    const found = await find(room, from, end, head);
    if (found !== undefined) return found;
    end = from;
  }
  return undefined;
}

/** Looks from `from` up to `end`; a page may end early by its bytes. */
async function find(room: Room, from: number, end: number, head: string) {
  for (let next = from; next < end;) {
    const entries = await room.log.read(next, end - next, PAGE_BYTES);
    const found = entries.find((entry) => entry.json.startsWith(head));
    if (found !== undefined) return found.json;
    const last = entries.at(-1);
    if (last === undefined) return undefined;
    next = last.offset + 1;
  }
  return undefined;
}
