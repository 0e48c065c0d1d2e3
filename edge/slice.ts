/**
 * Owns a share of a room's viewers at this edge, flushed together, and the place in the room's
 * frames up to which they have been sent. A newcomer is shown exactly what lies before that place.
 */
import type { CloseCode } from '../src/close-codes.js';
import type { RoomId } from '../src/ids.js';
import type { Classes } from '../src/words.js';
import type { Batch, Part } from './batch.js';
import type { Viewing } from './core/aim.js';
import type { RoomLine } from './core/turns.js';
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

export interface SliceOptions {
  readonly classes: Classes;
  readonly credit: number;
  readonly line: RoomLine;
  readonly flushDue: (slice: Slice) => void;
  /** Slices of the room by now. */
  readonly peers: () => number;
}

/** What a flush sends to the slice. */
export interface SliceFlush {
  readonly batch: Batch;
  readonly part: Part;
  readonly place: SentPlace;
  /** What is left of it after a place; undefined when nothing is. */
  readonly after: (seq: number) => Batch | undefined;
}

/** Some seats were sent more than the others. */
interface Uneven extends Pick<SliceFlush, 'after'> {
  readonly ahead: ReadonlyMap<Seat, number>;
}

export class Slice implements Flushable {
  due: 'no' | 'drop' | 'keep' = 'no';
  dueAt = 0;
  notBefore = 0;
  readonly line: RoomLine;
  /** What its viewers want. */
  readonly classes: Classes;
  readonly seats: Seat[] = [];
  /** Those of `seats`, place by place: a flush reads nothing else of a viewer. */
  readonly #outlets: Outlet[] = [];
  /** Share of a flush saved up while thinned out (core/shedding.ts). */
  credit: number;
  /** Seats that came here further on than the rest, with the place up to which they were sent. */
  #ahead: Map<Seat, number> | undefined;
  readonly #flushDue: (slice: Slice) => void;
  readonly #peers: () => number;
  #sent: SentPlace;

  /** `flushDue` flushes this slice with what its room has for it. */
  constructor(sent: SentPlace, options: SliceOptions) {
    this.#sent = sent;
    this.#flushDue = options.flushDue;
    this.#peers = options.peers;
    this.line = options.line;
    this.classes = options.classes;
    this.credit = options.credit;
  }

  run(): boolean {
    this.#flushDue(this);
    return false;
  }

  get peers(): number {
    return this.#peers();
  }

  get sent(): SentPlace {
    return this.#sent;
  }

  add(seat: Seat): void {
    seat.slice = this;
    seat.index = this.seats.length;
    this.seats.push(seat);
    this.#outlets.push(seat.occupant.outlet);
  }

  /** As `add`, for a seat that was sent everything up to `seq` elsewhere. */
  addAhead(seat: Seat, seq: number): void {
    this.add(seat);
    if (seq > this.#sent.seq) (this.#ahead ??= new Map()).set(seat, seq);
  }

  /** The place up to which a seat of this slice was sent. */
  sentTo(seat: Seat): number {
    return this.#ahead?.get(seat) ?? this.#sent.seq;
  }

  remove(seat: Seat): void {
    this.#ahead?.delete(seat);
    const last = this.seats.pop();
    const outlet = this.#outlets.pop();
    if (last === undefined || outlet === undefined || last === seat) return;
    this.seats[seat.index] = last;
    this.#outlets[seat.index] = outlet;
    last.index = seat.index;
  }

  /** Moves on without sending: for a slice without viewers. */
  skipTo(place: SentPlace): void {
    this.#sent = place;
    this.#ahead = undefined;
  }

  /** Sends the batch to everyone; the answer is who was too slow for it. */
  flush({ batch, part, place, after }: SliceFlush): readonly Seat[] {
    const ahead = this.#ahead;
    this.skipTo(place);
    if (ahead !== undefined) return this.#flushUneven(batch, part, { ahead, after });
    let slow: Seat[] | undefined;
    const outlets = this.#outlets;
    for (let i = 0; i < outlets.length; i++) {
      if (!outlets[i]!.deliver(batch, part)) (slow ??= []).push(this.seats[i]!);
    }
    return slow ?? [];
  }

  #flushUneven(batch: Batch, part: Part, { ahead, after }: Uneven): readonly Seat[] {
    const slow: Seat[] = [];
    for (const seat of this.seats) {
      const seq = ahead.get(seat);
      const rest = seq === undefined ? batch : after(seq);
      if (rest !== undefined && !seat.occupant.outlet.deliver(rest, part)) slow.push(seat);
    }
    return slow;
  }

  /** Seats further on than the rest, by the place up to which they were sent. */
  get ahead(): ReadonlyMap<Seat, number> | undefined {
    return this.#ahead;
  }
}
