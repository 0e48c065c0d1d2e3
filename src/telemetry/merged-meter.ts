/**
 * Owns making one figure of what several processes count: counters and histograms add up and never
 * fall, also when a process ends; gauges are those of the processes that are there. Knows no process
 * but by its number.
 */
import type { Merge, Metric, Metrics, Sample } from './meter.js';

/** A metric as it is carried from one process to another. */
export interface CountedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: Metric['type'];
  readonly merge?: Merge | undefined;
  readonly samples: readonly Sample[];
}

/** More of one process than this is not taken: something is wrong with it. */
export const COUNTED_METRICS_MAX = 2000;
export const COUNTED_SAMPLES_MAX = 20_000;

/** Everything a meter counts, ready to be carried. */
export function counted({ metrics }: Metrics): CountedMetric[] {
  return Array.from(metrics, (metric) => {
    const { name, help, type, merge } = metric;
    return { name, help, type, merge, samples: metric.read() };
  });
}

type Counted = ReadonlyMap<string, CountedMetric>;

interface Sum {
  readonly sample: Sample;
  value: number;
  parts: number;
}

export class MergedMeter implements Metrics {
  readonly #own: Metrics;
  readonly #of = new Map<number, Counted>();
  /** What ended processes had counted. */
  readonly #ended = new Map<string, CountedMetric>();
  readonly #shown = new Map<string, Metric>();

  /** `own`: what this process counts besides. */
  constructor(own: Metrics) {
    this.#own = own;
  }

  /** Takes what a process has counted since its start; false: over the bounds, not taken. */
  take(process: number, metrics: readonly CountedMetric[]): boolean {
    const samples = metrics.reduce((sum, metric) => sum + metric.samples.length, 0);
    if (metrics.length > COUNTED_METRICS_MAX || samples > COUNTED_SAMPLES_MAX) return false;
    this.#of.set(process, new Map(metrics.map((metric) => [metric.name, metric])));
    for (const metric of metrics) this.#show(metric);
    return true;
  }

  /** A process has ended: what it counted stays, what it had does not. */
  ended(process: number): void {
    const last = this.#of.get(process);
    this.#of.delete(process);
    for (const metric of last?.values() ?? []) {
      if (metric.type === 'gauge') continue;
      const before = this.#ended.get(metric.name);
      const samples = before === undefined ? metric.samples : merged([before, metric]);
      this.#ended.set(metric.name, { ...metric, samples });
    }
  }

  /** The value of an unlabelled metric of one process; 0 where it is not known. */
  valueOf(process: number, name: string): number {
    return this.#of.get(process)?.get(name)?.samples[0]?.value ?? 0;
  }

  get metrics(): Iterable<Metric> {
    return [...this.#own.metrics, ...this.#shown.values()];
  }

  #show({ name, help, type }: CountedMetric): void {
    if (this.#shown.has(name)) return;
    this.#shown.set(name, { name, help, type, read: () => merged(this.#parts(name)) });
  }

  #parts(name: string): CountedMetric[] {
    const parts = [this.#ended.get(name), ...[...this.#of.values()].map((each) => each.get(name))];
    return parts.filter((part) => part !== undefined);
  }
}

/** One sample for each name and set of labels. */
function merged(parts: readonly CountedMetric[]): Sample[] {
  const merge = parts[0]?.merge ?? 'sum';
  const sums = new Map<string, Sum>();
  for (const { samples } of parts) {
    for (const sample of samples) {
      const key = keyOf(sample);
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { sample, value: sample.value, parts: 1 });
      else {
        sum.value = merge === 'min' ? Math.min(sum.value, sample.value) : sum.value + sample.value;
        sum.parts++;
      }
    }
  }
  return Array.from(sums.values(), ({ sample, value, parts: count }) => ({
    ...sample,
    value: merge === 'mean' ? value / count : value,
  }));
}

function keyOf({ labels, suffix }: Sample): string {
  const names = Object.keys(labels).sort();
  return JSON.stringify([suffix ?? '', ...names.flatMap((name) => [name, labels[name]])]);
}
