/**
 * Owns how long danmaku waited between leaving their edge and being read here. The clocks of two
 * machines differ, so a wait is what a batch took more than the fastest one of its edge lately.
 */

/** The fastest way is forgotten after one to two of these: clocks drift and roads change. */
const GENERATION_MS = 60_000;
/** Edges remembered; the least recently heard goes. */
const EDGES_MAX = 1000;
/** A batch older than this says more about a clock that was set than about a queue. */
const WAIT_MS_MAX = 60_000;

interface Fastest {
  since: number;
  young: number;
  old: number;
}

export class InboxWaits {
  readonly #edges = new Map<string, Fastest>();

  /** Milliseconds a batch waited that left at `at` by the edge's clock and is read at `now`. */
  observe(edge: string, at: number, now: number): number | undefined {
    if (!Number.isFinite(at)) return undefined;
    const took = now - at;
    const known = this.#edges.get(edge) ?? { since: now, young: took, old: took };
    this.#edges.delete(edge);
    this.#edges.set(edge, known);
    if (this.#edges.size > EDGES_MAX) this.#edges.delete(this.#edges.keys().next().value!);
    if (now - known.since >= GENERATION_MS) {
      known.old = known.young;
      known.young = took;
      known.since = now;
    }
    known.young = Math.min(known.young, took);
    return Math.min(WAIT_MS_MAX, took - Math.min(known.young, known.old));
  }
}
