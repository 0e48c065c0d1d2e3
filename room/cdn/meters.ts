/** Owns the names of everything a room service counts about CDNs, one sentence each. */
import type { CounterSet, Meter } from '../../src/telemetry/meter.js';

const NOTES = ['table', 'rooms', 'beat', 'sum', 'unknown_cdn', 'old', 'unreadable'] as const;

export interface CdnMeters {
  readonly notes: CounterSet<(typeof NOTES)[number]>;
}

/** Once per meter. */
export function cdnMeters(
  meter: Meter,
  read: {
    readonly weights: () => readonly (readonly [id: string, weight: number])[];
    readonly written: () => number;
  },
): CdnMeters {
  meter.gauge('barrage_cdn_sources', 'CDNs viewers are told of', () => read.weights().length);
  meter.gauge(
    'barrage_cdn_sources_down',
    'CDNs that viewers are kept from',
    () => read.weights().filter(([, weight]) => weight === 0).length,
  );
  meter.gauge('barrage_cdn_written_shards', 'Shards whose files a pusher writes', read.written);
  return {
    notes: meter.counters(
      'barrage_cdn_notes_total',
      'What was heard about CDNs: tables, rooms on them, beats of pushers, sums of reports, and what was passed over',
      'what',
      NOTES,
    ),
  };
}
