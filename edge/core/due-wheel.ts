/**
 * Owns who is due when, for very many who each are due seldom: a ring of short lists by time, so that
 * nobody is looked at before its time, and joining, leaving and moving cost the same for any number.
 * Knows neither clock nor what is done to those due.
 */

/** Where one stands; the wheel's own. */
export interface OnWheel {
  place: number;
}

/** The place of one that is on no wheel. */
export const OFF_WHEEL = -1;

/** Lists of the ring; one due later than they reach comes up early and is put back by its owner. */
const SLOTS = 2048;

export class DueWheel<T extends OnWheel> {
  readonly #slotMs: number;
  readonly #slots: readonly T[][] = Array.from({ length: SLOTS }, () => []);
  /** Number, since the clock's zero, of the slot that is emptied now. */
  #at: number;
  #size = 0;

  /** Slots of `slotMs` each; `now` in clock milliseconds, as all times here. */
  constructor(slotMs: number, now: number) {
    this.#slotMs = slotMs;
    this.#at = Math.floor(now / slotMs);
  }

  get size(): number {
    return this.#size;
  }

  /** Puts one that is on no wheel where it comes up no earlier than `dueAt`, if the ring reaches so far. */
  add(item: T, dueAt: number): void {
    const wanted = Math.ceil(dueAt / this.#slotMs);
    const slot = Math.min(Math.max(wanted, this.#at + 1), this.#at + SLOTS - 1) % SLOTS;
    const list = this.#slots[slot]!;
    item.place = list.push(item) * SLOTS - SLOTS + slot;
    this.#size++;
  }

  /** Takes one off; nothing for one that is on no wheel. */
  remove(item: T): void {
    const { place } = item;
    if (place === OFF_WHEEL) return;
    const list = this.#slots[place % SLOTS]!;
    const last = list.pop()!;
    if (last !== item) {
      last.place = place;
      list[Math.floor(place / SLOTS)] = last;
    }
    item.place = OFF_WHEEL;
    this.#size--;
  }

  /** Takes off the next one due by `now`, if any is. */
  take(now: number): T | undefined {
    const until = Math.floor(now / this.#slotMs);
    for (; ; this.#at++) {
      const item = this.#slots[this.#at % SLOTS]!.pop();
      if (item !== undefined) {
        item.place = OFF_WHEEL;
        this.#size--;
        return item;
      }
      if (this.#at >= until) return undefined;
    }
  }

  /** Takes off up to `count`, whenever they are due. */
  takeAny(count: number): T[] {
    const taken: T[] = [];
    for (let i = 0; i < SLOTS && taken.length < count; i++) {
      const list = this.#slots[(this.#at + i) % SLOTS]!;
      taken.push(...list.splice(0, count - taken.length));
      for (let k = 0; k < list.length; k++) list[k]!.place = k * SLOTS + ((this.#at + i) % SLOTS);
    }
    for (const item of taken) item.place = OFF_WHEEL;
    this.#size -= taken.length;
    return taken;
  }

  /**
   * For how many slots after `now`, from one to `most`, those due by then are at most `items`, with
   * those who have waited longer.
   */
  slotsHolding(now: number, items: number, most: number): number {
    const from = Math.floor(now / this.#slotMs);
    let sum = 0;
    for (let at = this.#at; at <= from; at++) sum += this.#slots[at % SLOTS]!.length;
    for (let slots = 0; slots < most; slots++) {
      sum += this.#slots[(from + slots + 1) % SLOTS]!.length;
      if (sum > items) return Math.max(1, slots);
    }
    return most;
  }
}
