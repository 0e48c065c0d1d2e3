/**
 * Owns what a room is given of the CDN, as a type: the sources in force, whether its shard is being
 * written, and the way to tell pushers. Knows no room.
 */
import type { RoomId } from '../../src/ids.js';
import type { Fence } from '../../src/ports/store.js';
import type { CdnRegions, CdnSource } from '../../src/wire/cdn.js';

export interface RoomCdn {
  readonly pollMs: number;
  readonly segmentMs: number;
  /** Rises with each change of `sources` that viewers should hear of. */
  readonly version: number;
  /** What viewers are told; none: no CDN. */
  readonly sources: readonly CdnSource[];
  /** Weights of the viewers of some regions, in the order of `sources`. */
  readonly regions: CdnRegions;
  /** Whether somebody writes the files of the shard. */
  isWritten(shard: number): boolean;
  /** Whether who writes them is about to end, with nobody to take over. */
  isEnding(shard: number): boolean;
  /** Tells pushers; what the bus does not take is told again in a moment. */
  announce(fence: Fence, room: RoomId, mode: 'on' | 'off'): void;
}

/** Of a service without any CDN. */
export const NO_CDN: RoomCdn = {
  ...{ pollMs: 1000, segmentMs: 1000, version: 0, sources: [], regions: {} },
  isWritten: () => false,
  isEnding: () => false,
  announce: () => undefined,
};
