/** Owns the words of the pusher: lines, frames taken in, rules of segments, plans. No behaviour. */
import type { RoomId } from '../../src/ids.js';
import type { Manifest, SegmentEntry, Through } from '../../src/wire/cdn.js';

/** 0: what stands for many; 1: the normal lane; 2: the low lane. */
export type Priority = 0 | 1 | 2;

/** One publication: its JSON text as it came, and what is read from it. */
export interface Line {
  readonly id: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly priority: Priority;
  readonly bytes: Uint8Array;
}

/** A droppable frame for everyone with its place in the room's stream. */
export interface TakenFrame {
  readonly place: Through;
  readonly online: number;
  readonly lines: readonly Line[];
  /** Bytes of the lines, line breaks included. */
  readonly bytes: number;
  /** When it came, unix milliseconds. */
  readonly heardAt: number;
}

export interface SegmentRules {
  /** Segments end at multiples of this on the wall clock. */
  readonly segmentMs: number;
  /** They close this long before, so that they are at the origin when the tick comes. */
  readonly leadMs: number;
  /** A segment with so many publications or bytes ends before its tick. */
  readonly segmentCount: number;
  readonly segmentBytes: number;
  /** The manifest names a segment for this long. */
  readonly windowMs: number;
  /** A segment is deleted so long after it left the manifest. */
  readonly retentionMs: number;
  /** The manifest is made anew this often at least. */
  readonly manifestEveryMs: number;
  /** Bounds of closed segments that wait for the origin, of one room. */
  readonly backlogSegments: number;
  readonly backlogBytes: number;
  /** Wait after the first failure; doubles with each further one up to the last. */
  readonly retryMs: number;
  readonly retryMsMax: number;
}

/** Who writes: parts of names and manifests. */
export interface Writer {
  readonly room: RoomId;
  readonly epoch: number;
  readonly run: string;
  /** Whether `Range` requests give bytes of the lines themselves. */
  readonly ranges: boolean;
}

/** Missing before the next segment, unix milliseconds. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** A whole segment ready to be written; `entry` lacks what only its bytes tell. */
export interface SealedSegment {
  readonly name: string;
  readonly body: Buffer;
  readonly entry: Omit<SegmentEntry, 'hash'>;
}

/** What to do next at the origin; answered by `done` or `failed` before the next one is asked for. */
export type Plan =
  | { readonly act: 'segment'; readonly segment: SealedSegment }
  | { readonly act: 'manifest'; readonly manifest: Manifest }
  | { readonly act: 'remove'; readonly name: string };
