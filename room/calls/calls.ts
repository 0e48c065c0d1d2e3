/**
 * Owns the list of what a studio can ask of rooms, as data in and data out, so that a call can be
 * answered here or carried to the room's owner. Knows no HTTP and no core.
 */
import type { ScreenCalls } from './screen.js';
import type { RoomId, UserId } from '../../src/ids.js';
import type { RoomSettings, SettingsPatch } from '../../src/room-settings.js';
import type { Target } from '../../src/target.js';
import type { Verdict } from '../../src/verdict.js';
import type { OrderCalls } from './orders.js';
import type { RecordCalls } from './records.js';
import type { ScopeCalls } from './scopes.js';
import type { FrameClass, Lane, Publication, RoomStatus, Speaker, Style } from '../../src/words.js';
import type { CdnCalls } from './cdn.js';
import type { AttributeCalls } from './attributes.js';
import type { PollCalls } from './polls.js';
import type { QueueCalls } from './queues.js';
import type { PresenceCalls, PresenceStats } from './presence.js';

export interface RoomSpec {
  readonly room: RoomId;
  readonly title?: string;
  readonly labels?: readonly string[];
  readonly limits?: SettingsPatch;
}

export interface RoomChange {
  readonly title?: string;
  readonly labels?: readonly string[];
  /** `frozen`: watched, not spoken in; a closed room cannot be opened again by a change. */
  readonly status?: 'open' | 'frozen';
  /** Unix milliseconds; what exports count from. */
  readonly streamStart?: number;
}

export interface RoomView {
  readonly room: RoomId;
  readonly title: string;
  readonly labels: readonly string[];
  readonly status: RoomStatus;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix milliseconds; absent until the studio set it. */
  readonly streamStart?: number;
  readonly online: number;
}

/** A room on a list: who is there is left out when its owner did not say. */
export type ListedRoom = Omit<RoomView, 'online'> & { readonly online?: number };

/** A studio's publication, validated. */
export interface Draft {
  readonly kind: string;
  readonly lane?: Lane;
  readonly user?: Speaker;
  readonly text?: string;
  readonly style?: Style;
  readonly data?: unknown;
  /** Whom it is meant for; absent: everyone in the room. */
  readonly to?: Target;
  /** Whether users and devices named acknowledge it; absent: when it is keepable. */
  readonly reliable?: boolean;
  /** How long it is resent to those who have not. */
  readonly validMs?: number;
}

/** Makes a repeat harmless: the same key and fingerprint get the first answer again. */
export interface RepeatKey {
  readonly key: string;
  readonly fingerprint: string;
}

/** The fate of a studio's publication. */
export interface Fated {
  readonly id: string;
  readonly verdict: Verdict;
  readonly lane: Lane;
  readonly class: FrameClass;
  /** Place in the keepable stream; absent on droppable publications. */
  readonly epoch?: number;
  readonly offset?: number;
  readonly retryAfterMs?: number;
  /** True when the answer is a remembered one. */
  readonly repeated?: boolean;
}

export type SanctionKind = 'mutes' | 'bans' | 'allowed';

export interface Sanction {
  readonly user: UserId;
  /** Unix milliseconds of its end; 0 means until lifted. */
  readonly until: number;
  readonly reason?: string;
}

export interface Kick {
  /** Told to the user. */
  readonly reason: string;
  /** The user stays out for this long; absent: may come back at once. */
  readonly forMs?: number;
}

export interface HistoryPage {
  readonly room: RoomId;
  readonly epoch: number;
  readonly publications: readonly Publication[];
  /** Offset to ask from for the next page; absent at the end. */
  readonly next?: number;
  /** Oldest offset still kept. */
  readonly oldest: number;
}

export interface LimitsView {
  /** What holds now. */
  readonly effective: RoomSettings;
  /** What the studio changed of the configuration file's defaults. */
  readonly own: SettingsPatch;
}

export interface LimitsChange extends LimitsView {
  /** Every setting whose effective value differs, by path. */
  readonly changed: readonly {
    readonly path: string;
    readonly before: unknown;
    readonly after: unknown;
  }[];
  readonly dryRun: boolean;
}

export interface RoomStats extends PresenceStats {
  readonly room: RoomId;
  readonly online: number;
  readonly epoch: number;
  readonly offset: number;
  readonly tick: number;
  readonly queued: Readonly<Record<Lane, number>>;
  /** Ends of all danmaku since the owner took the room. */
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  readonly received: number;
  readonly likes: number;
  /** Share of ordinary danmaku let through at the edges, 0-1. */
  readonly admission: number;
}

/** Each rejects with BarrageError; `not_found` for a room that does not exist, `closed` for one that ended. */
export interface RoomCalls extends ScreenCalls {
  readonly scopes: ScopeCalls;
  create(spec: RoomSpec): Promise<RoomView>;
  read(room: RoomId): Promise<RoomView>;
  change(room: RoomId, change: RoomChange): Promise<RoomView>;
  close(room: RoomId): Promise<RoomView>;
  list(after: string, limit: number): Promise<{ rooms: ListedRoom[]; next?: string }>;
  /** Viewers of those of the rooms that are owned here. */
  online(rooms: readonly RoomId[]): Promise<readonly (readonly [RoomId, number])[]>;
  /** Keepable: resolves after the publication is in the log. Droppable: after its tick. */
  publish(room: RoomId, draft: Draft, key?: RepeatKey): Promise<Fated>;
  /** Oldest first from `from`; without it the newest `limit`. */
  history(room: RoomId, from: number | undefined, limit: number): Promise<HistoryPage>;
  /** Takes a publication back: viewers are told, the log keeps a tombstone. */
  recall(room: RoomId, id: string): Promise<void>;
  impose(room: RoomId, kind: SanctionKind, sanction: Sanction): Promise<Sanction>;
  lift(room: RoomId, kind: SanctionKind, user: UserId): Promise<boolean>;
  sanctions(
    room: RoomId,
    kind: SanctionKind,
    after: string,
    limit: number,
  ): Promise<{ items: Sanction[]; next?: string }>;
  kick(room: RoomId, user: UserId, how: Kick): Promise<void>;
  limits(room: RoomId): Promise<LimitsView>;
  /** A null value in the patch gives a setting back to the configuration file. */
  changeLimits(
    room: RoomId,
    patch: { readonly [K in keyof SettingsPatch]: SettingsPatch[K] | null },
    dryRun: boolean,
  ): Promise<LimitsChange>;
  stats(room: RoomId): Promise<RoomStats>;
  readonly orders: OrderCalls;
  readonly records: RecordCalls;
  readonly presence: PresenceCalls;
  readonly attributes: AttributeCalls;
  readonly queues: QueueCalls;
  readonly polls: PollCalls;
  readonly cdn: CdnCalls;
}
