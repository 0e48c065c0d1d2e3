/**
 * Owns the closed segments of a room that wait for the origin, within bounds of items and bytes. Past
 * them the oldest is given up; its publications are told by the one after it.
 */
import type { Segment } from './segment.js';
import type { Gap, SealedSegment, Writer } from './types.js';

/** What is missing and must be told with the next segment. */
interface Owed {
  readonly shed: number;
  readonly gap?: Gap;
  /** Since when, unix milliseconds; Infinity when nothing is. */
  readonly since: number;
}

const NOTHING: Owed = { shed: 0, since: Infinity };

export class Backlog {
  readonly #segments: Segment[] = [];
  #bytes = 0;
  /** Publications given up, of all time since the room was taken. */
  #shed = 0;
  #owed: Owed;
  /** What the sealed first segment tells; owed again when it is given up. */
  #telling: Owed = NOTHING;

  constructor(gap: Gap | undefined) {
    this.#owed = gap === undefined ? NOTHING : { shed: 0, gap, since: gap.from };
  }

  get length(): number {
    return this.#segments.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get shed(): number {
    return this.#shed;
  }

  get first(): Segment | undefined {
    return this.#segments[0];
  }

  /** Since when something is waiting, or missing and in no segment written; Infinity for nothing. */
  get pendingSince(): number {
    const waiting = this.#segments[0]?.heardAt ?? Infinity;
    return Math.min(waiting, this.#owed.since, this.#telling.since);
  }

  push(segment: Segment): void {
    this.#segments.push(segment);
    this.#bytes += segment.bytes;
  }

  recall(id: string): boolean {
    for (const segment of this.#segments) {
      const before = segment.bytes;
      if (!segment.recall(id)) continue;
      this.#bytes += segment.bytes - before;
      return true;
    }
    return false;
  }

  /** The oldest with its name and bytes fixed; what went missing before it is told in it. */
  sealFirst(sequence: () => number, writer: Writer): SealedSegment | undefined {
    const first = this.#segments[0];
    if (first === undefined) return undefined;
    if (first.sealed !== undefined) return first.sealed;
    this.#telling = this.#owed;
    this.#owed = NOTHING;
    return first.seal(sequence(), writer, this.#telling);
  }

  /** The oldest is written. */
  shift(): Segment | undefined {
    const first = this.#segments.shift();
    if (first !== undefined) this.#bytes -= first.bytes;
    this.#telling = NOTHING;
    return first;
  }

  /**
   * Gives up the oldest but the one being written (`flying`). The name of one that was tried comes
   * back: it may be at the origin.
   */
  shedOldest(flying: boolean): { count: number; name?: string } | undefined {
    const [segment] = this.#segments.splice(flying ? 1 : 0, 1);
    if (segment === undefined) return undefined;
    this.#bytes -= segment.bytes;
    const { sealed, count, heardAt } = segment;
    this.#shed += count;
    this.#owe({ shed: count, since: heardAt });
    if (sealed === undefined) return { count };
    this.#owe(this.#telling);
    this.#telling = NOTHING;
    return { count, name: sealed.name };
  }

  #owe({ shed, since, gap = this.#owed.gap }: Owed): void {
    this.#owed = {
      shed: this.#owed.shed + shed,
      since: Math.min(this.#owed.since, since),
      ...(gap !== undefined && { gap }),
    };
  }
}
