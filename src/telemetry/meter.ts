/**
 * Owns counting: plain numbers the hot path adds to, read by name when someone asks. Knows no
 * exposition format (src/adapters/prometheus.ts does). Ids of rooms and users are never labels.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  /** Which line of a histogram this is, added to the metric's name; absent on all others. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How the gauges of several processes make one; `sum` where nothing is said. */
  readonly merge?: Merge;
  read(): readonly Sample[];
}
export type Merge = 'sum' | 'mean' | 'min';

/** What can be shown: a meter, or several made one. */
export interface Metrics {
  readonly metrics: Iterable<Metric>;
}

/** A count that only rises. */
export class Counter {
  value = 0;

  add(by = 1): void {
    this.value += by;
  }
}

/** One rising count for each word of a closed list. */
export class CounterSet<K extends string> {
  readonly #values = new Map<K, number>();

  constructor(keys: readonly K[]) {
    for (const key of keys) this.#values.set(key, 0);
  }

  add(key: K, by = 1): void {
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  get(key: K): number {
    return this.#values.get(key) ?? 0;
  }

  entries(): IterableIterator<[K, number]> {
    return this.#values.entries();
  }

  total(): number {
    let sum = 0;
    for (const value of this.#values.values()) sum += value;
    return sum;
  }
}

/** Cumulative buckets with fixed upper bounds, in the unit of what is observed. */
export class Histogram {
  readonly bounds: readonly number[];
  /** One per bound, then the overflow. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
    this.count++;
  }
}

/** Seconds; from a tenth of a millisecond to ten seconds. */
export const SECONDS_BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Names are `barrage_…` with base units (`_seconds`, `_bytes`), counters end in `_total`. */
export class Meter {
  readonly #metrics = new Map<string, Metric>();

  get metrics(): IterableIterator<Metric> {
    return this.#metrics.values();
  }

  counter(name: string, help: string): Counter {
    const counter = new Counter();
    this.#add({ name, help, type: 'counter', read: () => [{ labels: {}, value: counter.value }] });
    return counter;
  }

  counters<K extends string>(
    name: string,
    help: string,
    label: string,
    keys: readonly K[],
  ): CounterSet<K> {
    const set = new CounterSet<K>(keys);
    this.#add({
      name,
      help,
      type: 'counter',
      read: () =>
        Array.from(set.entries(), ([key, value]) => ({ labels: { [label]: key }, value })),
    });
    return set;
  }

  /** Counts kept elsewhere, with labels of their own; `read` is called at each scrape. */
  tally(name: string, help: string, read: () => readonly Sample[]): void {
    this.#add({ name, help, type: 'counter', read });
  }

  /** `read` is called at each scrape; a bare number has no labels. */
  gauge(
    name: string,
    help: string,
    read: () => number | readonly Sample[],
    merge: Merge = 'sum',
  ): void {
    this.#add({
      name,
      help,
      type: 'gauge',
      merge,
      read: () => {
        const value = read();
        return typeof value === 'number' ? [{ labels: {}, value }] : value;
      },
    });
  }

  histogram(name: string, help: string, bounds: readonly number[] = SECONDS_BUCKETS): Histogram {
    const histogram = new Histogram(bounds);
    this.#add({ name, help, type: 'histogram', read: () => histogramSamples(histogram) });
    return histogram;
  }

  #add(metric: Metric): void {
    if (this.#metrics.has(metric.name)) throw new Error(`metric ${metric.name} exists already`);
    this.#metrics.set(metric.name, metric);
  }
}

/** Samples in Prometheus' own shape: cumulative `le` buckets, then the sum and the count. */
function histogramSamples(histogram: Histogram): Sample[] {
  const samples: Sample[] = [];
  let running = 0;
  histogram.bounds.forEach((bound, i) => {
    running += histogram.counts[i]!;
    samples.push({ labels: { le: String(bound) }, suffix: '_bucket', value: running });
  });
  samples.push({ labels: { le: '+Inf' }, suffix: '_bucket', value: histogram.count });
  samples.push({ labels: {}, suffix: '_sum', value: histogram.sum });
  samples.push({ labels: {}, suffix: '_count', value: histogram.count });
  return samples;
}
