/**
 * Owns taking publications back, one by id or all of a user: tombstones in the log, the archive and
 * what later viewers get, a control publication for those present.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import type { LogEntry } from '../../src/ports/store.js';
import { encodeLogged, encodePublication, parsePublication } from '../../src/wire/publication.js';
import { RECALLED_KIND, RECALL_KIND, type Publication } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';
import { findPublication, logPages } from '../powers/find.js';
import type { Room } from '../room.js';

/** Publications of a user taken back in one call; a further call takes the next. */
export const RECALL_USER_MAX = 1000;
/** Ids named to the viewers present; those of older ones no screen shows any more. */
const IDS_TOLD_MAX = 40;

export interface RecalledMany {
  readonly recalled: number;
  /** True: there may be older ones; call again. */
  readonly more: boolean;
}

/**
 * Recalls the publication; a second time changes nothing. Throws BarrageError `not_found` for an id
 * that is neither among the newest publications nor in the log or the archive.
 */
export async function recall(room: Room, id: string): Promise<void> {
  if (room.log.recent.offsetOf(id) === 0) return recallDroppable(room, id);
  const publication = await findPublication(room, id);
  if (publication === undefined) {
    if (await room.powers.all.archive.holds(id)) return recallDroppable(room, id);
    throw new BarrageError('not_found', `no publication ${id.slice(0, 80)} in the log`);
  }
  if (publication.kind === RECALLED_KIND) return;
  await recallKept(room, publication);
  await afterwards(room, [id]);
}

/** Recalls what a user said: in the newest window, the newest log entries and the archive. */
export async function recallUser(room: Room, user: UserId): Promise<RecalledMany> {
  const mark = userMark(user);
  const shown = room.log.recent.entries.filter(
    ([offset, json]) => offset === 0 && isOf(json, mark),
  );
  const droppable = shown.map(([, json]) => parsePublication(json));
  const kept = await keptOf(room, mark);
  const archived = await room.powers.all.archive.recallUser(mark, RECALL_USER_MAX);
  const tombstones = kept.map(tombstoneOf);
  const all = [...kept, ...droppable];
  const ids = all.map(({ id }) => id);
  const open = all.filter(({ to }) => to === undefined).map(({ id }) => id);
  if (ids.length + archived === 0) return { recalled: 0, more: false };
  const rewrite = () => tombstones.map(({ offset, json }) => ({ offset, json }));
  await tell(room, { user, ids: open.slice(0, IDS_TOLD_MAX) }, rewrite);
  for (const { id, offset, json } of tombstones) room.note({ note: 'recall', id, offset, json });
  for (const { id } of droppable) dropFromWindow(room, id);
  room.meters.recalls.add(ids.length);
  await afterwards(room, ids);
  const seen = new Set(droppable.map(({ id }) => id));
  const onlyArchived = Math.max(0, archived - seen.size);
  const more = kept.length >= RECALL_USER_MAX || archived >= RECALL_USER_MAX;
  return { recalled: ids.length + onlyArchived, more };
}

/** How a publication's JSON text names its user: fields are always in the same order. */
export function userMark(user: UserId): string {
  return `"user":{"id":${JSON.stringify(user)}`;
}

/** The mark may also stand in a text or data, so what has it is looked at. */
export function isOf(json: string, mark: string): boolean {
  if (!json.includes(mark)) return false;
  const { user } = parsePublication(json);
  return user !== undefined && mark === userMark(user.id);
}

async function keptOf(room: Room, mark: string): Promise<Publication[]> {
  const out: Publication[] = [];
  for await (const page of logPages(room)) {
    const found = page.filter(({ json }) => isOf(json, mark));
    out.push(...found.reverse().map(({ json }) => parsePublication(json)));
    if (out.length >= RECALL_USER_MAX) break;
  }
  return out.slice(0, RECALL_USER_MAX);
}

async function recallKept(room: Room, publication: Publication): Promise<void> {
  const tombstone = tombstoneOf(publication);
  const { id, offset, json } = tombstone;
  await tell(room, { id }, () => [{ offset, json }], meantOf(publication.to));
  room.meters.recalls.add();
  room.note({ note: 'recall', id, offset, json });
}

async function recallDroppable(room: Room, id: string): Promise<void> {
  await tell(room, { id }, () => []);
  dropFromWindow(room, id);
  room.meters.recalls.add();
  await room.powers.all.archive.recall([id]);
  await afterwards(room, [id]);
}

function dropFromWindow(room: Room, id: string): void {
  room.log.recent.remove(id);
  const at = room.clock.now();
  const json = encodePublication({ id, kind: RECALLED_KIND, lane: 'normal', at });
  room.note({ note: 'recall', id, offset: 0, json });
}

/** Copies of what was recalled go too: among the pins, and what told of the pins. */
async function afterwards(room: Room, ids: readonly string[]): Promise<void> {
  for (const told of await room.powers.all.pins.recalled(ids)) {
    const publication = await findPublication(room, told);
    if (publication !== undefined && publication.kind !== RECALLED_KIND) {
      await recallKept(room, publication);
    }
  }
}

/** Whom a recall is for: those the publication was; nothing of it is acknowledged. */
function meantOf(to: Publication['to']): Pick<Publication, 'to'> {
  if (to === undefined) return {};
  const { validMs: _, ...meant } = to;
  return { to: meant };
}

function tombstoneOf({ id, lane, at, offset = 0, to }: Publication) {
  // Who was not meant learns nothing of it, its end included.
  const json = encodeLogged({ id, kind: RECALLED_KIND, lane, offset, at, ...meantOf(to) });
  return { id, offset, json };
}

/** In a closed room nobody is present to be told; what is read later must not show it. */
async function tell(
  room: Room,
  data: object,
  rewrite: () => LogEntry[],
  meant: Pick<Publication, 'to'> = {},
): Promise<void> {
  if (room.status === 'closed') {
    const entries = rewrite();
    if (entries.length > 0) await room.log.change((work) => void work.rewrite.push(...entries));
    return;
  }
  const draft: Draft = { kind: RECALL_KIND, lane: 'control', data, ...meant, reliable: false };
  const fated = await room.post(draft, (work) => {
    work.rewrite.push(...rewrite());
  });
  if (fated.verdict === 'published') return;
  throw new BarrageError('unavailable', `the recall ended as ${fated.verdict}`, {
    retryAfterMs: fated.retryAfterMs ?? 1000,
  });
}
