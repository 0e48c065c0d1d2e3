/**
 * Owns the most frequent keys of a stream in bounded memory: Space-Saving (Metwally, Agrawal, El
 * Abbadi, 2005), mergeable (Agarwal and others, "Mergeable summaries", 2012). Knows no time: whoever
 * wants windows keeps one of these for each.
 */

export interface TopCount {
  readonly key: string;
  /** Never under the truth, at most `error` over it. */
  readonly count: number;
  readonly error: number;
}

interface Entry {
  readonly key: string;
  count: number;
  readonly error: number;
  /** Place in the heap. */
  place: number;
}

/** Longer keys are told apart by their beginning: a bound on memory. */
const KEY_CHARACTERS_MAX = 256;

/**
 * With `capacity` entries: a key added more than `total / capacity` is there for certain, no error is
 * over that, and what is not there was added at most `absentMax`.
 */
export class TopCounts {
  readonly #capacity: number;
  readonly #entries = new Map<string, Entry>();
  /** The least count first: a binary heap. */
  #heap: Entry[] = [];
  #total = 0;
  #absentMax = 0;

  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError('capacity under 1');
    this.#capacity = capacity;
  }

  /** Sum of all that was added, exact. */
  get total(): number {
    return this.#total;
  }

  /** The most a key that is not there can have been added. */
  get absentMax(): number {
    return this.#absentMax;
  }

  /** Counts `key` `by` more; `by` is finite and over 0. Takes time in the logarithm of the capacity. */
  add(key: string, by = 1): void {
    if (!(by > 0) || by === Infinity) throw new RangeError('by must be over 0 and finite');
    this.#total += by;
    const kept = boundedKey(key);
    const known = this.#entries.get(kept);
    if (known !== undefined) {
      known.count += by;
      this.#sink(known);
      return;
    }
    if (this.#heap.length === this.#capacity) this.#absentMax = this.#removeLeast().count;
    this.#insert(kept, this.#absentMax + by, this.#absentMax);
  }

  /** The `n` highest counts, highest first, equal ones by key. */
  top(n: number): TopCount[] {
    return [...this.#heap]
      .sort(byCount)
      .slice(0, Math.max(0, n))
      .map(({ key, count, error }) => ({ key, count, error }));
  }

  /** Adds all that `other`, of the same capacity, counted; `other` stays. Errors add up. */
  merge(other: TopCounts): void {
    if (other.#capacity !== this.#capacity) throw new RangeError('capacities differ');
    const merged = this.#joined(other).sort(byCount);
    this.#absentMax += other.#absentMax;
    this.#total += other.#total;
    this.#entries.clear();
    this.#heap = [];
    const left = merged[this.#capacity];
    if (left !== undefined) this.#absentMax = Math.max(this.#absentMax, left.count);
    for (const one of merged.slice(0, this.#capacity)) this.#insert(one.key, one.count, one.error);
  }

  /** Forgets everything. */
  reset(): void {
    this.#entries.clear();
    this.#heap = [];
    this.#total = 0;
    this.#absentMax = 0;
  }

  /** Every key of either; where one does not have it, it may have been added there up to absentMax. */
  #joined(other: TopCounts): TopCount[] {
    const out: TopCount[] = [];
    const join = (key: string, one: Entry | undefined, two: Entry | undefined) => {
      const missing =
        (one === undefined ? this.#absentMax : 0) + (two === undefined ? other.#absentMax : 0);
      const count = (one?.count ?? 0) + (two?.count ?? 0) + missing;
      out.push({ key, count, error: (one?.error ?? 0) + (two?.error ?? 0) + missing });
    };
    for (const [key, one] of this.#entries) join(key, one, other.#entries.get(key));
    for (const [key, two] of other.#entries) {
      if (!this.#entries.has(key)) join(key, undefined, two);
    }
    return out;
  }

  #insert(key: string, count: number, error: number): void {
    const entry: Entry = { key, count, error, place: this.#heap.length };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#rise(entry);
  }

  #removeLeast(): Entry {
    const least = this.#heap[0]!;
    const last = this.#heap.pop()!;
    this.#entries.delete(least.key);
    if (last !== least) {
      this.#put(last, 0);
      this.#sink(last);
    }
    return least;
  }

  #rise(entry: Entry): void {
    while (entry.place > 0) {
      const above = this.#heap[(entry.place - 1) >> 1]!;
      if (above.count <= entry.count) return;
      this.#swap(above, entry);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[entry.place * 2 + 1];
      const right = this.#heap[entry.place * 2 + 2];
      if (left === undefined) return;
      const least = right !== undefined && right.count < left.count ? right : left;
      if (least.count >= entry.count) return;
      this.#swap(entry, least);
    }
  }

  #swap(above: Entry, below: Entry): void {
    const place = below.place;
    this.#put(below, above.place);
    this.#put(above, place);
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}

function byCount(a: TopCount, b: TopCount): number {
  if (a.count !== b.count) return b.count - a.count;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function boundedKey(key: string): string {
  return key.length <= KEY_CHARACTERS_MAX ? key : key.slice(0, KEY_CHARACTERS_MAX).toWellFormed();
}
