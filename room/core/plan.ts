/**
 * Owns turning granted places into planned publications: which entries leave each lane, in which
 * order, and how one becomes a publication. Knows no budget and no clock.
 */
import type { Random } from '../../src/random.js';
import type { Lane, Publication } from '../../src/words.js';
import { settleLost, settleSent } from './books.js';
import type { Slots } from './budget.js';
import { rememberTold } from './echoes.js';
import { refCount, refsOf, removeExpired, removeFirst, type Entry } from './lanes.js';
import { publicationId } from './likes.js';
import { reportsWithin, type DueReport } from './reports.js';
import { drawToFront } from './sample.js';
import type { RoomState } from './state.js';
import type { Offer, Planned } from './types.js';

/** Takes the keepable entries that go out: control all, high as many as it has places. */
export function planKept(state: RoomState, slots: Slots, reports: readonly DueReport[]): Planned[] {
  const keep: Planned[] = [];
  for (const lane of ['control', 'high'] as const) {
    const queue = state.lanes[lane];
    const waiting = queue.entries.length;
    const all = lane === 'control' ? Infinity : slots.high;
    const telling = reportsWithin(reports, lane, all, lane === 'control' ? 0 : waiting);
    for (const entry of removeFirst(queue, Math.min(waiting, all - telling.length))) {
      queue.planned += refCount(entry);
      keep.push(plan(state, entry, lane));
    }
    for (const report of telling) keep.push({ publication: report.tell(), refs: [] });
  }
  return keep;
}

/** Draws the droppable entries that go out, settles them, and lets go of what waited too long. */
export function planDropped(
  state: RoomState,
  slots: Slots,
  reports: readonly DueReport[],
  by: { readonly now: number; readonly random: Random },
): Planned[] {
  const chosen: { readonly entry: Entry; readonly lane: Lane }[] = [];
  const told: Planned[] = [];
  for (const lane of ['normal', 'low'] as const) {
    const telling = reportsWithin(reports, lane, slots[lane], state.lanes[lane].entries.length);
    for (const report of telling) told.push({ publication: report.tell(), refs: [] });
    const places = slots[lane] - telling.length;
    for (const entry of takeDrawn(state, lane, places, by.random)) chosen.push({ entry, lane });
    const until = by.now - state.settings.laneWaitMs;
    for (const entry of removeExpired(state.lanes[lane], until)) {
      settleLost(state, entry, 'sampled_out');
    }
  }
  chosen.sort((a, b) => a.entry.seq - b.entry.seq);
  const drop = chosen.map(({ entry, lane }) => plan(state, entry, lane));
  for (const { publication, refs } of drop) settleSent(state, refs, publication.id);
  for (const { entry, lane } of chosen) rememberTold(state, entry, lane, by.now);
  drop.push(...told);
  return drop;
}

/** Takes `places` entries out of a bag, by lot when more than that wait. */
function takeDrawn(state: RoomState, lane: Lane, places: number, random: Random): Entry[] {
  const queue = state.lanes[lane];
  if (places > 0 && places < queue.entries.length) {
    drawToFront(queue.entries, places, state.settings.perUserPerTick, random);
  }
  return removeFirst(queue, Math.min(places, queue.entries.length));
}

function plan(state: RoomState, entry: Entry, lane: Lane): Planned {
  const { user, text, style, data, kind } = entry.said;
  const refs = refsOf(entry);
  const publication: Publication = {
    id: publicationId(state, entry.seq),
    kind,
    lane,
    at: Math.round(entry.at),
    ...(user !== undefined && { user }),
    ...(text !== undefined && { text }),
    ...(style !== undefined && { style }),
    ...(refs.length > 1 && { count: refs.length }),
    ...(data !== undefined && { data }),
    ...('to' in entry.said && aimOf(entry.said.to)),
  };
  return { publication, refs };
}

/** What a publication meant for some carries besides. */
function aimOf(to: Offer['to']): Pick<Publication, 'to' | 'ack'> {
  if (to === undefined) return {};
  return to.validMs === undefined ? { to } : { to, ack: true };
}
