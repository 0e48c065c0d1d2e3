/**
 * Owns who polls a room: a viewer counts from its first poll until half a minute after its last.
 * Knows neither cursors nor answers.
 */
import type { RoomId } from '../src/ids.js';
import type { Identity } from './identity.js';
import type { PresenceBook } from './presence.js';

/** One who polled this long ago still counts as a viewer. */
const SEEN_MS = 30_000;
const SEEN_MAX = 50_000;
/** One who polled within this time need not be noted again. */
const SEEN_STEP_MS = 1000;

export class PollCrowd {
  readonly #room: RoomId;
  readonly #presence: PresenceBook;
  readonly #seen = new Map<string, { readonly at: number; readonly identity: Identity }>();

  constructor(room: RoomId, presence: PresenceBook) {
    this.#room = room;
    this.#presence = presence;
  }

  /** Viewers that polled within the last half minute. */
  get size(): number {
    return this.#seen.size;
  }

  /** Notes who polls; beyond what it may hold, nobody new. */
  see(viewer: string, identity: Identity, now: number): void {
    if (this.#seen.size >= SEEN_MAX && !this.#seen.has(viewer)) return;
    const before = this.#seen.get(viewer);
    if (before === undefined) this.#presence.enter(this.#room, identity);
    else if (now - before.at < SEEN_STEP_MS) return;
    // Set anew at the end: the map stays in order of time.
    this.#seen.delete(viewer);
    this.#seen.set(viewer, { at: now, identity: before?.identity ?? identity });
  }

  /** Who a viewer that polled lately is. */
  seen(viewer: string): Identity | undefined {
    return this.#seen.get(viewer)?.identity;
  }

  /** Forgets those not heard of for a while; at `Infinity` everyone. */
  sweep(now: number): void {
    for (const [viewer, { at, identity }] of this.#seen) {
      if (now - at < SEEN_MS) return;
      this.#seen.delete(viewer);
      this.#presence.leave(this.#room, identity);
    }
  }
}
