/**
 * Owns the slices of one room: where a newcomer sits, and flushing. There are as many slices as the
 * viewers need, so that one flush never holds the process for long, and those who want keepable
 * frames only sit apart from the others. Knows no bus and no position.
 */
import type { Classes } from '../src/words.js';
import { AudienceIndex } from './audience-index.js';
import type { Batch, Part, RoomFrame } from './batch.js';
import { RoomLine } from './core/turns.js';
import type { Fanout } from './fanout.js';
import { flushMixed, type AimedFrame, type MixedBatch } from './mixed-batch.js';
import type { EdgeTuning } from './options.js';
import { SLICES_MAX } from './options.js';
import { RoomFrames } from './room-frames.js';
import { Slice, type Seat, type SentPlace } from './slice.js';
import type { Thinning } from './thinning.js';

export interface SeatingParts {
  readonly fanout: Fanout;
  readonly tuning: () => EdgeTuning;
  readonly thinning: Thinning;
  readonly compressed: () => void;
  /** These could not take a flush. */
  readonly tooSlow: (seats: readonly Seat[]) => void;
  /** A viewer was handed a frame meant for it. */
  readonly delivered: (frame: AimedFrame, seat: Seat) => void;
}

/** Who of a slice was further on than the rest, and what was left for it. */
interface Places {
  readonly ahead: ReadonlyMap<Seat, number> | undefined;
  readonly after: (seq: number) => Batch | undefined;
}

/** Slices begin with different credit, so that they are not thinned out all at once. */
const CREDIT_STEP = 0.618;

