/**
 * Owns the slices of one room: where a newcomer sits, and flushing. There are as many slices as the
 * viewers need, so that one flush never holds the process for long. Knows no bus and no position.
 */
import { AudienceIndex } from './audience-index.js';
import type { RoomFrame } from './batch.js';
import type { Fanout } from './fanout.js';
import { flushMixed, type AimedFrame } from './mixed-batch.js';
import type { EdgeTuning } from './options.js';
import { SLICES_MAX } from './options.js';
import { RoomFrames } from './room-frames.js';
import { Slice, type Seat, type SentPlace } from './slice.js';

export interface SeatingParts {
  readonly fanout: Fanout;
  readonly tuning: () => EdgeTuning;
  readonly compressed: () => void;
  /** These could not take a flush. */
  readonly tooSlow: (seats: readonly Seat[]) => void;
  /** A viewer was handed a frame meant for it. */
  readonly delivered: (frame: AimedFrame, seat: Seat) => void;
}

export class Seating {
  readonly audience = new AudienceIndex();
  readonly #parts: SeatingParts;
  readonly #frames: RoomFrames;
  #slices: Slice[] = [];
  #head: SentPlace;
  #count = 0;

  constructor(head: SentPlace, parts: SeatingParts) {
    this.#head = head;
    this.#parts = parts;
    this.#frames = new RoomFrames(parts.compressed);
  }

  get count(): number {
    return this.#count;
  }

  get slices(): number {
    return this.#slices.length;
  }

  *seats(): IterableIterator<Seat> {
    for (const slice of this.#slices) yield* [...slice.seats];
  }

  /** Where the next newcomer sits; its `sent` place decides what it is shown first. */
  next(): Slice {
    let smallest = this.#slices[0];
    for (const slice of this.#slices) {
      if (slice.seats.length < smallest!.seats.length) smallest = slice;
    }
    const isFull =
      smallest !== undefined && smallest.seats.length >= this.#parts.tuning().sliceViewers;
    if (smallest !== undefined && (!isFull || this.#slices.length >= SLICES_MAX)) return smallest;
    const slice = new Slice(this.#head, (due) => this.flush(due));
    this.#slices.push(slice);
    return slice;
  }

  add(slice: Slice, seat: Seat): void {
    slice.add(seat);
    this.audience.add(seat);
    this.#count++;
  }

  remove(seat: Seat): void {
    seat.slice.remove(seat);
    this.audience.remove(seat);
    this.#count--;
    if (seat.slice.seats.length > 0) return;
    this.#slices = this.#slices.filter((slice) => slice !== seat.slice);
    this.#trim();
  }

  /** A frame for everyone; false when it was shed because too much waits already. */
  take(frame: RoomFrame, head: SentPlace): boolean {
    const before = this.#head;
    this.#head = head;
    if (this.#count === 0) return true;
    if (frame.aim !== undefined) return this.#takeAimed(frame as AimedFrame, before);
    const isKeep = frame.class === 'keep';
    const isFull = this.#frames.isFull();
    if (isFull && !isKeep) return false;
    this.#frames.push(frame);
    // A keepable frame is not let go: the room pays with a flush out of turn.
    if (isFull) for (const slice of [...this.#slices]) this.flush(slice);
    else for (const slice of this.#slices) this.#parts.fanout.add(slice, isKeep);
    return true;
  }

  /** The place has moved without a frame. */
  moveTo(head: SentPlace): void {
    this.#head = head;
  }

  flush(slice: Slice): void {
    if (this.#frames.aimed > 0) return this.#flushMixed(slice);
    const batch = this.#frames.since(slice.sent.seq);
    if (batch === undefined) {
      slice.skipTo(this.#head);
      return;
    }
    const slow = slice.flush(batch, this.#head);
    this.#trim();
    if (slow.length > 0) this.#parts.tooSlow(slow);
  }

  flushAll(): void {
    for (const slice of [...this.#slices]) this.flush(slice);
  }

  /** Whether a frame meant for some waits for anyone. */
  get holdsAimed(): boolean {
    return this.#frames.aimed > 0;
  }

  #flushMixed(slice: Slice): void {
    const batch = this.#frames.mixedSince(slice.sent.seq);
    slice.skipTo(this.#head);
    if (batch === undefined) return;
    const { delivered, tooSlow } = this.#parts;
    const slow = flushMixed({ slice, batch, audience: this.audience, delivered });
    this.#trim();
    if (slow.length > 0) tooSlow(slow);
  }

  /**
   * As `take`, for slices with someone meant. The others move on at once when nothing waits for them;
   * those that do wait pass it with what they wait for, so that nobody seated meanwhile misses it.
   */
  #takeAimed(frame: AimedFrame, before: SentPlace): boolean {
    const isKeep = frame.class === 'keep';
    const isFull = this.#frames.isFull();
    if (isFull && !isKeep) return false;
    const meant = this.#slicesOf(frame);
    let isWanted = meant.size > 0;
    for (const slice of this.#slices) {
      if (meant.has(slice)) continue;
      if (slice.sent.seq === before.seq) slice.skipTo(this.#head);
      else isWanted = true;
    }
    if (!isWanted) return true;
    this.#frames.push(frame);
    if (isFull) for (const slice of [...this.#slices]) this.flush(slice);
    else for (const slice of meant) this.#parts.fanout.add(slice, isKeep);
    return true;
  }

  #slicesOf({ aim }: AimedFrame): ReadonlySet<Slice> {
    if (!this.audience.mayMatch(aim)) return new Set();
    const named = this.audience.named(aim);
    if (named === undefined) return new Set(this.#slices);
    return new Set([...named].map((seat) => seat.slice));
  }

  #trim(): void {
    let passed = this.#head.seq;
    for (const slice of this.#slices) passed = Math.min(passed, slice.sent.seq);
    this.#frames.trim(passed);
  }
}
