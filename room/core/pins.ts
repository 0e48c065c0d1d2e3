/**
 * Owns the list of a room's pinned publications: which there are, oldest first, and which go when
 * there are too many. Pure; a list is never changed, only followed by another.
 */
import type { Publication } from '../../src/words.js';

/** A copy, so that it outlives the log. */
export interface Pin extends Pick<
  Publication,
  'id' | 'kind' | 'at' | 'user' | 'text' | 'style' | 'data'
> {
  /** Unix milliseconds. */
  readonly pinnedAt: number;
}

export interface PinChange {
  readonly pins: readonly Pin[];
  /** Ids that are pinned no more, oldest first. */
  readonly gone: readonly string[];
}

export function pinOf(publication: Publication, now: number): Pin {
  const { id, kind, at, user, text, style, data } = publication;
  return {
    ...{ id, kind, at, pinnedAt: Math.floor(now) },
    ...(user === undefined ? {} : { user }),
    ...(text === undefined ? {} : { text }),
    ...(style === undefined ? {} : { style }),
    ...(data === undefined ? {} : { data }),
  };
}

/** With the pin as the newest; the oldest go when there are more than `max`. */
export function withPin(pins: readonly Pin[], pin: Pin, max: number): PinChange {
  const others = pins.filter(({ id }) => id !== pin.id);
  return trimPins([...others, pin], max);
}

export function trimPins(pins: readonly Pin[], max: number): PinChange {
  const over = Math.max(0, pins.length - Math.max(0, max));
  return { pins: pins.slice(over), gone: pins.slice(0, over).map(({ id }) => id) };
}

/** Without the pins whose ids are among these. */
export function withoutPins(pins: readonly Pin[], ids: ReadonlySet<string>): PinChange {
  const gone = pins.filter(({ id }) => ids.has(id)).map(({ id }) => id);
  return { pins: gone.length === 0 ? pins : pins.filter(({ id }) => !ids.has(id)), gone };
}
