/**
 * Owns the order of a room's droppable frames: an epoch, a tick and the number within the tick, so
 * that two pushers who hear the same frames name them alike.
 */
import type { Through } from '../../src/wire/cdn.js';

/** Negative when `a` comes before `b`. */
export function comparePlaces(a: Through, b: Through): number {
  return a.epoch - b.epoch || a.tick - b.tick || a.frames - b.frames;
}

/**
 * The place of the frame that came after `last`; undefined when it is of an older owner or came
 * before, which a bus that delivers in order does only with a second writer.
 */
export function placeAfter(
  last: Through | undefined,
  frame: { readonly epoch: number; readonly tick: number },
): Through | undefined {
  const { epoch, tick } = frame;
  if (last === undefined || epoch > last.epoch) return { epoch, tick, frames: 1 };
  if (epoch < last.epoch || tick < last.tick) return undefined;
  return { epoch, tick, frames: tick === last.tick ? last.frames + 1 : 1 };
}
