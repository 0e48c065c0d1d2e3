/** Owns what a studio can ask of the danmaku held for review, as data in and data out. */
import type { RoomId } from '../../src/ids.js';
import type { Speaker, Style } from '../../src/words.js';
import type { Fated } from './calls.js';

/** A danmaku held until somebody decides. */
export interface Review {
  readonly id: string;
  readonly user: Speaker;
  readonly kind: string;
  readonly text?: string;
  readonly style?: Style;
  readonly data?: unknown;
  /** Unix milliseconds. */
  readonly heldAt: number;
  readonly expiresAt: number;
  /** Who held it, and the word or reason if there is one. */
  readonly by: 'words' | 'callback';
  readonly reason?: string;
}

/** `publication`: what became of an approved one. */
export interface ReviewEnd {
  readonly id: string;
  readonly action: 'approve' | 'reject';
  readonly publication?: Fated;
}

/** Each rejects with BarrageError; `not_found` for a review decided on, expired or never held. */
export interface ReviewCalls {
  list(room: RoomId, after: string, limit: number): Promise<{ items: Review[]; next?: string }>;
  /** Approved, it is published as the room's own; what is not shown stays held. */
  approve(room: RoomId, id: string): Promise<ReviewEnd>;
  reject(room: RoomId, id: string): Promise<ReviewEnd>;
}
