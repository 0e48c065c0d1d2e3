/** Owns the counts of the studio API: calls by group and status class, refusals by code, time. */
import { Counter, type CounterSet, type Histogram, type Meter } from '../../src/telemetry/meter.js';
import { ERROR_CODES } from './errors.js';

export interface ApiMeters {
  /** `group` is a route's tag, `status` the HTTP status. */
  count(group: string, status: number, seconds: number): void;
  readonly errors: CounterSet<string>;
}

/** Registers the API's metrics; `inFlight` is read at each scrape. */
export function apiMeters(meter: Meter, inFlight: () => number): ApiMeters {
  const counts = new Map<string, { group: string; status: string; counter: Counter }>();
  meter.tally('barrage_api_requests_total', 'Studio calls by group and status class', () =>
    Array.from(counts.values(), ({ group, status, counter }) => ({
      labels: { group, status },
      value: counter.value,
    })),
  );
  const errors = meter.counters(
    'barrage_api_errors_total',
    'Studio calls refused or failed, by error code',
    'code',
    ERROR_CODES,
  );
  const seconds: Histogram = meter.histogram(
    'barrage_api_request_seconds',
    'Time from the head of a studio call to the end of its answer',
  );
  meter.gauge('barrage_api_requests_in_flight', 'Studio calls being worked on', inFlight);
  return {
    errors,
    count: (group, code, took) => {
      const status = `${Math.floor(code / 100)}xx`;
      const key = `${group} ${status}`;
      let entry = counts.get(key);
      if (entry === undefined) {
        entry = { group, status, counter: new Counter() };
        counts.set(key, entry);
      }
      entry.counter.add();
      seconds.observe(took);
    },
  };
}
