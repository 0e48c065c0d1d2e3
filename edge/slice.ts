/**
 * Owns a share of a room's viewers at this edge, flushed together, and the place in the room's
 * frames up to which they have been sent. A newcomer is shown exactly what lies before that place.
 */
import type { CloseCode } from '../src/close-codes.js';
import type { RoomId } from '../src/ids.js';
import type { Batch } from './batch.js';
import type { Viewing } from './core/aim.js';
import type { Flushable } from './fanout.js';
import type { Identity } from './identity.js';
import type { Outlet } from './outlet.js';

/** Who sits: what a room may do to a viewer. */
export interface Occupant {
  readonly outlet: Outlet;
  /** The room, or the edge, ends this viewer's stay in the room. */
  dismiss(room: RoomId, close: CloseCode, retryAfterMs?: number): void;
}

/** A viewer's stay in a room. */
export interface Seat {
  readonly occupant: Occupant;
  readonly identity: Identity;
  /** What decides whether something is meant for it; changes with its tags. */
  viewing: Viewing;
  slice: Slice;
  /** Place in the slice's list. */
  index: number;
}

/** The place in a room's frames up to which everything was sent. */
export interface SentPlace {
  readonly seq: number;
  readonly offset: number;
  readonly cursor: string;
}

export class Slice implements Flushable {
  due: 'no' | 'drop' | 'keep' = 'no';
  dueAt = 0;
  notBefore = 0;
  readonly seats: Seat[] = [];
  readonly #flushDue: (slice: Slice) => void;
  #sent: SentPlace;

  /** `flushDue` flushes this slice with what its room has for it. */
  constructor(sent: SentPlace, flushDue: (slice: Slice) => void) {
    this.#sent = sent;
    this.#flushDue = flushDue;
  }

  run(): boolean {
    this.#flushDue(this);
    return false;
  }

  get sent(): SentPlace {
    return this.#sent;
  }

  add(seat: Seat): void {
    seat.slice = this;
    seat.index = this.seats.length;
    this.seats.push(seat);
  }

  remove(seat: Seat): void {
    const last = this.seats.pop();
    if (last === undefined || last === seat) return;
    this.seats[seat.index] = last;
    last.index = seat.index;
  }

  /** Moves on without sending: for a slice without viewers. */
  skipTo(place: SentPlace): void {
    this.#sent = place;
  }

  /** Sends the batch to everyone; the answer is who was too slow for it. */
  flush(batch: Batch, place: SentPlace): readonly Seat[] {
    this.#sent = place;
    let slow: Seat[] | undefined;
    for (let i = 0; i < this.seats.length; i++) {
      const seat = this.seats[i]!;
      if (!seat.occupant.outlet.deliver(batch)) (slow ??= []).push(seat);
    }
    return slow ?? [];
  }
}
