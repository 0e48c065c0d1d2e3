/** Owns the names of what the pusher counts. Rooms are never labels. */
import type { Counter, CounterSet, Histogram, Meter } from '../src/telemetry/meter.js';

/**
 * `taken`: in a segment to be; `repeat`: in one already; `stale`: of an older owner or out of order;
 * `targeted`: meant for some; `broken`: no envelope.
 */
const FRAME_FATES = ['taken', 'repeat', 'stale', 'targeted', 'broken'] as const;
const OPERATION_ENDS = ['ok', 'failed', 'timeout'] as const;

export interface PusherMeters {
  readonly frames: CounterSet<(typeof FRAME_FATES)[number]>;
  readonly publications: Counter;
  readonly unreadable: Counter;
  readonly recalled: Counter;
  readonly shed: Counter;
  readonly gaps: Counter;
  readonly segments: Counter;
  readonly segmentBytes: Counter;
  readonly manifests: Counter;
  readonly fenced: Counter;
  readonly leftBehind: Counter;
  readonly operations: CounterSet<(typeof OPERATION_ENDS)[number]>;
  readonly operationSeconds: Histogram;
  /** From the end of a segment to the manifest that names it. */
  readonly delaySeconds: Histogram;
}

export interface PusherSizes {
  rooms(): number;
  owned(): number;
  backlogSegments(): number;
  backlogBytes(): number;
  ringBytes(): number;
}

export function pusherMeters(meter: Meter, sizes: PusherSizes): PusherMeters {
  meter.gauge('barrage_cdn_rooms', 'rooms in CDN mode heard by this pusher', sizes.rooms);
  meter.gauge('barrage_cdn_rooms_owned', 'rooms this pusher writes', sizes.owned);
  const waiting = 'closed segments waiting for the origin';
  meter.gauge('barrage_cdn_backlog_segments', waiting, sizes.backlogSegments);
  meter.gauge('barrage_cdn_backlog_bytes', `bytes of ${waiting}`, sizes.backlogBytes);
  meter.gauge('barrage_cdn_standby_bytes', 'bytes of frames kept for a takeover', sizes.ringBytes);
  const count = (name: string, help: string) => meter.counter(`barrage_cdn_${name}_total`, help);
  return {
    frames: meter.counters('barrage_cdn_frames_total', 'droppable frames', 'fate', FRAME_FATES),
    publications: count('publications', 'publications taken into segments'),
    unreadable: count('unreadable_publications', 'publications without id or time, left out'),
    recalled: count('recalled_publications', 'publications recalled before they were written'),
    shed: count('shed_publications', 'publications given up since the origin was slow or down'),
    gaps: count('gaps', 'takeovers that could not tell whether something is missing'),
    segments: count('segments', 'segments written'),
    segmentBytes: count('segment_bytes', 'bytes of segments written, uncompressed'),
    manifests: count('manifests', 'manifests written'),
    fenced: count('fenced', 'manifests refused since a newer pusher writes the room'),
    leftBehind: count('left_behind_files', 'files that could not be deleted'),
    operations: meter.counters(
      'barrage_cdn_operations_total',
      'operations at the origin',
      'end',
      OPERATION_ENDS,
    ),
    operationSeconds: meter.histogram('barrage_cdn_operation_seconds', 'time of an operation'),
    delaySeconds: meter.histogram('barrage_cdn_delay_seconds', 'end of a segment to its manifest'),
  };
}
