/**
 * Owns handing out edges in turn, each in proportion to its weight: steps of the golden section round
 * a circle on which every edge has an arc. Of n turns an edge gets its share within a few, whatever
 * n, so a quiet edge is not stampeded (a lot drawn each time would miss by the root of n).
 */
import type { Random } from '../../../src/random.js';
import type { EdgeEntry, Strain } from './edge-entry.js';

const GOLDEN = 0.618_033_988_749_894_9;
/** Lots drawn for a further edge before the next best one is taken as it comes. */
const DRAWS_MAX = 4;

/** The place on the circle goes on while the arcs are drawn anew. */
export class Turns {
  #at: number;

  /** `at` in 0-1, so that services do not all begin at the same edge. */
  constructor(at: number) {
    this.#at = at;
  }

  next(): number {
    this.#at = (this.#at + GOLDEN) % 1;
    return this.#at;
  }
}

/** Edges of one strain with their arcs, as of one moment. */
export class Rotation {
  readonly #edges: readonly EdgeEntry[];
  readonly #ends: Float64Array;
  readonly total: number;

  constructor(
    edges: readonly EdgeEntry[],
    weightOf: (edge: EdgeEntry) => number = (edge) => edge.weight,
  ) {
    this.#edges = edges;
    this.#ends = new Float64Array(edges.length);
    let total = 0;
    edges.forEach((edge, i) => {
      total += weightOf(edge);
      this.#ends[i] = total;
    });
    this.total = total;
  }

  get size(): number {
    return this.#edges.length;
  }

  /** The edge at a place of the circle (0-1); undefined when there is none. */
  at(place: number): EdgeEntry | undefined {
    return this.#edges[this.#indexAt(place)];
  }

  /**
   * Adds up to `wanted` edges not yet picked. The very first is due by turn; those after it, which
   * are for when it fails, are drawn, so that the viewers of a lost edge do not all go to one other.
   */
  pick(turns: Turns, random: Random, picked: EdgeEntry[], wanted: number): void {
    const size = this.#edges.length;
    if (size === 0) return;
    if (picked.length === 0 && wanted > 0) picked.push(this.at(turns.next())!);
    for (let draws = 0; picked.length < wanted && draws < DRAWS_MAX * wanted; draws++) {
      const edge = this.at(random.next())!;
      if (!picked.includes(edge)) picked.push(edge);
    }
    const from = picked.length < wanted ? random.below(size) : 0;
    for (let step = 0; step < size && picked.length < wanted; step++) {
      const edge = this.#edges[(from + step) % size]!;
      if (!picked.includes(edge)) picked.push(edge);
    }
  }

  #indexAt(place: number): number {
    const target = place * this.total;
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

export function ofStrain(edges: Iterable<EdgeEntry>, strain: Strain): readonly EdgeEntry[] {
  const chosen: EdgeEntry[] = [];
  for (const edge of edges) if (edge.strain === strain) chosen.push(edge);
  return chosen;
}
