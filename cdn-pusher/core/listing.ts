/**
 * Owns what a room's manifest names and what waits to be deleted: a segment is named for a time, and
 * deleted only after a manifest without it has been published for a time.
 */
import type { Manifest, SegmentEntry } from '../../src/wire/cdn.js';

/** Entries of a manifest, whatever their age: a clock that was set back must not let it grow. */
const ENTRIES_MAX = 120;
/** A file that cannot be deleted is tried so often, then left to the next sweep. */
const REMOVE_TRIES = 5;

interface Retired {
  readonly name: string;
  at: number;
  tries: number;
}

interface Named {
  readonly entry: SegmentEntry;
  /**
   * Since when a published manifest names it, Infinity when none does yet: one that was late is named
   * for as long as any other.
   */
  since: number;
}

export class Listing {
  #named: Named[];
  #retired: Retired[];
  readonly #windowMs: number;
  readonly #retentionMs: number;

  /**
   * `entries` were named at `toldAt` by whoever wrote before, perhaps for the first time then; they
   * are named for a whole window from there on. `leftovers`: files of the room at the
   * origin that no manifest names.
   */
  constructor(
    entries: readonly SegmentEntry[],
    leftovers: readonly string[],
    rules: {
      readonly windowMs: number;
      readonly retentionMs: number;
      readonly toldAt: number;
      readonly now: number;
    },
  ) {
    this.#named = entries.map((entry) => ({
      entry,
      since: Math.min(rules.toldAt, rules.now),
    }));
    this.#retired = leftovers.map((name) => ({ name, at: rules.now, tries: 0 }));
    this.#windowMs = rules.windowMs;
    this.#retentionMs = rules.retentionMs;
  }

  /** Whether nothing is named and nothing waits to be deleted. */
  get isEmpty(): boolean {
    return this.#named.length === 0 && this.#retired.length === 0;
  }

  /** Whether a manifest made now names less than the last one. */
  isOverdue(now: number): boolean {
    const [first] = this.#named;
    return first !== undefined && !this.#isIn(first, now);
  }

  add(entry: SegmentEntry): void {
    this.#named.push({ entry, since: Infinity });
  }

  /** A file whose fate at the origin is unknown; it is in no manifest. */
  abandon(name: string, now: number): void {
    this.#retired.push({ name, at: now, tries: 0 });
  }

  /** What a manifest made now names. */
  named(now: number): readonly SegmentEntry[] {
    const from = Math.max(0, this.#named.length - ENTRIES_MAX);
    return this.#named
      .slice(from)
      .filter((one) => this.#isIn(one, now))
      .map(({ entry }) => entry);
  }

  /** The manifest is out: what it does not name begins to wait. */
  published({ segments }: Manifest, now: number): void {
    const named = new Set(segments.map((entry) => entry.name));
    this.#named = this.#named.filter((one) => {
      const { entry } = one;
      one.since = Math.min(one.since, now);
      if (named.has(entry.name)) return true;
      this.#retired.push({ name: entry.name, at: now, tries: 0 });
      return false;
    });
  }

  #isIn({ since }: Named, now: number): boolean {
    return now < since + this.#windowMs;
  }

  /** The clock was stepped: what is named or waits is neither older nor younger for it. */
  shift(movedMs: number): void {
    for (const one of this.#named) one.since += movedMs;
    for (const one of this.#retired) one.at += movedMs;
  }

  /** A file that may be deleted. */
  removable(now: number): string | undefined {
    const first = this.#retired[0];
    return first !== undefined && now >= first.at + this.#retentionMs ? first.name : undefined;
  }

  removed(): void {
    this.#retired.shift();
  }

  /** Tried again later; true when it is given up. */
  notRemoved(now: number): boolean {
    const first = this.#retired.shift();
    if (first === undefined) return false;
    first.tries++;
    if (first.tries >= REMOVE_TRIES) return true;
    this.#retired.push({ ...first, at: now });
    return false;
  }
}
