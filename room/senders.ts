/**
 * Owns who waits for the end of a danmaku: a viewer behind an edge or a studio's call. The core
 * carries these as opaque refs and hands them back with the verdict.
 */
import type { BarrageError } from '../src/errors.js';
import { classOf, type Lane, type Publication } from '../src/words.js';
import type { Fated } from './calls/calls.js';
import type { Settlement } from './core/types.js';
import type { Work } from './keeper.js';

/** A viewer's danmaku: its edge and the edge's number for it. */
export interface EdgeSender {
  readonly by: 'edge';
  readonly edge: string;
  readonly ref: number;
}

/** Where a keepable publication was put, before its commit. */
export interface Placed {
  readonly publication: Publication;
  readonly epoch: number;
  readonly offset: number;
  /** False for those that became part of another's publication. */
  readonly first: boolean;
}

/** Adds to the commit that carries a call's publication. */
export type Ride = (work: Work, placed: Placed) => void;

/** A call of the studio; `ride` adds to the commit that carries its publication. */
export interface CallSender {
  readonly by: 'call';
  readonly ride: Ride | undefined;
  placed: Placed | undefined;
  error: BarrageError | undefined;
  settle(settlement: Settlement): void;
}

export type Sender = EdgeSender | CallSender;

export function isCallSender(ref: unknown): ref is CallSender {
  return (ref as Sender | undefined)?.by === 'call';
}

/** The answer to a call whose publication is in the log. */
export function fatedAt(placed: Placed): Fated {
  const { publication, epoch, offset, first } = placed;
  const verdict = first ? 'published' : 'merged';
  return { id: publication.id, verdict, lane: publication.lane, class: 'keep', epoch, offset };
}

/** The answer to a call whose publication went to `lane` and ended so. */
export function fatedOf(settlement: Settlement, lane: Lane, placed: Placed | undefined): Fated {
  const { verdict, id, retryAfterMs } = settlement;
  if (placed !== undefined && (verdict === 'published' || verdict === 'merged')) {
    return { ...fatedAt(placed), verdict };
  }
  return {
    id: id ?? '',
    verdict,
    lane,
    class: classOf(lane),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
  };
}
