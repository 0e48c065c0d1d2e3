/**
 * Owns what is remembered of the batches edges sent to one shard: which came, how many are missing.
 * Around a hand-over a batch may come twice, straight and by way of the owner before. Pure.
 */

export interface BatchHead {
  readonly edge: string;
  readonly seq: number;
  /** Unix milliseconds at the edge. */
  readonly at: number;
}

export interface HeardBatch {
  readonly isRepeated: boolean;
  /** Batches that should have come before this one and did not. */
  readonly holes: number;
}

interface Heard {
  seq: number;
  at: number;
  /** The newest batches as `seq, at` pairs, oldest first. */
  readonly newest: number[];
}

const EDGES_MAX = 1000;
/** Two owners hear the same for milliseconds; a batch leaves an edge every few of them. */
const NEWEST_MAX = 32;

export class BatchBook {
  /** Least recently heard first. */
  readonly #edges = new Map<string, Heard>();

  hear({ edge, seq, at }: BatchHead): HeardBatch {
    const heard = this.#edges.get(edge) ?? { seq, at, newest: [] };
    if (includes(heard.newest, seq, at)) return { isRepeated: true, holes: 0 };
    this.#edges.delete(edge);
    this.#edges.set(edge, heard);
    if (this.#edges.size > EDGES_MAX) this.#edges.delete(this.#edges.keys().next().value!);
    heard.newest.push(seq, at);
    if (heard.newest.length > 2 * NEWEST_MAX) heard.newest.splice(0, 2);
    const holes = Math.max(0, seq - heard.seq - 1);
    // A lower number sent later is an edge that began anew; one sent earlier only came late.
    if (seq > heard.seq || at > heard.at) {
      heard.seq = seq;
      heard.at = at;
    }
    return { isRepeated: false, holes };
  }
}

function includes(newest: readonly number[], seq: number, at: number): boolean {
  for (let i = newest.length - 2; i >= 0; i -= 2) {
    if (newest[i] === seq && newest[i + 1] === at) return true;
  }
  return false;
}
