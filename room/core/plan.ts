/**
 * Owns turning granted places into planned publications: which entries leave each lane, in which
 * order, and how one becomes a publication. Knows no budget and no clock.
 */
import type { Random } from '../../src/random.js';
import type { Lane, Publication } from '../../src/words.js';
import { settleLost, settleSent } from './books.js';
import type { Slots } from './budget.js';
import { refCount, refsOf, removeExpired, removeFirst, type Entry } from './lanes.js';
import { LIKE_KIND, publicationId, tellLikes } from './likes.js';
import { drawToFront } from './sample.js';
import { laneOf, type RoomState } from './state.js';
import type { Planned } from './types.js';

/** Takes the keepable entries that go out: control all, high as many as it has places. */
export function planKept(
  state: RoomState,
  slots: Slots,
  isLikeDue: boolean,
  now: number,
): Planned[] {
  const keep: Planned[] = [];
  for (const lane of ['control', 'high'] as const) {
    const queue = state.lanes[lane];
    const isReporting = isReportSent(state, lane, isLikeDue, slots);
    const places = lane === 'control' ? queue.entries.length : slots.high - (isReporting ? 1 : 0);
    for (const entry of removeFirst(queue, places)) {
      queue.planned += refCount(entry);
      keep.push(plan(state, entry, lane));
    }
    if (isReporting) keep.push({ publication: tellLikes(state, now), refs: [] });
  }
  return keep;
}

/** Draws the droppable entries that go out, settles them, and lets go of what waited too long. */
export function planDropped(
  state: RoomState,
  slots: Slots,
  isLikeDue: boolean,
  by: { readonly now: number; readonly random: Random },
): Planned[] {
  const chosen: { readonly entry: Entry; readonly lane: Lane }[] = [];
  let report: Publication | undefined;
  for (const lane of ['normal', 'low'] as const) {
    const isReporting = isReportSent(state, lane, isLikeDue, slots);
    if (isReporting) report = tellLikes(state, by.now);
    const places = slots[lane] - (isReporting ? 1 : 0);
    for (const entry of takeDrawn(state, lane, places, by.random)) chosen.push({ entry, lane });
    const until = by.now - state.settings.laneWaitMs;
    for (const entry of removeExpired(state.lanes[lane], until)) {
      settleLost(state, entry, 'sampled_out');
    }
  }
  chosen.sort((a, b) => a.entry.seq - b.entry.seq);
  const drop = chosen.map(({ entry, lane }) => plan(state, entry, lane));
  for (const { publication, refs } of drop) settleSent(state, refs, publication.id);
  if (report !== undefined) drop.push({ publication: report, refs: [] });
  return drop;
}

function isReportSent(state: RoomState, lane: Lane, isLikeDue: boolean, slots: Slots): boolean {
  if (!isLikeDue || laneOf(state.settings, LIKE_KIND) !== lane) return false;
  return lane === 'control' || slots[lane] > 0;
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
  };
  return { publication, refs };
}
