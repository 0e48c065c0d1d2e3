/**
 * What a studio was promised and what viewers got, in the memory of the test alone: which keepable
 * publications were acknowledged at which offset, and what each viewer's application was handed.
 */
import type { Publication } from '../../client/index.js';

/** How many flaws are told; one fault may cause thousands of the same. */
const FLAWS_MAX = 20;

export class Ledger {
  readonly flaws: string[] = [];
  /** Newest acknowledged offset of each room. */
  readonly #heads = new Map<string, number>();
  /** Acknowledged ids by offset, of each room. */
  readonly #acked = new Map<string, Map<number, string>>();
  acknowledged = 0;
  received = 0;

  flaw(text: string): void {
    if (this.flaws.length < FLAWS_MAX) this.flaws.push(text);
  }

  acknowledge(room: string, offset: number, id: string): void {
    let acked = this.#acked.get(room);
    if (acked === undefined) this.#acked.set(room, (acked = new Map()));
    const before = acked.get(offset);
    if (before !== undefined && before !== id) {
      this.flaw(`${room}: offset ${offset} was acknowledged for ${before} and for ${id}`);
    }
    acked.set(offset, id);
    this.acknowledged++;
    if (offset > (this.#heads.get(room) ?? 0)) this.#heads.set(room, offset);
  }

  head(room: string): number {
    return this.#heads.get(room) ?? 0;
  }

  /** What was acknowledged for the room from an offset on, up to and with another. */
  *between(room: string, from: number, to: number): Iterable<readonly [number, string]> {
    const acked = this.#acked.get(room);
    for (let offset = from; offset <= to; offset++) {
      const id = acked?.get(offset);
      if (id !== undefined) yield [offset, id];
    }
  }
}

/** One viewer's application. */
export class Receipts {
  readonly name: string;
  readonly room: string;
  readonly #ledger: Ledger;
  readonly #now: () => number;
  /** Keepable publications not yet checked, id by offset. */
  readonly #got = new Map<number, string>();
  /** Newest ids, for repeats; keepable and droppable ones. */
  readonly #ids = new Set<string>();
  #last = 0;
  #checkedTo: number | undefined;
  #heardAt: number;
  #longestMs = 0;

  constructor(name: string, room: string, parts: { ledger: Ledger; now: () => number }) {
    this.name = name;
    this.room = room;
    this.#ledger = parts.ledger;
    this.#now = parts.now;
    this.#heardAt = this.#now();
  }

  /** Newest keepable offset handed over. */
  get offset(): number {
    return this.#last;
  }

  take(publication: Publication): void {
    const { id, offset } = publication;
    this.#ledger.received++;
    if (this.#ids.has(id)) this.#ledger.flaw(`${this.name} got ${id} (offset ${offset}) twice`);
    this.#ids.add(id);
    if (this.#ids.size > 20_000) this.#ids.delete(this.#ids.values().next().value!);
    if (offset === undefined) return;
    if (offset <= this.#last) {
      this.#ledger.flaw(`${this.name} got offset ${offset} after ${this.#last}`);
    }
    this.#last = offset;
    this.#checkedTo ??= offset - 1;
    this.#got.set(offset, id);
    const now = this.#now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#heardAt);
    this.#heardAt = now;
  }

  /** The longest time without a keepable publication since the last call, milliseconds. */
  takeSilence(): number {
    const silence = Math.max(this.#longestMs, this.#now() - this.#heardAt);
    this.#longestMs = 0;
    return silence;
  }

  /** Compares what it got with what was acknowledged up to an offset, which it has reached. */
  check(to: number): void {
    const from = (this.#checkedTo ?? to) + 1;
    for (const [offset, id] of this.#ledger.between(this.room, from, to)) {
      const got = this.#got.get(offset);
      if (got !== id) this.#ledger.flaw(`${this.name}: offset ${offset} is ${id}, it got ${got}`);
    }
    this.#checkedTo = Math.max(to, this.#checkedTo ?? 0);
    for (const offset of this.#got.keys()) if (offset <= to) this.#got.delete(offset);
  }
}
