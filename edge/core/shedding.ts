/**
 * Owns how much of the droppable frames an edge lets through when it would send more than it should,
 * or its loop runs late. Bytes are judged by what is offered (sent and thinned out alike), so that
 * the answer does not sway with its own effect: what leaves the edge settles between the two marks.
 * Rules: SPEC E-SHED-1, E-SHED-2.
 */

export interface ShedMarks {
  /** Bytes per second from which droppable frames are thinned out; 0: never. */
  readonly egressSoftBytes: number;
  /** Bytes per second that are not passed, as far as droppable frames can help it. */
  readonly egressHardBytes: number;
  /** Lateness of the loop from which they are thinned out bit by bit; 0: never. */
  readonly lagSoftMs: number;
  /** Lateness from which they are thinned out fast. */
  readonly lagHardMs: number;
}

/** What an edge has to do at the moment. */
export interface ShedLoad {
  /** Bytes per second that would be sent if nothing was thinned out. */
  readonly offeredBytes: number;
  /** Those of them in droppable frames for everyone. */
  readonly droppableBytes: number;
  readonly lagMs: number;
}

export const SHED_LEVELS = ['none', 'soft', 'hard'] as const;
export type ShedLevel = (typeof SHED_LEVELS)[number];

export interface Shedding {
  /** How hard pressed: what newcomers are told by. */
  readonly level: ShedLevel;
  /** Share of the droppable flushes let through, 0-1. */
  readonly share: number;
  /** What the loop's lateness alone would let through. */
  readonly lagShare: number;
}

export const NO_SHEDDING: Shedding = { level: 'none', share: 1, lagShare: 1 };

/** Steps are this far apart; the lag's share moves by a factor a step. */
export const SHED_STEP_MS = 100;
/** A level is left only below this share of its mark. */
const LEAVE_SHARE = 0.9;
const LAG_LEAVE_SHARE = 0.5;
const LAG_SOFT_FACTOR = 0.97;
const LAG_HARD_FACTOR = 0.8;
const LAG_BACK_FACTOR = 1.03;
const LAG_SHARE_MIN = 0.02;

/** The next state; call it every SHED_STEP_MS. */
export function stepShedding(before: Shedding, load: ShedLoad, marks: ShedMarks): Shedding {
  const lagShare = lagShareOf(before.lagShare, load.lagMs, marks);
  return {
    level: levelOf(before.level, load, marks),
    share: Math.min(egressShare(load, marks), lagShare),
    lagShare,
  };
}

/**
 * Share of droppable bytes that may leave. Up to the soft mark all of it; from there on the bytes
 * let out rise ever slower towards the hard mark, which even endless load does not pass.
 */
function egressShare({ offeredBytes, droppableBytes }: ShedLoad, marks: ShedMarks): number {
  const { egressSoftBytes: soft, egressHardBytes: hard } = marks;
  if (soft <= 0 || hard <= soft || offeredBytes <= soft || droppableBytes <= 0) return 1;
  const over = (offeredBytes - soft) / (hard - soft);
  const wanted = soft + ((hard - soft) * over) / (1 + over);
  // What is keepable is not touched: the droppable part makes room for it.
  const kept = offeredBytes - droppableBytes;
  return Math.min(1, Math.max(0, (wanted - kept) / droppableBytes));
}

/** Lateness is an effect, not a demand: the share feels its way. */
function lagShareOf(share: number, lagMs: number, { lagSoftMs, lagHardMs }: ShedMarks): number {
  if (lagSoftMs <= 0) return 1;
  if (lagHardMs > lagSoftMs && lagMs > lagHardMs) {
    return Math.max(LAG_SHARE_MIN, share * LAG_HARD_FACTOR);
  }
  if (lagMs > lagSoftMs) return Math.max(LAG_SHARE_MIN, share * LAG_SOFT_FACTOR);
  return lagMs > lagSoftMs * LAG_LEAVE_SHARE ? share : Math.min(1, share * LAG_BACK_FACTOR);
}

function levelOf(before: ShedLevel, load: ShedLoad, marks: ShedMarks): ShedLevel {
  const { egressSoftBytes, egressHardBytes, lagSoftMs, lagHardMs } = marks;
  const { offeredBytes, lagMs } = load;
  const isOver = (bytesMark: number, lagMark: number, isAbove: boolean): boolean => {
    const bytes = isAbove ? bytesMark * LEAVE_SHARE : bytesMark;
    const lag = isAbove ? lagMark * LAG_LEAVE_SHARE : lagMark;
    return (bytesMark > 0 && offeredBytes > bytes) || (lagMark > 0 && lagMs > lag);
  };
  if (isOver(egressHardBytes, lagHardMs, before === 'hard')) return 'hard';
  return isOver(egressSoftBytes, lagSoftMs, before !== 'none') ? 'soft' : 'none';
}
