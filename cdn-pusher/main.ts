/** The parts list of the CDN pusher: leases of shards, rooms in CDN mode, the origin, and their end. */
import { ownershipMeters } from '../src/ownership/meters.js';
import { ShardHolder } from '../src/ownership/shard-holder.js';
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Store } from '../src/ports/store.js';
import { randomId, type Random } from '../src/random.js';
import type { Meter } from '../src/telemetry/meter.js';
import { pusherMeters } from './meters.js';
import type { PusherOptions } from './options.js';
import type { Origin } from './origin.js';
import { PatientOrigin } from './patient-origin.js';
import { PUSHER_LEASES, Pusher } from './pusher.js';

export interface PusherParts {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** Closed by `stop`. */
  readonly origin: Origin;
}

export interface RunningPusher {
  /** Whether it is on its group's list and may be given rooms. */
  isReady(): boolean;
  /** Before `stop`, where rooms live on: they are told when nobody is there to take over. */
  leave(): Promise<void>;
  /** Writes what was taken in, hands the shards over, closes the origin. */
  stop(): Promise<void>;
}

/** Rejects with the store's error when it does not answer at the start. */
export async function startPusher(
  options: PusherOptions,
  parts: PusherParts,
): Promise<RunningPusher> {
  const { bus, store, clock, random, log, meter } = parts;
  const sum = (of: (feed: ReturnType<typeof feeds>[number]) => number) => () =>
    feeds().reduce((total, feed) => total + of(feed), 0);
  const meters = pusherMeters(meter, {
    rooms: sum(() => 1),
    owned: sum((feed) => (feed.isOwned ? 1 : 0)),
    backlogSegments: sum((feed) => feed.writer?.segments.backlog.segments ?? 0),
    backlogBytes: sum((feed) => feed.writer?.segments.backlog.bytes ?? 0),
    ringBytes: sum((feed) => feed.ring.bytes),
  });
  const origin = new PatientOrigin(parts.origin, options.patience, { clock, random, meters });
  // No letters that end a name or part one.
  const run = randomId(9).replaceAll(/[^A-Za-z0-9]/g, '0');
  const pusher = new Pusher(options, {
    ...{ bus, clock, random, log, meters, origin, run },
    members: () => holder.members,
    lose: (fence) => holder.lose(fence),
  });
  const feeds = () => [...pusher.feeds];
  const holder: ShardHolder = new ShardHolder(
    { group: 'pushers', member: options.member, leaseMs: options.leaseMs, leases: PUSHER_LEASES },
    {
      ...{ store, bus, clock, random, log },
      meters: ownershipMeters(meter, 'barrage_pusher', () => holder.count),
      taken: (fence) => pusher.taken(fence),
      handOver: (fence) => pusher.handOver(fence),
      lost: (fence) => pusher.lost(fence),
    },
  );
  pusher.start();
  try {
    await holder.start();
  } catch (error) {
    await pusher.stop();
    await origin.close();
    throw error;
  }
  log.info('pusher ready', { member: options.member, run, shards: holder.count });
  return {
    isReady: () => holder.isEnlisted,
    leave: () => pusher.leave(),
    stop: async () => {
      pusher.prepareStop();
      await holder.stop();
      await pusher.stop();
      await origin.close();
    },
  };
}
