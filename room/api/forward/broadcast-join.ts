/** Owns putting the answers of several services to one broadcast together. Pure. */
import type { Verdict } from '../../../src/verdict.js';
import {
  FAILURES_MAX,
  ROOM_FATES_MAX,
  type BroadcastAnswer,
  type Unreached,
} from '../../calls/scopes.js';

/** Counts are summed, lists are joined in order of room within their bounds. */
export function joinBroadcasts(
  answers: readonly BroadcastAnswer[],
  unreached: readonly Unreached[],
): BroadcastAnswer {
  const sum = (of: 'rooms' | 'empty' | 'closed' | 'failed') =>
    answers.reduce((total, answer) => total + answer[of], 0);
  const verdicts: Partial<Record<Verdict, number>> = {};
  for (const answer of answers) {
    for (const [verdict, count] of Object.entries(answer.verdicts)) {
      verdicts[verdict as Verdict] = (verdicts[verdict as Verdict] ?? 0) + count;
    }
  }
  const byRoom = (a: { readonly room: string }, b: { readonly room: string }) =>
    a.room < b.room ? -1 : 1;
  const fates = answers.flatMap((answer) => answer.fates).sort(byRoom);
  const failures = answers.flatMap((answer) => answer.failures).sort(byRoom);
  return {
    ...{ rooms: sum('rooms'), verdicts, empty: sum('empty'), closed: sum('closed') },
    failed: sum('failed'),
    fates: fates.slice(0, ROOM_FATES_MAX),
    failures: failures.slice(0, FAILURES_MAX),
    ...(unreached.length === 0 ? {} : { unreached }),
  };
}
