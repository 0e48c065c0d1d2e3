/**
 * The room service's parts list: leases, rooms, what edges and studios may ask of them.
 */
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Store } from '../src/ports/store.js';
import type { Random } from '../src/random.js';
import type { RoomSettings } from '../src/room-settings.js';
import type { Meter } from '../src/telemetry/meter.js';
import type { RoomCalls, RoomSpec } from './calls/calls.js';
import { cdnCalls } from './cdn/calls.js';
import { CdnDesk, type CdnDeskOptions } from './cdn/desk.js';
import { EdgeCalls } from './edge-calls.js';
import { OwnedShards } from './owned-shards.js';
import { roomMeters } from './meters.js';
import { metered, NO_OUTSIDE, type Outside } from './powers/outside.js';
import { Rooms } from './rooms.js';
import { ShardCare } from './shard-care.js';
import { ShardDesks } from './shard-desk.js';
import { scopeCalls } from './studio/scope-calls.js';
import { studioCalls } from './studio/studio.js';
import { TickLoop } from './tick-loop.js';
import { Uplink } from './uplink.js';
import { Verdicts } from './verdicts.js';

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
  /**
   * Name under which shards are owned, unique among the processes that share a store; one that comes
   * back under its name takes its shards back at once.
   */
  readonly member: string;
  /** Settings of every room that sets none itself. */
  readonly defaults: RoomSettings;
  /** Rooms made at start when they are missing. */
  readonly ensure: readonly RoomSpec[];
  readonly leaseMs: number;
  /** A room without viewers, calls and waiting work leaves memory after this. */
  readonly parkAfterMs: number;
  /** Absent: no CDN until one is set by a call. */
  readonly cdn?: CdnDeskOptions;
  /** Rooms in memory at most; the default is the service's own bound. */
  readonly roomsMax?: number;
}

export interface RunningRooms {
  readonly calls: RoomCalls;
  /** Which shards are served here, and who else is there. */
  readonly shards: OwnedShards;
  /** The CDNs there are, their weights, and who writes files. */
  readonly cdn: CdnDesk;
  /** New defaults hold at once in all rooms, for what a studio did not set itself. */
  setDefaults(settings: RoomSettings): void;
  isReady(): boolean;
  stop(): Promise<void>;
}

const NO_SOURCES: CdnDeskOptions = { sources: [], pollMs: 1000, segmentMs: 1000 };

/** Takes the shards and serves their rooms. Rejects when the store cannot be used at all. */
export async function startRooms(options: RoomOptions, parts: RoomParts): Promise<RunningRooms> {
  const { bus, store, clock, log, meter } = parts;
  const desks = new ShardDesks();
  const meters = roomMeters(meter, {
    rooms: () => rooms.size,
    online: () => desks.online,
    users: () => rooms.users,
    commitsWaiting: () => rooms.commitsWaiting,
  });
  const verdicts = new Verdicts(bus, clock, meters);
  const loop = new TickLoop(clock, meters.tickLateSeconds, (error) => {
    log.error('a room could not step', { error });
  });
  const shards: OwnedShards = new OwnedShards(() => care.holder);
  const care: ShardCare = new ShardCare(options, {
    ...parts,
    desks,
    shards,
    verdicts,
    rooms: () => rooms,
  });
  const { holder } = care;
  const fenceOf = (shard: number) => holder.fenceOf(shard);
  const cdn = new CdnDesk(options.cdn ?? NO_SOURCES, { bus, store, clock, log, meter, fenceOf });
  const rooms = new Rooms(options.defaults, options, {
    ...{ bus, store, clock, log, meters, loop, verdicts, random: parts.random },
    outside: metered(parts.outside ?? NO_OUTSIDE, meter),
    fenced: (fence) => holder.lose(fence),
    ...{ cdn, fenceOf },
    onlineOf: (room) => desks.onlineOf(room),
  });
  const uplink = new Uplink(rooms, verdicts, meters, parts.clock);
  desks.start({ bus, clock, meters, rooms, uplink, calls: new EdgeCalls(rooms, meters) });
  await cdn.start();
  await care.start();
  const sweeping = clock.every(rooms.sweepEveryMs, () => {
    rooms.sweep(clock.now()).catch((error: unknown) => log.error('sweep failed', { error }));
  });
  const scopes = scopeCalls({
    ...{ rooms, store, bus, clock, log },
    publish: (...asked) => calls.publish(...asked),
  });
  const calls: RoomCalls = { ...studioCalls(rooms, store, scopes), cdn: cdnCalls(rooms, cdn) };
  return {
    calls,
    shards,
    cdn,
    setDefaults: (settings) => rooms.setDefaults(settings),
    isReady: () => holder.isEnlisted,
    stop: async () => {
      sweeping.cancel();
      scopes.stop();
      cdn.stop();
      await holder.stop();
      await rooms.stop();
      verdicts.flush();
      loop.stop();
      await desks.passedOn();
      desks.stop();
    },
  };
}
