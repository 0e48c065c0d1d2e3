/**
 * Owns the shapes in which the room core is asked and answers. The core is a function of
 * (state, event, now, random): the same inputs give the same plan.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { RoomSettings } from '../../src/room-settings.js';
import type { Target } from '../../src/target.js';
import type { Verdict } from '../../src/verdict.js';
import type { StoredCombo } from './combos.js';
import type { Lane, Publication, Role, RoomStatus, Speaker, Style } from '../../src/words.js';

/** Whatever the shell needs to answer a sender; the core carries it and never looks inside. */
export type Ref = unknown;

/** What a room starts from, whether new or taken over. */
export interface RoomSeed {
  readonly room: RoomId;
  readonly epoch: number;
  readonly status: RoomStatus;
  readonly settings: RoomSettings;
  /** User to end in unix milliseconds; 0 is for good. */
  readonly mutes: ReadonlyMap<UserId, number>;
  readonly bans: ReadonlyMap<UserId, number>;
  readonly allowed: ReadonlyMap<UserId, number>;
  readonly likes: number;
  /** Runs of gifts that were going on; absent means none. */
  readonly openCombos?: readonly StoredCombo[];
  /**
   * Number of the newest publication if the room was open under this epoch before (`RoomState.seq`
   * then); absent means 0. Ids would repeat without it.
   */
  readonly seq?: number;
  readonly now: number;
}

/** A viewer's danmaku at the room's door, already decoded and validated in form. */
export interface Arrival {
  readonly ref: Ref;
  readonly user: Speaker;
  readonly role: Role;
  readonly kind: string;
  /** Milliseconds between leaving the edge and reaching the room's door, when known. */
  readonly waitedMs?: number;
  readonly text?: string;
  readonly style?: Style;
  readonly data?: unknown;
}

/** A studio's or the room's own publication; not subject to user and uplink limits. */
export interface Offer {
  readonly ref: Ref;
  /** Whom it is meant for; absent: everyone. */
  readonly to?: Target;
  readonly kind: string;
  readonly lane: Lane;
  readonly user?: Speaker;
  readonly text?: string;
  readonly style?: Style;
  readonly data?: unknown;
}

/** Whatever came in by either door. */
export type Said = Arrival | Offer;

/** The one end of a danmaku or offer. */
export interface Settlement {
  readonly ref: Ref;
  readonly verdict: Verdict;
  /** Id of the publication that carries it, when one does. */
  readonly id?: string;
  readonly retryAfterMs?: number;
  /** For the sender, from who refused it. */
  readonly reason?: string;
}

/** A publication chosen by a tick and the senders it stands for, first sender first. */
export interface Planned {
  /** Without offset: the shell gives keepable ones theirs when the log has them. */
  readonly publication: Publication;
  readonly refs: readonly Ref[];
}

/** What one tick decided; the shell logs `keep`, encodes, publishes. */
export interface TickPlan {
  readonly tick: number;
  readonly at: number;
  /** In order of lane, then of arrival. Not settled until the shell says they are logged. */
  readonly keep: readonly Planned[];
  /** In order of arrival. Already settled as published or merged. */
  readonly drop: readonly Planned[];
  /** Danmaku sampled out or shed since the last tick that sent something. */
  readonly shed: number;
  readonly online: number;
  /** Which danmaku the edges should let through (src/admission-level.ts). */
  readonly admission: number;
}
