/** Owns the counts of the NATS bus under their names. */
import type { Counter, CounterSet, Meter, Sample } from '../telemetry/meter.js';

const PUBLISH_ENDS = ['sent', 'full', 'down', 'too_large'] as const;
const REQUEST_ENDS = [
  'answered',
  'bus_down',
  'bus_full',
  'timeout',
  'too_large',
  'internal',
] as const;
export type RequestEnd = (typeof REQUEST_ENDS)[number];

export interface NatsMeters {
  readonly connections: Counter;
  readonly failures: Counter;
  readonly stale: Counter;
  readonly unconfirmed: Counter;
  readonly publishes: CounterSet<(typeof PUBLISH_ENDS)[number]>;
  readonly publishedBytes: Counter;
  readonly arrivals: CounterSet<'taken' | 'dropped'>;
  readonly arrivedBytes: Counter;
  readonly requests: CounterSet<RequestEnd>;
  readonly answers: CounterSet<'sent' | 'lost' | 'refused'>;
}

/** What is counted elsewhere and read at each scrape. */
export interface NatsGauges {
  isUp(): boolean;
  pending(): readonly { readonly items: number; readonly bytes: number }[];
  inbound(): { readonly items: number; readonly bytes: number };
}

const KINDS = ['publishes', 'requests', 'answers'];

export function natsMeters(meter: Meter, gauges: NatsGauges): NatsMeters {
  const held = (unit: 'items' | 'bytes'): Sample[] =>
    gauges.pending().map((each, i) => ({ labels: { of: KINDS[i]! }, value: each[unit] }));
  const isUp = () => (gauges.isUp() ? 1 : 0);
  meter.gauge('barrage_bus_up', 'Whether the bus is connected', isUp, 'min');
  meter.gauge('barrage_bus_pending_items', 'Handed over, not yet confirmed by the server', () =>
    held('items'),
  );
  meter.gauge('barrage_bus_pending_bytes', 'Bytes not yet confirmed by the server', () =>
    held('bytes'),
  );
  meter.gauge('barrage_bus_inbound_items', 'Arrived, waiting to be delivered', () => {
    return gauges.inbound().items;
  });
  meter.gauge('barrage_bus_inbound_bytes', 'Bytes waiting to be delivered', () => {
    return gauges.inbound().bytes;
  });
  return countersOf(meter);
}

function countersOf(meter: Meter): NatsMeters {
  const name = (end: string) => `barrage_bus_${end}`;
  return {
    connections: meter.counter(name('connections_total'), 'Connections made, the first included'),
    failures: meter.counter(name('connect_failures_total'), 'Times no server took us'),
    stale: meter.counter(name('stale_total'), 'Connections left because the server fell silent'),
    unconfirmed: meter.counter(
      name('unconfirmed_total'),
      'Handed over to a connection that was lost before the server confirmed them',
    ),
    publishes: meter.counters(name('publishes_total'), 'Publishes by answer', 'end', PUBLISH_ENDS),
    publishedBytes: meter.counter(name('published_bytes_total'), 'Bytes published'),
    arrivals: meter.counters(
      name('arrivals_total'),
      'What arrived for subscribers; dropped: they were too slow',
      'end',
      ['taken', 'dropped'],
    ),
    arrivedBytes: meter.counter(name('arrived_bytes_total'), 'Bytes that arrived'),
    requests: meter.counters(name('requests_total'), 'Requests by end', 'end', REQUEST_ENDS),
    answers: meter.counters(
      name('answers_total'),
      'Answers given; lost: no connection or over the bound',
      'end',
      ['sent', 'lost', 'refused'],
    ),
  };
}
