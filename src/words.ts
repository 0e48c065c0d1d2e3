/**
 * Owns the words of the field (lane, class, kind, role, position) as types and tables.
 * Knows no limit, no wire format and no service.
 */
import type { UserId } from './ids.js';
import type { Target } from './target.js';

/** Lanes from the most to the least important; the index is the priority. */
export const LANES = ['control', 'high', 'normal', 'low'] as const;
export type Lane = (typeof LANES)[number];

/** What a frame promises: `keep` is logged and replayed, `drop` may be skipped under load. */
export type FrameClass = 'keep' | 'drop';

/** What a viewer wants: everything, or of what is for everyone the keepable frames only. */
export const CLASSES = ['all', 'keep'] as const;
export type Classes = (typeof CLASSES)[number];

/** The control and high lanes are keepable, the normal and low lanes droppable. */
export function classOf(lane: Lane): FrameClass {
  return lane === 'control' || lane === 'high' ? 'keep' : 'drop';
}

/** Kinds of the publications the room itself makes of many: likes, runs of gifts, storms of emoji. */
export const LIKE_KIND = 'like';
export const COMBO_KIND = 'combo';
export const EMOJI_KIND = 'emoji';

/** Kinds of the control publications the room itself writes. */
export const RECALL_KIND = 'recall';
export const RECALLED_KIND = 'recalled';
export const ROOM_KIND = 'room';
export const ATTRIBUTES_KIND = 'attributes';
export const QUEUE_KIND = 'queue';
export const POLL_KIND = 'poll';
/** What a viewer says to vote in a poll. */
export const VOTE_KIND = 'vote';

export type Role = 'guest' | 'member' | 'moderator' | 'host';

/** Who speaks: the account behind a viewer. */
export interface Speaker {
  readonly id: UserId;
  readonly name?: string;
  /** The account's standing, 0 and up; heavier in sampling. */
  readonly level?: number;
  readonly badge?: string;
}

export interface Style {
  readonly mode?: 'scroll' | 'top' | 'bottom';
  /** `#rrggbb`. */
  readonly color?: string;
  /** Pixels at the player's standard scale, 12-64; 25 is the usual size. */
  readonly size?: number;
}

/** What the room decided to send, possibly standing for many danmaku (`count`). */
export interface Publication {
  readonly id: string;
  readonly kind: string;
  readonly lane: Lane;
  /** Place in the keepable stream; only on keepable publications. */
  readonly offset?: number;
  /** Unix milliseconds of the room's clock when it was admitted. */
  readonly at: number;
  readonly user?: Speaker;
  readonly text?: string;
  readonly style?: Style;
  /** How many danmaku this one stands for; absent means 1. */
  readonly count?: number;
  /** Opaque to the service. */
  readonly data?: unknown;
  /** Its receivers are to acknowledge it by its id. */
  readonly ack?: boolean;
  /** Whom it is meant for; absent: everyone. Stands beside its JSON text, never in it. */
  readonly to?: Target;
}

/** A viewer's place in a room's keepable stream. */
export interface Position {
  readonly epoch: number;
  readonly offset: number;
}

/** `epochs` entry: the first offset written under an epoch; see `positionHolds`. */
export type EpochStart = readonly [epoch: number, firstOffset: number];

/**
 * Whether a position still names the stream it was taken from: every epoch that began after the
 * viewer's must have begun past the viewer's offset. False after the log lost what the viewer saw.
 */
export function positionHolds(position: Position, epochs: readonly EpochStart[]): boolean {
  if (position.offset === 0) return true;
  let known = false;
  for (const [epoch, firstOffset] of epochs) {
    if (epoch <= position.epoch) known = true;
    else if (firstOffset <= position.offset) return false;
  }
  return known;
}

export type RoomStatus = 'open' | 'frozen' | 'closed';
