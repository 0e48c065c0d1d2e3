/**
 * Owns what a poller at a cursor is answered: every keepable publication since, the droppable ones
 * still in the window, in the order they were sent; of what is meant for some nothing, since all
 * pollers get the same. Rules: SPEC E-POLL-1, E-POLL-3, E-SCOPE-5.
 */
import type { Classes, Position } from '../../src/words.js';
import type { Kept } from './keep-ring.js';
import type { RecentWindow, Shown } from './recent-window.js';

export interface PollPlace {
  readonly position: Position;
  /** Tick of the newest droppable frame seen. */
  readonly tick: number;
}

/**
 * All a poller at a place missed, of both classes or of the keepable one. `kept` are all keepables
 * after the place, oldest first; droppables are found in the window.
 */
export function pollPublications(
  place: PollPlace,
  kept: readonly Kept[],
  window: RecentWindow,
  classes: Classes = 'all',
): readonly { readonly json: Buffer }[] {
  const shown = window.filter(
    (entry) =>
      entry.aim === undefined &&
      (entry.offset > 0
        ? entry.offset > place.position.offset
        : classes === 'all' && isNewDrop(entry, place)),
  );
  const firstShown = shown.find((entry) => entry.offset > 0)?.offset ?? Infinity;
  const older = kept.filter((entry) => entry.offset < firstShown && entry.aim === undefined);
  return [...older, ...shown];
}

function isNewDrop(entry: Shown, { position, tick }: PollPlace): boolean {
  return entry.epoch > position.epoch || (entry.epoch === position.epoch && entry.tick > tick);
}
