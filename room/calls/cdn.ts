/** Owns what a studio can ask about CDNs, as data in and data out. */
import type { RoomId } from '../../src/ids.js';
import type { CdnChoice } from '../../src/room-settings.js';
import type { CdnRegions, CdnSource } from '../../src/wire/cdn.js';
import type { CdnEntry, CdnSpec } from '../../src/wire/cdn-state.js';
import type { CdnWhy } from '../core/cdn-switch.js';

/** How it stands with one room. */
export interface CdnView {
  /** As the studio or the configuration file sets it. */
  readonly choice: CdnChoice;
  readonly mode: 'on' | 'off';
  /** Unix milliseconds of the last change; 0: never. */
  readonly since: number;
  readonly why: CdnWhy;
  readonly online: number;
  /** Droppable bytes a second that the audience asks for, by whichever way, before compression. */
  readonly egressBytesPerSecond: number;
  /** Somebody writes the files of the room's shard. */
  readonly written: boolean;
  readonly sources: readonly CdnSource[];
  /** Weights of the viewers of some regions, in the order of `sources`; null: not for them. */
  readonly regions: CdnRegions;
}

export interface CdnsView {
  /** Set by `PUT /v1/cdns`; false: the configuration file's. */
  readonly isOwn: boolean;
  readonly cdns: readonly CdnEntry[];
}

export interface CdnCalls {
  room(room: RoomId): Promise<CdnView>;
  cdns(): Promise<CdnsView>;
  /** Undefined gives the table back to the configuration file. */
  setCdns(specs: readonly CdnSpec[] | undefined): Promise<CdnsView>;
}
