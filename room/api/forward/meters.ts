/** Owns the counts of calls carried between room services, both ways. */
import type { CounterSet, Meter } from '../../../src/telemetry/meter.js';
import type { Miss } from './next-step.js';

/** How one attempt ended; `answered` whatever the status. */
export type AttemptEnd = 'answered' | Miss;
const ATTEMPT_ENDS: readonly AttemptEnd[] = [
  ...(['answered', 'nobody', 'not_mine', 'busy', 'full', 'unknown', 'moved'] as const),
];
export type ServedEnd = 'answered' | 'not_mine' | 'busy' | 'failed' | 'unreadable';
const SERVED_ENDS: readonly ServedEnd[] = [
  ...(['answered', 'not_mine', 'busy', 'failed', 'unreadable'] as const),
];
/** `expired`: nobody asked for the rest in time; `full`: no place for another. */
export type TicketEnd = 'done' | 'dropped' | 'expired' | 'full' | 'cut';
const TICKET_ENDS: readonly TicketEnd[] = ['done', 'dropped', 'expired', 'full', 'cut'];

export interface ForwardMeters {
  readonly asked: CounterSet<AttemptEnd>;
  readonly served: CounterSet<ServedEnd>;
  readonly tickets: CounterSet<TicketEnd>;
}

/** What is read at each scrape. */
export interface ForwardGauges {
  readonly asking: () => number;
  readonly serving: () => number;
  readonly held: () => number;
}

export function forwardMeters(meter: Meter, gauges: ForwardGauges): ForwardMeters {
  meter.gauge('barrage_api_asking', 'Calls being asked of other room services', gauges.asking);
  meter.gauge('barrage_api_serving', 'Calls being served for others', gauges.serving);
  meter.gauge('barrage_api_streams_held', 'Streams held for other services', gauges.held);
  return {
    asked: meter.counters(
      'barrage_api_asked_total',
      'Attempts to have a call done by the owner of its room, by end',
      'end',
      ATTEMPT_ENDS,
    ),
    served: meter.counters(
      'barrage_api_served_total',
      'Calls that arrived at another room service, by end',
      'end',
      SERVED_ENDS,
    ),
    tickets: meter.counters(
      'barrage_api_streams_total',
      'Streams held for other room services, by end',
      'end',
      TICKET_ENDS,
    ),
  };
}
