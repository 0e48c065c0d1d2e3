/**
 * Owns the shape of a power: a part of a room beside the core that keeps records of its own, takes
 * viewers' kinds of its own, judges danmaku before the core, or steps with time. One object a room
 * and part, made in room/powers/powers.ts. Types only.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import type { Fence } from '../../src/ports/store.js';
import type { Random } from '../../src/random.js';
import type { RoomSettings } from '../../src/room-settings.js';
import type { Verdict } from '../../src/verdict.js';
import type { Fact, FactChange, RoomNote } from '../../src/wire/internal.js';
import type { Publication, RoomStatus } from '../../src/words.js';
import type { RoomCdn } from '../cdn/room-cdn.js';
import type { RoomActs } from './acts.js';
import type { Draft, Fated } from '../calls/calls.js';
import type { DropRate } from '../core/drop-rate.js';
import type { RoomState } from '../core/state.js';
import type { Arrival } from '../core/types.js';
import type { Work } from '../keeper.js';
import type { LogBounds } from '../log-book.js';
import type { MeteredOutside } from './outside.js';
import type { Ride } from '../senders.js';
import type { Shelf } from './shelf.js';

/** The one end of an arrival that a power decided. */
export interface Settled {
  readonly verdict: Verdict;
  /** Id of the publication that carries it, when one does. */
  readonly id?: string;
  readonly retryAfterMs?: number;
  /** For the sender, from who refused it. */
  readonly reason?: string;
}

/** What a judge makes of a danmaku; undefined lets it go on as it is. */
export type Judgement =
  | { readonly settled: Settled }
  /** Goes on changed; `ref` and `role` stay those of the arrival. */
  | { readonly altered: Arrival }
  | undefined;

/** A user came with its first connection to the room or left with its last. */
export interface PresenceChange {
  readonly user: UserId;
  readonly isHere: boolean;
}

export interface Power {
  /** Kinds of viewers it takes instead of the core; viewers may say them without being listed. */
  readonly kinds?: readonly string[];
  /** Those of `kinds` that guests may say too. */
  readonly guestKinds?: readonly string[];
  /**
   * Its verdict on an arrival of one of its kinds, now or later. Status, bans, guests and the user's
   * quota have been looked at. Must not throw for bad data: that is verdict `invalid`.
   */
  arrival?(arrival: Arrival, now: number): Settled | Promise<Settled>;
  /**
   * Asked about every danmaku of the core's kinds that would otherwise be let in, in the order of
   * room/powers/powers.ts; a promise holds that one back, not those behind it.
   */
  judge?(arrival: Arrival, now: number): Judgement | Promise<Judgement>;
  /** False while it would let all go on as they are, and need not be asked. Absent means true. */
  isJudging?(): boolean;
  /** What just went out (droppable) or is in the log (keepable, with offsets), in order. */
  published?(publications: readonly Publication[], now: number): void;
  /** A user came or left. */
  online?(change: PresenceChange, now: number): void;
  /** What who joins is shown, whole; changes are told by `PowerHost.show`. */
  facts?(): readonly Fact[];
  /** When `step` is wanted (unix milliseconds); Infinity for not. Asked after every event. */
  nextAt?(): number;
  step?(now: number): void;
  /** Now and then: forgets what is past its time. */
  sweep?(now: number): void;
  /** False keeps the room in memory: something is under way or not stored. Absent means true. */
  idle?(): boolean;
  /** Before the room ends here: starts storing what is not stored; true while anything is not. */
  save?(now: number): boolean;
  /** Resolves when what it has under way in the store, beside the room's own commits, has ended. */
  ended?(): Promise<void>;
  /** The room is no longer served here; nothing more is asked of the power or taken from it. */
  drop?(): void;
}

/** What a room gives its powers. Nothing of it may be used before the room is made. */
export interface PowerHost {
  readonly room: RoomId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The core; powers read it and change it only by the functions of room/core/. */
  readonly state: RoomState;
  /** Of droppables for everyone, to each viewer. */
  readonly dropRate: DropRate;
  /** The CDNs of this service. */
  readonly cdn: RoomCdn;
  readonly fence: Fence;
  /** The studio's back end, the word lists. */
  readonly outside: MeteredOutside;
  settings(): RoomSettings;
  status(): RoomStatus;
  /**
   * Offers a publication of the room's own. Keepable: resolves when it is in the log together with
   * what `ride` added (`work.records.set(name, json | null)`); `work.after.push(run)` runs when the
   * commit is durable and before its frames leave: there memory follows.
   */
  post(draft: Draft, ride?: Ride): Promise<Fated>;
  /** A durable change without a publication; `kept` runs when it is. */
  change(add: (work: Work) => void, kept?: () => void): Promise<void>;
  note(note: RoomNote): void;
  /** What the studio can do to the room, for whom it lets. */
  readonly acts: RoomActs;
  /** Has the room loaded whenever its shard is taken, until it has no announcements to come. */
  keepAwake(): Promise<void>;
  /** A second log of the room under this name (letters); the bounds are asked at each append. */
  shelf(name: string, bounds: () => LogBounds): Shelf;
  /** Counts publications that did not get into the archive. */
  archiveLost(count: number): void;
  /** Changes of `facts()`, told to the edges in order with the frames. */
  show(changes: readonly FactChange[]): void;
  /** Users came or left: every power hears of it. */
  tellOnline(change: PresenceChange): void;
  /** `nextAt` may have changed outside of an event of the room. */
  wake(): void;
}

/** A power's records as the store had them, by whole name (`prefix` and what follows). */
export type RawRecords = ReadonlyMap<string, string>;
