/**
 * Owns what taking, handing over and losing a shard means for the rooms in it: what is served, which
 * rooms are taken in unasked, in which order all ends. Rules: SPEC R-OWN-2, R-OWN-6, R-OWN-7.
 */
import { BarrageError } from '../src/errors.js';
import { ownershipMeters } from '../src/ownership/meters.js';
import { ShardHolder } from '../src/ownership/shard-holder.js';
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Fence, Store } from '../src/ports/store.js';
import type { Random } from '../src/random.js';
import { SHARD_COUNT, shardOf } from '../src/shards.js';
import type { Meter } from '../src/telemetry/meter.js';
import type { RoomSpec } from './calls/calls.js';
import type { OwnedShards } from './owned-shards.js';
import { wakeShard } from './powers/wake-list.js';
import type { Rooms } from './rooms.js';
import type { ShardDesks } from './shard-desk.js';
import type { Verdicts } from './verdicts.js';

export interface ShardCareOptions {
  readonly member: string;
  readonly leaseMs: number;
  /** Rooms that are to exist. */
  readonly ensure: readonly RoomSpec[];
}

export interface ShardCareTools {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly desks: ShardDesks;
  readonly shards: OwnedShards;
  readonly verdicts: Verdicts;
  readonly rooms: () => Rooms;
}

const SHARDS = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);
/** A store that did not answer just when the shard was taken is asked again after this. */
const RETRY_MS = 1000;

export class ShardCare {
  readonly holder: ShardHolder;
  readonly #options: ShardCareOptions;
  readonly #tools: ShardCareTools;
  #isStarted = false;

  constructor(options: ShardCareOptions, tools: ShardCareTools) {
    const { member, leaseMs } = options;
    this.#options = options;
    this.#tools = tools;
    this.holder = new ShardHolder(
      { group: 'rooms', member, leaseMs, leases: SHARDS },
      {
        ...tools,
        meters: ownershipMeters(tools.meter, 'barrage_room', () => this.holder.count),
        taken: (fence) => this.#taken(fence),
        handOver: (fence) => this.#handOver(fence),
        lost: (fence) => this.#lost(fence),
      },
    );
  }

  /** Takes what is this member's and free. Rejects when the store cannot be used at all. */
  async start(): Promise<void> {
    await this.holder.start();
    await this.#make(this.#options.ensure);
    this.#isStarted = true;
  }

  #taken(fence: Fence): void {
    const { desks, shards } = this.#tools;
    desks.open(fence);
    shards.changed(fence.shard);
    void this.#takeIn(fence);
  }

  async #handOver({ shard }: Fence): Promise<void> {
    const { desks, shards, rooms, verdicts } = this.#tools;
    desks.hold(shard);
    shards.changed(shard);
    await rooms().handOver(shard);
    verdicts.flush();
    desks.passOn(shard, this.holder.hasOthers);
  }

  #lost({ shard }: Fence): void {
    const { desks, shards, rooms } = this.#tools;
    desks.close(shard);
    shards.changed(shard);
    rooms().dropShard(shard);
  }

  /** Rooms nobody may ask for: those with something to come, those that are to exist. */
  async #takeIn(fence: Fence): Promise<void> {
    const { clock, log } = this.#tools;
    const isAwake = await wakeShard(fence, this.#tools);
    const isMade = await this.#ensure(fence.shard).catch((error: unknown) => {
      log.warn('rooms not made', { shard: fence.shard, error });
      return false;
    });
    if (isAwake && isMade) return;
    clock.after(RETRY_MS, () => {
      const isMine = this.holder.fenceOf(fence.shard)?.epoch === fence.epoch;
      if (isMine) void this.#takeIn(fence);
    });
  }

  /** At the start all are made before anyone is served. */
  async #ensure(shard: number): Promise<boolean> {
    const { ensure } = this.#options;
    if (this.#isStarted) await this.#make(ensure.filter(({ room }) => shardOf(room) === shard));
    return true;
  }

  async #make(specs: readonly RoomSpec[]): Promise<void> {
    const { rooms, log } = this.#tools;
    for (const spec of specs) {
      try {
        await rooms().create(spec);
        log.info('room made', { room: spec.room });
      } catch (error) {
        // It exists, or its shard is another owner's, who makes it.
        const code = error instanceof BarrageError ? error.code : undefined;
        if (code !== 'conflict' && code !== 'unavailable') throw error;
      }
    }
  }
}
