/** Owns what the pusher is told at its start, with the defaults. */
import type { KindPriorities } from './core/lines.js';
import type { SegmentRules } from './core/types.js';
import type { RingBounds } from './core/frame-ring.js';
import type { PatienceOptions } from './patient-origin.js';

export interface PusherOptions {
  /** Unique to the process. */
  readonly member: string;
  readonly leaseMs: number;
  readonly rules: SegmentRules;
  readonly kinds: KindPriorities;
  readonly patience: PatienceOptions;
  /** What a standby remembers of a room, and of all rooms together. */
  readonly ring: RingBounds;
  readonly ringTotalBytes: number;
  /** Closed segments of all rooms that wait for the origin. */
  readonly backlogTotalBytes: number;
}

/**
 * A second of danmaku a file; the rest follows from it and from how long an origin may be away. The lead
 * holds a step of the pusher (50 ms), compressing, and two writes to a folder or a near server.
 */
export const SEGMENT_RULES: SegmentRules = {
  segmentMs: 1000,
  leadMs: 150,
  segmentCount: 2000,
  segmentBytes: 1 << 20,
  windowMs: 10_000,
  retentionMs: 60_000,
  manifestEveryMs: 5000,
  backlogSegments: 60,
  backlogBytes: 16 << 20,
  retryMs: 200,
  retryMsMax: 2000,
};

export const PUSHER_DEFAULTS: Omit<PusherOptions, 'member'> = {
  leaseMs: 2000,
  rules: SEGMENT_RULES,
  kinds: { combo: 0, like: 0, emoji: 0, poll: 0, enter: 0 },
  patience: { deadlineMs: 5000, retries: 2, retryMs: 100, concurrency: 32 },
  ring: { ageMs: 15_000, items: 2000, bytes: 8 << 20 },
  ringTotalBytes: 128 << 20,
  backlogTotalBytes: 256 << 20,
};
