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
    this.add(address);
    let isIn = true;
    return () => {
      if (isIn) this.remove(address);
      isIn = false;
    };
  }

  /** As `enter`, for those who see to it themselves that they are counted out once. */
  add(address: string): void {
    this.#counts.set(address, this.of(address) + 1);
    this.#total++;
  }

  remove(address: string): void {
    this.#total--;
    const left = this.of(address) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }
}
