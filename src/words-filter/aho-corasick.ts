/**
 * Owns finding many words in one pass over code units (Aho and Corasick, 1975) in flat arrays: states
 * are numbered breadth first, so the children of a state stand side by side and need no pointers.
 * Knows no action: of the words that end at a place it tells the one its builder ranked highest.
 */

/** A root with more children than this is looked up by unit, not searched. */
const ROOT_SEARCHED_MAX = 32;
/** Up to so many children are compared one by one, more are halved. */
const SCANNED_MAX = 6;
const NONE = -1;

/** The automaton's arrays: what another thread needs to have it whole. */
export interface AutomatonParts {
  readonly firstChild: Uint32Array;
  readonly labels: Uint16Array;
  readonly fails: Uint32Array;
  readonly found: Int32Array;
  readonly root: Uint32Array;
}

export class Automaton {
  readonly #firstChild: Uint32Array;
  readonly #labels: Uint16Array;
  readonly #fails: Uint32Array;
  readonly #found: Int32Array;
  readonly #root: Uint32Array;

  /**
   * Of two words ending at one place the one of higher rank is told, of equal rank the longer, of
   * equal words the earlier in the list. Empty words are never found. Time and memory are linear in
   * the words' length, sorting apart.
   */
  constructor(words: readonly string[], rankOf: (word: number) => number, made?: AutomatonParts) {
    const trie = made ?? buildTrie(words, rankOf);
    this.#firstChild = trie.firstChild;
    this.#labels = trie.labels;
    this.#found = trie.found;
    this.#root = 'root' in trie ? trie.root : buildRoot(trie);
    this.#fails = 'fails' in trie ? trie.fails : new Uint32Array(trie.labels.length);
    if ('parents' in trie) this.#resolveFails(trie.parents, rankOf);
  }

  /** The automaton whose parts these are, made at once. */
  static of(parts: AutomatonParts): Automaton {
    return new Automaton([], () => 0, parts);
  }

  get parts(): AutomatonParts {
    return {
      firstChild: this.#firstChild,
      labels: this.#labels,
      fails: this.#fails,
      found: this.#found,
      root: this.#root,
    };
  }

  /** The state after reading `unit` in `state`; the first state is 0. */
  next(state: number, unit: number): number {
    let from = state;
    for (;;) {
      const child = this.#child(from, unit);
      if (child !== 0 || from === 0) return child;
      from = this.#fails[from]!;
    }
  }

  /** Place in the list of the word that ends here, or -1. */
  found(state: number): number {
    return this.#found[state]!;
  }

  /** Of the typed arrays: 14 a state and at most 256 KiB for the root. */
  get bytes(): number {
    const { byteLength } = this.#root;
    return byteLength + this.#labels.length * (4 + 2 + 4 + 4) + 4;
  }

  #child(state: number, unit: number): number {
    if (state === 0 && this.#root.length > 0) return this.#root[unit] ?? 0;
    const labels = this.#labels;
    let low = this.#firstChild[state]!;
    let high = this.#firstChild[state + 1]!;
    while (high - low > SCANNED_MAX) {
      const middle = (low + high) >>> 1;
      if (labels[middle]! <= unit) low = middle;
      else high = middle;
    }
    for (; low < high; low++) if (labels[low] === unit) return low;
    return 0;
  }

  /** Parents come before their children, so what a state falls back to is always resolved before. */
  #resolveFails(parents: Uint32Array, rankOf: (word: number) => number): void {
    for (let state = 1; state < parents.length; state++) {
      const parent = parents[state]!;
      const fail = parent === 0 ? 0 : this.next(this.#fails[parent]!, this.#labels[state]!);
      this.#fails[state] = fail;
      const own = this.#found[state]!;
      const shorter = this.#found[fail]!;
      if (shorter === NONE) continue;
      if (own === NONE || rankOf(shorter) > rankOf(own)) this.#found[state] = shorter;
    }
  }
}

interface Trie {
  /** Children of state s are `firstChild[s]` up to, exclusive, `firstChild[s + 1]`. */
  readonly firstChild: Uint32Array;
  /** The unit that leads to a state; children are in its order. */
  readonly labels: Uint16Array;
  readonly parents: Uint32Array;
  readonly found: Int32Array;
}

/** A state is a range of the sorted words that share a beginning; ranges split breadth first. */
function buildTrie(words: readonly string[], rankOf: (word: number) => number): Trie {
  const sorted = sortedPlaces(words);
  const size = countStates(words, sorted);
  const firstChild = new Uint32Array(size + 1);
  const labels = new Uint16Array(size);
  const parents = new Uint32Array(size);
  const found = new Int32Array(size).fill(NONE);
  const lows = new Uint32Array(size);
  const highs = new Uint32Array(size);
  const depths = new Uint32Array(size);
  highs[0] = sorted.length;
  let count = 1;
  for (let state = 0; state < size; state++) {
    const depth = depths[state]!;
    const high = highs[state]!;
    let low = lows[state]!;
    for (; low < high && words[sorted[low]!]!.length === depth; low++) {
      if (depth > 0) found[state] = higher(found[state]!, sorted[low]!, rankOf);
    }
    firstChild[state] = count;
    while (low < high) {
      const label = words[sorted[low]!]!.charCodeAt(depth);
      lows[count] = low;
      while (low < high && words[sorted[low]!]!.charCodeAt(depth) === label) low++;
      highs[count] = low;
      labels[count] = label;
      parents[count] = state;
      depths[count++] = depth + 1;
    }
  }
  firstChild[size] = count;
  return { firstChild, labels, parents, found };
}

function higher(one: number, other: number, rankOf: (word: number) => number): number {
  return one === NONE || rankOf(other) > rankOf(one) ? other : one;
}

/** Places of the words in order of their code units, equal ones in the list's order. */
function sortedPlaces(words: readonly string[]): Uint32Array {
  const places = Uint32Array.from(words, (_, place) => place);
  return places.sort((a, b) => {
    const one = words[a]!;
    const other = words[b]!;
    return one < other ? -1 : one > other ? 1 : a - b;
  });
}

/** One for the beginning and one for each unit not shared with the word before. */
function countStates(words: readonly string[], sorted: Uint32Array): number {
  let count = 1;
  let before = '';
  for (const place of sorted) {
    const word = words[place]!;
    let shared = 0;
    while (shared < word.length && word.charCodeAt(shared) === before.charCodeAt(shared)) shared++;
    count += word.length - shared;
    before = word;
  }
  return count;
}

function buildRoot({ firstChild, labels }: Trie): Uint32Array {
  const from = firstChild[0]!;
  const to = firstChild[1] ?? from;
  if (to - from <= ROOT_SEARCHED_MAX) return new Uint32Array(0);
  const root = new Uint32Array(labels[to - 1]! + 1);
  for (let child = from; child < to; child++) root[labels[child]!] = child;
  return root;
}
