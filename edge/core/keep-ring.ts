/**
 * Owns the newest keepable publications of a room at this edge, whole and in order of offset,
 * bounded in count and bytes. Knows no epoch and no frame.
 */
import type { Aim } from './aim.js';

export interface Kept {
  readonly offset: number;
  json: Buffer;
  /** Whom it is meant for; undefined: everyone. */
  readonly aim?: Aim | undefined;
}

export interface RingBounds {
  readonly count: number;
  readonly bytes: number;
}

export class KeepRing {
  #entries: Kept[] = [];
  /** Index of the oldest entry; the array is cut when the dead part grows. */
  #start = 0;
  #bytes = 0;
  #head: number;

  constructor(
    head: number,
    readonly bounds: RingBounds,
  ) {
    this.#head = head;
  }

  /** Newest offset known, also when the ring holds nothing. */
  get head(): number {
    return this.#head;
  }

  get first(): number {
    return this.#entries[this.#start]?.offset ?? this.#head + 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the publication after the head; false (and nothing happens) for any other offset. */
  push(offset: number, json: Buffer, aim?: Aim): boolean {
    if (offset !== this.#head + 1) return false;
    this.#head = offset;
    this.#entries.push({ offset, json, aim });
    this.#bytes += json.length;
    while (this.#length() > this.bounds.count || this.#bytes > this.bounds.bytes) this.#shift();
    return true;
  }

  /** Publications `from`..`to`; undefined when not all of them are here. */
  range(from: number, to: number): readonly Kept[] | undefined {
    if (from > to) return [];
    if (from < this.first || to > this.#head) return undefined;
    const at = this.#start + (from - this.first);
    return this.#entries.slice(at, at + (to - from + 1));
  }

  /** Puts another text in the place of one still here. */
  replace(offset: number, json: Buffer): void {
    const entry = this.#entries[this.#start + (offset - this.first)];
    if (entry === undefined || entry.offset !== offset) return;
    this.#bytes += json.length - entry.json.length;
    entry.json = json;
  }

  #length(): number {
    return this.#entries.length - this.#start;
  }

  #shift(): void {
    const entry = this.#entries[this.#start];
    if (entry === undefined) return;
    this.#bytes -= entry.json.length;
    this.#start++;
    if (this.#start > 64 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}
