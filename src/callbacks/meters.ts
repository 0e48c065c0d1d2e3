/** Owns the names of what is counted of callbacks. Targets are never labels. */
import type { CounterSet, Histogram, Meter } from '../telemetry/meter.js';
import { CALLBACK_FAILURES, type CallbackFailure } from '../ports/callbacks.js';
import { JUDGEMENT_ACTIONS } from './judgement.js';

type AskEnd = (typeof JUDGEMENT_ACTIONS)[number] | CallbackFailure;

export interface CallbackMeters {
  readonly asked: CounterSet<AskEnd>;
  readonly askSeconds: Histogram;
  readonly events: CounterSet<'delivered' | 'dropped'>;
  readonly batches: CounterSet<'delivered' | 'failed'>;
}

export interface CallbackGauges {
  readonly targets: () => number;
  readonly open: () => number;
  readonly waiting: () => number;
  readonly waitingBytes: () => number;
}

export function callbackMeters(meter: Meter, gauges: CallbackGauges): CallbackMeters {
  const name = (rest: string) => `barrage_callback_${rest}`;
  meter.gauge(name('targets'), 'callback targets in use', gauges.targets);
  meter.gauge(name('targets_open'), 'targets left alone after failures', gauges.open);
  meter.gauge(name('events_waiting'), 'events waiting for their target', gauges.waiting);
  meter.gauge(name('events_waiting_bytes'), 'their bytes', gauges.waitingBytes);
  const ends: readonly AskEnd[] = [...JUDGEMENT_ACTIONS, ...CALLBACK_FAILURES];
  return {
    asked: meter.counters(name('asked_total'), 'danmaku asked about', 'end', ends),
    askSeconds: meter.histogram(name('ask_seconds'), 'time until a judgement or failure'),
    events: meter.counters(name('events_total'), 'events told', 'end', ['delivered', 'dropped']),
    batches: meter.counters(name('batches_total'), 'calls that tell', 'end', [
      'delivered',
      'failed',
    ]),
  };
}
