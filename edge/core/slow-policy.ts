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
 * The next step for a viewer with `bufferedBytes` waiting and `nextBytes` to be added to them. One
 * that lags comes back when it has drained below half of the soft mark, so that it does not flutter
 * at the mark. What is to be added counts too: under load it may be many times the mark at once.
 */
export function slowStep(
  lagging: boolean,
  bytes: { readonly bufferedBytes: number; readonly nextBytes: number },
  marks: SlowMarks,
): SlowStep {
  const { bufferedBytes, nextBytes } = bytes;
  if (bufferedBytes > marks.hardMarkBytes) return 'end';
  if (lagging && bufferedBytes > marks.softMarkBytes / 2) return 'keep';
  return bufferedBytes + nextBytes > marks.softMarkBytes ? 'keep' : 'full';
}
