/**
 * Owns the decision how a viewer that comes with a position gets what it missed: from the edge's
 * ring, from the log of the room's owner, or not at all. Rules: SPEC E-POS-1, E-POS-2.
 */
import { positionHolds, type EpochStart, type Position } from '../../src/words.js';

export interface StreamView {
  readonly epochs: readonly EpochStart[];
  /** Newest keepable offset this edge has. */
  readonly head: number;
  /** Oldest offset in the ring, which is whole up to the head; head + 1 when it is empty. */
  readonly ringFirst: number;
  /** Most publications replayed to one viewer. */
  readonly replayMax: number;
}

export type CatchUp =
  /** The position names another stream, or too much was missed: the newest window instead. */
  | { readonly how: 'window' }
  /** Everything missed is in the ring. */
  | { readonly how: 'ring' }
  /** These offsets must come from the log first, the rest is in the ring. */
  | { readonly how: 'ask'; readonly from: number; readonly limit: number }
  /** The viewer has seen more than this edge: the edge must catch up first. */
  | { readonly how: 'ahead' };

/** How to bring `since` up to the head. */
export function catchUp(since: Position, view: StreamView): CatchUp {
  if (!positionHolds(since, view.epochs)) return { how: 'window' };
  const missed = view.head - since.offset;
  if (missed < 0) return { how: 'ahead' };
  if (missed > view.replayMax) return { how: 'window' };
  const from = since.offset + 1;
  if (missed === 0 || from >= view.ringFirst) return { how: 'ring' };
  return { how: 'ask', from, limit: view.ringFirst - from };
}
