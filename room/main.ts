/**
 * The room service's parts list: leases, rooms, what edges and studios may ask of them.
 */
import { BarrageError } from '../src/errors.js';
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Store } from '../src/ports/store.js';
import type { Random } from '../src/random.js';
import type { RoomSettings } from '../src/room-settings.js';
import type { Meter } from '../src/telemetry/meter.js';
import type { RoomCalls, RoomSpec } from './calls/calls.js';
import { EdgeCalls } from './edge-calls.js';
import { Leases } from './lease.js';
import { roomMeters } from './meters.js';
import { metered, NO_OUTSIDE, type Outside } from './powers/outside.js';
import { Rooms } from './rooms.js';
import { ShardDesks } from './shard-desk.js';
import { scopeCalls } from './studio/scope-calls.js';
import { studioCalls } from './studio/studio.js';
import { TickLoop } from './tick-loop.js';
import { Uplink } from './uplink.js';
import { Verdicts } from './verdicts.js';
import { wakeShard } from './powers/wake-list.js';

export interface RoomParts {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** Absent: no back end and no word lists. */
  readonly outside?: Outside;
}

export interface RoomOptions {
  /** Name under which shards are owned; the same after a restart takes them back at once. */
  readonly owner: string;
  /** Settings of every room that sets none itself. */
  readonly defaults: RoomSettings;
  /** Rooms made at start when they are missing. */
  readonly ensure: readonly RoomSpec[];
  readonly leaseMs: number;
  /** A room without viewers, calls and waiting work leaves memory after this. */
  readonly parkAfterMs: number;
  /** Rooms in memory at most; the default is the service's own bound. */
  readonly roomsMax?: number;
}

export interface RunningRooms {
  readonly calls: RoomCalls;
  /** New defaults hold at once in all rooms, for what a studio did not set itself. */
  setDefaults(settings: RoomSettings): void;
  isReady(): boolean;
  stop(): Promise<void>;
}

/** Takes the shards and serves their rooms. Rejects when the store cannot be used at all. */
export async function startRooms(options: RoomOptions, parts: RoomParts): Promise<RunningRooms> {
  const { bus, store, clock, log, meter } = parts;
  const desks = new ShardDesks();
  const meters = roomMeters(meter, {
    rooms: () => rooms.size,
    shards: () => leases.count,
    online: () => desks.online,
    users: () => rooms.users,
    commitsWaiting: () => rooms.commitsWaiting,
  });
  const verdicts = new Verdicts(bus, clock, meters);
  const loop = new TickLoop(clock, meters.tickLateSeconds, (error) => {
    log.error('a room could not step', { error });
  });
  const leases = new Leases(options, {
    store,
    clock,
    log,
    meters,
    taken: (fence) => {
      desks.open(fence);
      void wakeShard(fence, { store, log, rooms: () => rooms });
    },
    lost: ({ shard }) => {
      desks.close(shard);
      rooms.dropShard(shard);
    },
  });
  const rooms = new Rooms(options.defaults, options, {
    ...{ bus, store, clock, log, meters, loop, verdicts, random: parts.random },
    outside: metered(parts.outside ?? NO_OUTSIDE, meter),
    fenced: (fence) => leases.lose(fence),
    fenceOf: (shard) => leases.fenceOf(shard),
    onlineOf: (room) => desks.onlineOf(room),
  });
  const uplink = new Uplink(rooms, verdicts, meters, parts.clock);
  desks.start({ bus, clock, meters, rooms, uplink, calls: new EdgeCalls(rooms, meters) });
  await leases.start();
  await ensureRooms(rooms, options.ensure, log);
  const sweeping = clock.every(rooms.sweepEveryMs, () => {
    rooms.sweep(clock.now()).catch((error: unknown) => log.error('sweep failed', { error }));
  });
  const scopes = scopeCalls({
    ...{ rooms, store, bus, clock, log },
    publish: (...asked) => calls.publish(...asked),
  });
  const calls: RoomCalls = studioCalls(rooms, store, scopes);
  return {
    calls,
    setDefaults: (settings) => rooms.setDefaults(settings),
    isReady: () => leases.count > 0,
    stop: async () => {
      sweeping.cancel();
      scopes.stop();
      desks.stop();
      await rooms.stop();
      verdicts.flush();
      loop.stop();
      await leases.stop();
    },
  };
}

async function ensureRooms(rooms: Rooms, specs: readonly RoomSpec[], log: Log): Promise<void> {
  for (const spec of specs) {
    try {
      await rooms.create(spec);
      log.info('room made', { room: spec.room });
    } catch (error) {
      // It exists, or its shard is another owner's, who makes it.
      const code = error instanceof BarrageError ? error.code : undefined;
      if (code !== 'conflict' && code !== 'unavailable') throw error;
    }
  }
}
