/**
 * Holders of leases in a world that goes wrong by a seed: stores and buses cut off for one member,
 * processes that stand still, clocks that jump. Every commit the store takes is looked at.
 */
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { ownershipMeters } from '../../src/ownership/meters.js';
import { ShardHolder } from '../../src/ownership/shard-holder.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import { silentLog } from '../../src/ports/log.js';
import type { Fence, Store } from '../../src/ports/store.js';
import { seededRandom, type Random } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { ManualClock } from '../kit/manual-clock.js';

export const LEASES: readonly number[] = Array.from({ length: 12 }, (_, lease) => lease);
export const LEASE_MS = 2000;
const STEP_MS = 10;
/** An adapter gives a store that does not answer up after this. */
const ANSWER_MS = 500;

/** One process: what it shows of the world can be cut, delayed and bent. */
export class Member {
  readonly name: string;
  readonly holder: ShardHolder;
  /** What it believes to serve. */
  readonly served = new Map<number, Fence>();
  isStoreCut = false;
  /** Calls reach the store, and their answers get lost. */
  isStoreMute = false;
  isBusCut = false;
  isDead = false;
  clockOffsetMs = 0;
  #frozen: (() => void)[] | undefined;
  readonly #world: World;

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
    this.holder = new ShardHolder(
      { group: 'rooms', member: name, leaseMs: LEASE_MS, leases: LEASES },
      {
        ...{ store: this.#store(), bus: this.#bus(), clock: this.#clock() },
        ...{ random: world.random, log: silentLog },
        meters: ownershipMeters(new Meter(), 'barrage_room', () => 0),
        taken: (fence) => void this.served.set(fence.shard, fence),
        handOver: async (fence) => {
          await this.commit(fence).catch(() => undefined);
          this.served.delete(fence.shard);
        },
        lost: ({ shard }) => void this.served.delete(shard),
      },
    );
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  freeze(): void {
    this.#frozen ??= [];
  }

  /** What came due in the meantime comes now, in its order. */
  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const run of waiting) this.#now(run);
  }

  /** Writes for the shard as its rooms do; a refused commit tells the holder. */
  async commit(fence: Fence): Promise<void> {
    try {
      await this.#ask((store) =>
        store.commit(`room-${fence.shard}` as RoomId, fence, {
          records: new Map([['by', this.name]]),
        }),
      );
    } catch (error) {
      if (error instanceof BarrageError && error.code === 'fenced') this.holder.lose(fence);
      return;
    }
  }

  #now(run: () => void): void {
    if (this.isDead) return;
    if (this.#frozen === undefined) run();
    else this.#frozen.push(run);
  }

  #clock(): Clock {
    const { clock } = this.#world;
    return {
      now: () => clock.now() + this.clockOffsetMs,
      after: (ms, run) => clock.after(ms, () => this.#now(run)),
      every: (ms, run) => clock.every(ms, () => this.#now(run)),
    };
  }

  #bus(): Bus {
    const { bus } = this.#world;
    return {
      publish: (subject, bytes) =>
        this.isBusCut || this.isDead ? 'down' : bus.publish(subject, bytes),
      subscribe: (subject, deliver): Cancel =>
        bus.subscribe(subject, (bytes) => {
          if (!this.isBusCut) this.#now(() => deliver(bytes));
        }),
      request: (subject, bytes, timeoutMs) => bus.request(subject, bytes, timeoutMs),
      serve: (subject, answer) => bus.serve(subject, answer),
      isUp: () => !this.isBusCut,
      onChange: (changed) => bus.onChange(changed),
      drain: () => Promise.resolve(),
    };
  }

  #store(): Store {
    return new Proxy({} as Store, {
      get:
        (_, name: keyof Store) =>
        (...args: unknown[]) =>
          this.#ask((store) => (store[name] as (...args: unknown[]) => Promise<unknown>)(...args)),
    });
  }

  /** A call under way when the process stands still is answered when it goes on. */
  async #ask<T>(call: (store: Store) => Promise<T>): Promise<T> {
    if (this.isDead) return new Promise<T>(() => undefined);
    if (this.isStoreCut) throw new BarrageError('store_failed', 'cut off');
    const answer = call(this.#world.store);
    const settled = await answer.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    if (this.isStoreMute) {
      await new Promise<void>((resolve) => this.#clock().after(ANSWER_MS, resolve));
      throw new BarrageError('store_failed', 'no answer');
    }
    await new Promise<void>((resolve) => this.#now(resolve));
    if ('error' in settled) throw settled.error;
    return settled.value;
  }
}

export class World {
  readonly clock = new ManualClock();
  readonly bus = new MemoryBus();
  readonly random: Random;
  readonly store: Store;
  readonly members: Member[] = [];
  /** Commits accepted, and what was wrong with them. */
  accepted = 0;
  readonly faults: string[] = [];
  readonly #newest = new Map<number, { readonly epoch: number; readonly by: string }>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const inner = new MemoryStore(this.clock);
    this.store = new Proxy(inner, {
      get: (_, name: keyof Store) =>
        name === 'commit'
          ? async (...args: Parameters<Store['commit']>) => {
              await inner.commit(...args);
              this.#look(args[1], args[2].records?.get('by') ?? '');
            }
          : (inner[name] as (...args: unknown[]) => unknown).bind(inner),
    });
  }

  async join(name: string): Promise<Member> {
    const member = new Member(name, this);
    this.members.push(member);
    await this.until(member.holder.start());
    return member;
  }

  get living(): Member[] {
    return this.members.filter((member) => !member.isDead);
  }

  /** Lets `ms` pass; every member writes for what it believes to serve, now and then. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(STEP_MS);
      for (const member of this.living) {
        if (member.isFrozen) continue;
        for (const fence of member.served.values()) {
          if (this.random.next() < 0.05) void member.commit(fence);
        }
      }
      await turns(3);
    }
  }

  /** Lets time pass until the promise has settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    void promise.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    for (let i = 0; i < 2000 && !isDone; i++) await this.pass(STEP_MS);
    return promise;
  }

  /** Living members that serve the lease and may write for it. */
  ownersOf(lease: number): Member[] {
    return this.living.filter(({ holder }) => holder.fenceOf(lease) !== undefined);
  }

  get unowned(): number[] {
    return LEASES.filter((lease) => this.ownersOf(lease).length !== 1);
  }

  #look({ shard, epoch }: Fence, by: string): void {
    this.accepted++;
    const last = this.#newest.get(shard);
    if (last !== undefined && epoch < last.epoch) {
      this.faults.push(`shard ${shard}: ${by} wrote at ${epoch} after ${last.by} at ${last.epoch}`);
    }
    if (last !== undefined && epoch === last.epoch && by !== last.by) {
      this.faults.push(`shard ${shard}: ${by} and ${last.by} wrote at ${epoch}`);
    }
    this.#newest.set(shard, { epoch, by });
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
