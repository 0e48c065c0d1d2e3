/**
 * Owns the count of open connections by address. Holds an entry only for addresses that have one,
 * so it is bounded by the connections themselves.
 */

export class AddressCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  /** Counts one in; the answer counts it out again, once. */
  enter(address: string): () => void {
    this.#counts.set(address, this.of(address) + 1);
    this.#total++;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#total--;
      const left = this.of(address) - 1;
      if (left > 0) this.#counts.set(address, left);
      else this.#counts.delete(address);
    };
  }
}
