/**
 * Owns a map that nearly always holds at most one entry and then is nothing but that: a Map for each
 * viewer would cost more than all else it holds. The part of Map's manner that is used.
 */

export class FewMap<K, V> {
  #key: K | undefined;
  #value: V | undefined;
  /** All entries, once there are several. */
  #more: Map<K, V> | undefined;

  get size(): number {
    if (this.#more !== undefined) return this.#more.size;
    return this.#value === undefined ? 0 : 1;
  }

  get(key: K): V | undefined {
    if (this.#more !== undefined) return this.#more.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  set(key: K, value: V): void {
    if (this.#more === undefined && (this.#value === undefined || this.#key === key)) {
      this.#key = key;
      this.#value = value;
      return;
    }
    this.#more ??= new Map([[this.#key as K, this.#value as V]]);
    this.#more.set(key, value);
  }

  delete(key: K): void {
    if (this.#more !== undefined) {
      this.#more.delete(key);
      return;
    }
    if (this.#key !== key) return;
    this.#key = undefined;
    this.#value = undefined;
  }

  /** What it holds by now: changes while it is gone through do no harm. */
  entries(): readonly (readonly [K, V])[] {
    if (this.#more !== undefined) return [...this.#more];
    return this.#value === undefined ? [] : [[this.#key as K, this.#value]];
  }
}
