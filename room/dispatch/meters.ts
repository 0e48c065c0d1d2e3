/** Owns the names of everything counted about handing out edges, one sentence each. */
import type { Counter, CounterSet, Meter } from '../../src/telemetry/meter.js';

const REPORTS = ['taken', 'gone', 'over_bound', 'unreadable'] as const;
const ANSWERS = ['edges', 'token', 'none'] as const;

export interface DispatchMeters {
  readonly reports: CounterSet<(typeof REPORTS)[number]>;
  readonly answers: CounterSet<(typeof ANSWERS)[number]>;
  readonly forgotten: Counter;
}

/** Registers the metrics of dispatch; once per meter. The rest is read at each scrape. */
export function dispatchMeters(
  meter: Meter,
  read: { readonly edges: () => number; readonly viewers: () => number },
): DispatchMeters {
  meter.gauge('barrage_dispatch_edges', 'Edges heard of', read.edges);
  meter.gauge('barrage_dispatch_viewers', 'Viewers of all edges heard of', read.viewers);
  return {
    reports: meter.counters(
      'barrage_dispatch_reports_total',
      'Reports of edges by what became of them',
      'end',
      REPORTS,
    ),
    answers: meter.counters(
      'barrage_dispatch_answers_total',
      'Answers: with edges only, with a viewer token too, with no edge to give',
      'answer',
      ANSWERS,
    ),
    forgotten: meter.counter(
      'barrage_dispatch_forgotten_total',
      'Edges forgotten because nothing was heard of them',
    ),
  };
}
