/**
 * Owns who is told that a shard was taken or is no longer served here, and what the others of the
 * group are called. Who decides it is the holder of the leases.
 */
import type { Cancel } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';

interface Holder {
  readonly members: readonly string[];
  fenceOf(shard: number): Fence | undefined;
}

export class OwnedShards {
  readonly #holder: () => Holder;
  readonly #listeners = new Set<(shard: number) => void>();

  constructor(holder: () => Holder) {
    this.#holder = holder;
  }

  /** Whether the shard's rooms are served here now; false while they change hands. */
  isMine(shard: number): boolean {
    return this.#holder().fenceOf(shard) !== undefined;
  }

  /** The names of all room services that live, this one included. */
  members(): readonly string[] {
    return this.#holder().members;
  }

  onShards(changed: (shard: number) => void): Cancel {
    this.#listeners.add(changed);
    return { cancel: () => this.#listeners.delete(changed) };
  }

  /** To be called after the shard was taken, and when it is served here no longer. */
  changed(shard: number): void {
    for (const changed of this.#listeners) changed(shard);
  }
}
