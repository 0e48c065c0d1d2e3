/**
 * Owns the life of a staged publication: drafted, then published or withdrawn, and what may still be
 * done in each state. Pure; knows no store and no viewer.
 */
import type { UserId } from '../../src/ids.js';

export const STAGED_STATES = ['draft', 'published', 'withdrawn'] as const;
export type StagedState = (typeof STAGED_STATES)[number];

/** Kept in one room; those that are no drafts any more make place for new ones. */
export const STAGED_MAX = 100;

export interface Staged<D> {
  /** Who is shown the draft before it is published; absent: nobody. */
  readonly preview?: readonly UserId[];
  readonly id: string;
  readonly state: StagedState;
  readonly draft: D;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Id of what was published. */
  readonly publication?: string;
}

/** Whether it may be changed or published; a state it may not leave is named by the caller. */
export function isOpen(staged: Staged<unknown>): boolean {
  return staged.state === 'draft';
}

export function edited<D>(staged: Staged<D>, draft: D, now: number): Staged<D> {
  return { ...staged, draft, updatedAt: Math.floor(now) };
}

export function published<D>(staged: Staged<D>, publication: string, now: number): Staged<D> {
  return { ...staged, state: 'published', publication, updatedAt: Math.floor(now) };
}

export function withdrawn<D>(staged: Staged<D>, now: number): Staged<D> {
  return { ...staged, state: 'withdrawn', updatedAt: Math.floor(now) };
}

/**
 * The id that makes place for one more: none is needed (`''`), the oldest that is no draft, or
 * undefined when all are drafts.
 */
export function placeForOne(all: Iterable<Staged<unknown>>, max = STAGED_MAX): string | undefined {
  let count = 0;
  let oldest: Staged<unknown> | undefined;
  for (const staged of all) {
    count++;
    if (isOpen(staged)) continue;
    if (oldest === undefined || staged.updatedAt < oldest.updatedAt) oldest = staged;
  }
  return count < max ? '' : oldest?.id;
}
