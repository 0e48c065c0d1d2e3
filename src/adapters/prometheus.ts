/**
 * Owns the Prometheus exposition of a Meter and of the process (CPU, memory, event loop, GC). The
 * only importer of prom-client; the hot path counts in src/telemetry/meter.ts and never here.
 */
import { collectDefaultMetrics, Registry, type Metric as PromMetric } from 'prom-client';
import type { Metric, Metrics, Sample } from '../telemetry/meter.js';

export interface Exposition {
  readonly contentType: string;
  /** The text of everything counted now. */
  render(): Promise<string>;
}

/** What prom-client's registry asks of a metric when it writes the text. */
interface WrittenMetric {
  readonly name: string;
  get(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly values: readonly {
      readonly metricName: string;
      readonly labels: Sample['labels'];
      readonly value: number;
    }[];
  }>;
}

/**
 * How often the loop's delay is taken, which is also the least the metric can say. At the library's
 * 10 ms that alone would be most of what a service without viewers does.
 */
const LOOP_DELAY_EVERY_MS = 50;

/** One for a process: prom-client watches the event loop and GC from here on. */
export function prometheusExposition(meter: Metrics): Exposition {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_DELAY_EVERY_MS });
  const known = new Set<string>();
  return {
    contentType: registry.contentType,
    render: () => {
      // Parts of the service may register metrics after the exposition was made.
      for (const metric of meter.metrics) {
        if (known.has(metric.name)) continue;
        known.add(metric.name);
        registry.registerMetric(written(metric) as unknown as PromMetric);
      }
      return registry.metrics();
    },
  };
}

function written(metric: Metric): WrittenMetric {
  const { name, help, type } = metric;
  return {
    name,
    get: async () => ({
      name,
      help,
      type,
      values: metric.read().map(({ labels, value, suffix }) => ({
        metricName: suffix === undefined ? name : `${name}${suffix}`,
        labels,
        value,
      })),
    }),
  };
}