export class Seating {
  readonly audience = new AudienceIndex(() => this.seats());
  readonly #parts: SeatingParts;
  readonly #frames: RoomFrames;
  readonly #line = new RoomLine();
  #slices: Slice[] = [];
  #head: SentPlace;
  #count = 0;
  #opened = 0;

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
  next(classes: Classes = 'all'): Slice {
    const alike = this.#slices.filter((slice) => slice.classes === classes);
    let smallest = alike[0];
    for (const slice of alike) {
      if (slice.seats.length < smallest!.seats.length) smallest = slice;
    }
    const isFull =
      smallest !== undefined && smallest.seats.length >= this.#parts.tuning().sliceViewers;
    if (smallest !== undefined && (!isFull || alike.length >= SLICES_MAX)) return smallest;
    const credit = (++this.#opened * CREDIT_STEP) % 1;
    const flushDue = (due: Slice) => this.flush(due);
    const peers = () => this.#slices.length;
    const slice = new Slice(this.#head, { classes, credit, line: this.#line, flushDue, peers });
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
    this.#vacated(seat.slice);
  }

  /** Seats a viewer among those who want these classes; what waits for it goes to it first. */
  move(seat: Seat, classes: Classes): void {
    const from = seat.slice;
    if (from.classes === classes) return;
    const slow = this.#catchUp(seat);
    from.remove(seat);
    this.next(classes).addAhead(seat, this.#head.seq);
    this.#vacated(from);
    if (slow.length > 0) this.#parts.tooSlow(slow);
  }

  /** A frame for everyone; false when it was shed because too much waits already. */
  take(frame: RoomFrame, head: SentPlace): boolean {
    const before = this.#head;
    this.#head = head;
    if (this.#count === 0) return true;
    const meant = frame.aim === undefined ? undefined : this.#slicesOf(frame as AimedFrame);
    const isKeep = frame.class === 'keep';
    const isFull = this.#frames.isFull();
    if (isFull && !isKeep) return false;
    let isWanted = false;
    const wanting: Slice[] = [];
    for (const slice of this.#slices) {
      const isMine = meant === undefined ? isKeep || slice.classes === 'all' : meant.has(slice);
      if (isMine) wanting.push(slice);
      // The others move on when nothing waits for them; else they pass it with what they wait for,
      // so that nobody seated meanwhile misses it.
      else if (slice.sent.seq === before.seq) slice.skipTo(this.#head);
      else isWanted = true;
    }
    if (!isWanted && wanting.length === 0) return true;
    this.#frames.push(frame);
    // A keepable frame is not let go: the room pays with a flush out of turn.
    if (isFull) for (const slice of [...this.#slices]) this.flush(slice);
    else for (const slice of wanting) this.#parts.fanout.add(slice, isKeep);
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
    const after = (seq: number) => this.#frames.since(seq);
    const part = this.#partOf(slice, batch);
    const { ahead } = slice;
    const slow = slice.flush({ batch, part, place: this.#head, after });
    if (isThinned(slice, part)) this.#lose(slice, batch, { ahead, after });
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
    const { ahead } = slice;
    const from = slice.sent.seq;
    slice.skipTo(this.#head);
    const batch = this.#frames.mixedSince(from);
    if (batch === undefined) return;
    const part = this.#partOf(slice, batch.open);
    const slow = [...this.#sendMixed(slice, batch, part, (seat) => ahead?.has(seat) !== true)];
    for (const [seat, seq] of ahead ?? []) {
      const rest = this.#frames.mixedSince(seq);
      if (rest !== undefined) {
        slow.push(...this.#sendMixed(slice, rest, part, (one) => one === seat));
      }
    }
    const after = (seq: number) => this.#frames.mixedSince(seq)?.open;
    if (isThinned(slice, part)) this.#lose(slice, batch.open, { ahead, after });
    this.#trim();
    if (slow.length > 0) this.#parts.tooSlow(slow);
  }

  #sendMixed(
    slice: Slice,
    batch: MixedBatch,
    part: Part,
    among: (seat: Seat) => boolean,
  ): readonly Seat[] {
    const { delivered } = this.#parts;
    return flushMixed({ slice, batch, part, among, audience: this.audience, delivered });
  }

  /** What a slice is sent of a flush: what it wants, thinned out when the edge sends too much. */
  #partOf(slice: Slice, batch: Batch): Part {
    if (slice.classes === 'keep') return 'aside';
    return this.#parts.thinning.spares(slice, batch) ? 'all' : 'aside';
  }

  /** Counts for each viewer what was thinned out of its part of the flush. */
  #lose(slice: Slice, { openDropCount }: Batch, { ahead, after }: Places): void {
    this.#parts.thinning.lost(slice.seats, (seat) => {
      const seq = ahead?.get(seat);
      return seq === undefined ? openDropCount : (after(seq)?.openDropCount ?? 0);
    });
  }

  /** Sends one seat what waits for its slice, droppable frames for everyone apart. */
  #catchUp(seat: Seat): readonly Seat[] {
    const seq = seat.slice.sentTo(seat);
    if (this.#frames.aimed > 0) {
      const batch = this.#frames.mixedSince(seq);
      if (batch === undefined) return [];
      return this.#sendMixed(seat.slice, batch, 'aside', (one) => one === seat);
    }
    const batch = this.#frames.since(seq);
    return batch === undefined || seat.occupant.outlet.deliver(batch, 'aside') ? [] : [seat];
  }

  #slicesOf({ aim }: AimedFrame): ReadonlySet<Slice> {
    if (!this.audience.mayMatch(aim)) return new Set();
    const named = this.audience.named(aim);
    if (named === undefined) return new Set(this.#slices);
    return new Set([...named].map((seat) => seat.slice));
  }

  #vacated(slice: Slice): void {
    if (slice.seats.length > 0) return;
    this.#slices = this.#slices.filter((one) => one !== slice);
    this.#trim();
  }

  #trim(): void {
    let passed = this.#head.seq;
    for (const slice of this.#slices) passed = Math.min(passed, slice.sent.seq);
    this.#frames.trim(passed);
  }
}

/** Who wants all and does not get it. */
function isThinned(slice: Slice, part: Part): boolean {
  return part === 'aside' && slice.classes === 'all';
}
