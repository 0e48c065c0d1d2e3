/**
 * Owns the decision what a viewer with bytes still waiting gets next. Knows no socket.
 * Rules: SPEC E-SLOW-1, E-SLOW-2.
 */

export interface SlowMarks {
  /** Over this a viewer leaves the droppable stream. */
  readonly softMarkBytes: number;
  /** Over this it is ended. */
  readonly hardMarkBytes: number;
}

/** `full`: everything; `keep`: keepable frames only; `end`: close it as slow. */
export type SlowStep = 'full' | 'keep' | 'end';

/**
 * The next step for a viewer with `bufferedBytes` waiting. One that lags comes back when it has
 * drained below half of the soft mark, so that it does not flutter at the mark.
 */
export function slowStep(lagging: boolean, bufferedBytes: number, marks: SlowMarks): SlowStep {
  if (bufferedBytes > marks.hardMarkBytes) return 'end';
  const mark = lagging ? marks.softMarkBytes / 2 : marks.softMarkBytes;
  return bufferedBytes > mark ? 'keep' : 'full';
}
