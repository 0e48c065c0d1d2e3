/**
 * Owns a line of those who wait, first in, first out, of any length: what has left it is let go of now and
 * then, at the cost of what is left. Knows nothing of them.
 */
export class WaitingLine<T> {
  #items: T[] = [];
  /** Of `#items`, those before this have left. */
  #next = 0;

  get length(): number {
    return this.#items.length - this.#next;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The first one, which leaves; only when there is one. */
  shift(): T {
    const item = this.#items[this.#next++]!;
    if (this.#next * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
  }
}
