/** Owns the names of everything counted about presence reports. Ids are never labels. */
import type { Counter, CounterSet, Meter } from '../../src/telemetry/meter.js';

export interface PresenceMeters {
  readonly reports: CounterSet<'taken' | 'stale' | 'unreadable'>;
  readonly holes: Counter;
  readonly asks: CounterSet<'digest' | 'list' | 'counts'>;
  readonly repairs: Counter;
  readonly edgesForgotten: Counter;
}

/** Registers them; once per meter. */
export function presenceMeters(meter: Meter): PresenceMeters {
  return {
    reports: meter.counters(
      'barrage_room_presence_reports_total',
      'reports of users from edges: taken, older than one taken, unreadable',
      'end',
      ['taken', 'stale', 'unreadable'] as const,
    ),
    holes: meter.counter('barrage_room_presence_holes_total', 'holes in the numbers of reports'),
    asks: meter.counters(
      'barrage_room_presence_asks_total',
      'questions to edges about their users',
      'what',
      ['digest', 'list', 'counts'] as const,
    ),
    repairs: meter.counter(
      'barrage_room_presence_repairs_total',
      'users whose state at an edge was put right by a list',
    ),
    edgesForgotten: meter.counter(
      'barrage_room_presence_edges_forgotten_total',
      'edges not heard of in time, whose users count as gone',
    ),
  };
}
