/**
 * Owns a room's attributes as a viewer knows them: the whole set at joining, then each change by its
 * version. Pure. Rule: SPEC K-ATTR-1.
 */

export type AttributeSet = Readonly<Record<string, unknown>>;

export interface AttributeChange {
  readonly from?: number;
  readonly version?: number;
  readonly set?: Record<string, unknown>;
  readonly deleted?: readonly string[];
  readonly resync?: boolean;
}

export class AttributeBook {
  #all: AttributeSet = {};
  #version = 0;

  get all(): AttributeSet {
    return this.#all;
  }

  /** The whole set with its version; false when an equal or newer one is known. */
  replace(all: unknown, version: unknown): boolean {
    const next = typeof version === 'number' ? version : 0;
    if (typeof all !== 'object' || all === null || next < this.#version) return false;
    this.#all = { ...all };
    this.#version = next;
    return true;
  }

  /** A change; `resync`: it does not follow what is known, the whole set is needed. */
  apply(change: AttributeChange | undefined): 'changed' | 'known' | 'resync' {
    const { from = 0, version = 0, set, deleted, resync } = change ?? {};
    if (version <= this.#version) return 'known';
    if (resync === true || from > this.#version) return 'resync';
    const next = { ...this.#all };
    for (const key of deleted ?? []) delete next[key];
    this.#all = { ...next, ...set };
    this.#version = version;
    return 'changed';
  }
}
