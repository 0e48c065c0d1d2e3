/**
 * Owns the leases of shards: takes what is free, renews in time, notices what is lost. A shard whose
 * lease could not be renewed within its time counts as lost, whatever the reason.
 */
import { SHARD_COUNT } from '../src/shards.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Fence, Store } from '../src/ports/store.js';
import type { RoomMeters } from './meters.js';

export interface LeaseOptions {
  readonly owner: string;
  readonly leaseMs: number;
}

export interface LeaseTools {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: RoomMeters;
  /** The shard is this owner's from now on; a throw gives it back. */
  readonly taken: (fence: Fence) => void;
  /** The shard is this owner's no longer. */
  readonly lost: (fence: Fence) => void;
}

interface Held {
  readonly fence: Fence;
  /** When the lease ends for certain (unix milliseconds). */
  until: number;
}

export class Leases {
  readonly #options: LeaseOptions;
  readonly #tools: LeaseTools;
  readonly #held = new Map<number, Held>();
  #timer: Cancel | undefined;
  #round: Promise<void> | undefined;
  #stopped = false;

  constructor(options: LeaseOptions, tools: LeaseTools) {
    this.#options = options;
    this.#tools = tools;
  }

  /** Shards owned now. */
  get count(): number {
    return this.#held.size;
  }

  /**
   * Takes every free shard, then renews and retries at a third of the lease. Rejects with the
   * store's error when no shard at all could be taken for it.
   */
  async start(): Promise<void> {
    const error = await this.#takeFree();
    if (this.#held.size === 0 && error !== undefined) throw error;
    this.#timer = this.#tools.clock.every(this.#options.leaseMs / 3, () => {
      // A store that is slow gets no second round on top of the first.
      this.#round ??= this.#renewAll().finally(() => (this.#round = undefined));
    });
  }

  /** The right to write to the shard's rooms; undefined when it is not this owner's. */
  fenceOf(shard: number): Fence | undefined {
    const held = this.#held.get(shard);
    return held === undefined || held.until <= this.#tools.clock.now() ? undefined : held.fence;
  }

  /** Lets go of a shard of which the store said that another has it. */
  lose(fence: Fence): void {
    if (this.#held.get(fence.shard)?.fence.epoch !== fence.epoch) return;
    this.#held.delete(fence.shard);
    this.#tools.meters.shardsLost.add();
    this.#tools.log.warn('shard lost', { shard: fence.shard, epoch: fence.epoch });
    this.#tools.lost(fence);
  }

  /** Gives all shards up so that another may take them at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#round;
    const fences = [...this.#held.values()].map((held) => held.fence);
    this.#held.clear();
    await Promise.all(fences.map((fence) => this.#release(fence)));
  }

  async #renewAll(): Promise<void> {
    if (this.#stopped) return;
    await Promise.all([...this.#held.values()].map((held) => this.#renew(held)));
    if (!this.#stopped && this.#held.size < SHARD_COUNT) await this.#takeFree();
  }

  async #renew(held: Held): Promise<void> {
    const { store, clock, log } = this.#tools;
    const asked = clock.now();
    try {
      if (await store.renew(held.fence, this.#options.leaseMs)) {
        held.until = asked + this.#options.leaseMs;
        return;
      }
      this.lose(held.fence);
    } catch (error) {
      log.warn('lease not renewed', { shard: held.fence.shard, error });
      if (clock.now() >= held.until) this.lose(held.fence);
    }
  }

  /** The first error met, if any. */
  async #takeFree(): Promise<unknown> {
    const { log } = this.#tools;
    const before = this.#held.size;
    const shards = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);
    const free = shards.filter((shard) => !this.#held.has(shard));
    const errors = await Promise.all(free.map((shard) => this.#take(shard)));
    const error = errors.find((each) => each !== undefined);
    if (this.#held.size > before) log.info('shards taken', { count: this.#held.size - before });
    if (error !== undefined) log.warn('shards not taken', { error });
    return error;
  }

  async #take(shard: number): Promise<unknown> {
    const { store, clock, taken } = this.#tools;
    const { owner, leaseMs } = this.#options;
    const asked = clock.now();
    let fence: Fence | undefined;
    try {
      const epoch = await store.acquire(shard, owner, leaseMs);
      if (epoch === undefined) return undefined;
      fence = { shard, epoch };
      if (this.#stopped) {
        await this.#release(fence);
        return undefined;
      }
      this.#held.set(shard, { fence, until: asked + leaseMs });
      taken(fence);
      return undefined;
    } catch (error) {
      this.#held.delete(shard);
      if (fence !== undefined) await this.#release(fence);
      return error;
    }
  }

  async #release(fence: Fence): Promise<void> {
    try {
      await this.#tools.store.release(fence);
    } catch (error) {
      // It runs out by itself.
      this.#tools.log.warn('lease not released', { shard: fence.shard, error });
    }
  }
}
