/**
 * Owns what a room is made of and started from, as types.
 */
import type { RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Fence, Store } from '../src/ports/store.js';
import type { Random } from '../src/random.js';
import type { RoomSettings } from '../src/room-settings.js';
import type { RoomCdn } from './cdn/room-cdn.js';
import type { LoadedRoom } from './loader.js';
import type { RoomMeters } from './meters.js';
import type { MeteredOutside } from './powers/outside.js';
import type { TickLoop } from './tick-loop.js';
import type { Verdicts } from './verdicts.js';

export interface RoomTools {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: RoomMeters;
  readonly loop: TickLoop;
  readonly verdicts: Verdicts;
  readonly outside: MeteredOutside;
  /** Absent: no CDN. */
  readonly cdn?: RoomCdn;
  /** A commit under this fence was refused: another owner has the shard. */
  readonly fenced: (fence: Fence) => void;
}

export interface RoomStart {
  readonly room: RoomId;
  readonly fence: Fence;
  readonly loaded: LoadedRoom;
  readonly defaults: RoomSettings;
  /** Made just now, so nothing under its name was ever stored. */
  readonly isNew: boolean;
}
