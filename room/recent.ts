/**
 * Owns what a room remembers of its newest publications: the window newcomers get, and a longer list
 * of ids so that a recall finds its publication without reading the log. Both are bounded.
 */

/** Ids remembered for recall; at 60 publications a second about a minute. */
const IDS_MAX = 4096;

/** Offset 0 marks a droppable publication. */
export type RecentEntry = readonly [offset: number, json: string];

export class Recent {
  #entries: RecentEntry[] = [];
  #capacity: number;
  readonly #offsets = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Oldest first. */
  get entries(): readonly RecentEntry[] {
    const over = this.#entries.length - this.#capacity;
    return over > 0 ? this.#entries.slice(over) : this.#entries;
  }

  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#trim(0);
  }

  push(id: string, offset: number, json: string): void {
    this.#offsets.set(id, offset);
    if (this.#offsets.size > IDS_MAX) {
      this.#offsets.delete(this.#offsets.keys().next().value!);
    }
    if (this.#capacity === 0) return;
    this.#entries.push([offset, json]);
    this.#trim(this.#capacity);
  }

  /** Offset of a publication of this id, 0 for a droppable one, undefined when not remembered. */
  offsetOf(id: string): number | undefined {
    return this.#offsets.get(id);
  }

  /** Puts another text in the place of a keepable publication. */
  replace(offset: number, json: string): void {
    const at = this.#entries.findIndex((entry) => entry[0] === offset);
    if (at >= 0) this.#entries[at] = [offset, json];
  }

  /** Takes a droppable publication out of the window; its id stays known. */
  remove(id: string): void {
    const head = idPrefix(id);
    this.#entries = this.#entries.filter(
      ([offset, json]) => offset !== 0 || !json.startsWith(head),
    );
  }

  clear(): void {
    this.#entries = [];
    this.#offsets.clear();
  }

  /** Cuts in chunks: at most `slack` entries more than the capacity are held. */
  #trim(slack: number): void {
    if (this.#entries.length <= this.#capacity + slack) return;
    this.#entries = this.#capacity === 0 ? [] : this.#entries.slice(-this.#capacity);
  }
}

/** How the JSON text of the publication begins: `id` is always first. */
export function idPrefix(id: string): string {
  return `{"id":${JSON.stringify(id)},`;
}
