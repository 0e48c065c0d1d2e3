/**
 * Owns the order in which a room prefers edges: weighted rendezvous hashing (Thaler and Ravishankar
 * 1998; weights by Schindelhauer and Schomaker 2005), so that every service gives a room the same
 * edges without asking anyone, and an edge that comes or goes moves only its own share of rooms.
 */

/** A room that needs more edges than this takes them as they come. */
export const ORDER_MAX = 64;

interface Ranked {
  readonly seed: number;
  readonly report: { readonly capacity: number };
}

/** FNV-1a over the text's code units; ids are ASCII. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The `ORDER_MAX` edges the room prefers, the best first. */
export function orderFor<E extends Ranked>(roomSeed: number, edges: Iterable<E>): readonly E[] {
  const best: { edge: E; cost: number }[] = [];
  for (const edge of edges) {
    const cost = costOf(mix(edge.seed, roomSeed), edge.report.capacity);
    if (best.length === ORDER_MAX && cost >= best[ORDER_MAX - 1]!.cost) continue;
    let at = best.length;
    while (at > 0 && best[at - 1]!.cost > cost) at--;
    best.splice(at, 0, { edge, cost });
    if (best.length > ORDER_MAX) best.pop();
  }
  return best.map(({ edge }) => edge);
}

/** Exponential with the capacity as its rate: the least of many is chosen in proportion to it. */
function costOf(hash: number, capacity: number): number {
  return -Math.log((hash + 1) / 4294967297) / capacity;
}

/** The finaliser of MurmurHash3 over both: every bit of either moves every bit of the outcome. */
function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
