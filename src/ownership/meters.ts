/**
 * Owns the names of what a holder of shards counts, for room services and pushers alike.
 */
import type { Counter, Histogram, Meter } from '../telemetry/meter.js';

export interface OwnershipMeters {
  readonly taken: Counter;
  readonly lost: Counter;
  readonly handedOver: Counter;
  /** From the decision until the shard is released. */
  readonly handOverSeconds: Histogram;
  readonly storeFailures: Counter;
}

export function ownershipMeters(
  meter: Meter,
  prefix: 'barrage_room' | 'barrage_pusher',
  held: () => number,
): OwnershipMeters {
  meter.gauge(`${prefix}_shards`, 'shards owned', held);
  return {
    taken: meter.counter(`${prefix}_shards_taken_total`, 'shards taken'),
    lost: meter.counter(`${prefix}_shards_lost_total`, 'shards lost to another owner'),
    handedOver: meter.counter(
      `${prefix}_shards_handed_over_total`,
      'shards given up in good order',
    ),
    handOverSeconds: meter.histogram(`${prefix}_hand_over_seconds`, 'time one hand-over took'),
    storeFailures: meter.counter(
      `${prefix}_ownership_store_failures_total`,
      'calls for leases and members that the store did not answer',
    ),
  };
}
