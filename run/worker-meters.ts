/** Owns the names of what an edge supervisor counts about its workers, one sentence each. */
import type { Counter, Meter, Sample } from '../src/telemetry/meter.js';
import type { MergedMeter } from '../src/telemetry/merged-meter.js';

/** A worker as seen from outside. */
export interface Watched {
  readonly worker: number;
  readonly isReady: boolean;
  /** Was asked what it counts and has not answered. */
  readonly isSilent: boolean;
  readonly counts: { readonly cpuSeconds: number; readonly residentBytes: number } | undefined;
}

export interface WorkerMeters {
  readonly restarts: Counter;
  readonly refused: Counter;
  /** Whom the gauges are about. */
  watch(workers: () => readonly Watched[]): void;
}

/** Registers the metrics of workers; once per meter. */
export function workerMeters(meter: Meter, merged: MergedMeter): WorkerMeters {
  let workers: () => readonly Watched[] = () => [];
  const each = (name: string, help: string, value: (watched: Watched) => number): void => {
    const read = (): Sample[] =>
      workers().map((one) => ({ labels: { worker: String(one.worker) }, value: value(one) }));
    meter.gauge(name, help, read);
  };
  each('barrage_worker_up', 'Whether the worker takes viewers and answers', (one) =>
    one.isReady && !one.isSilent ? 1 : 0,
  );
  each(
    'barrage_worker_cpu_seconds',
    'CPU time of the worker since it was started',
    ({ counts }) => counts?.cpuSeconds ?? 0,
  );
  each(
    'barrage_worker_resident_bytes',
    'Memory of the worker',
    ({ counts }) => counts?.residentBytes ?? 0,
  );
  each('barrage_worker_connections', 'Open connections and requests of the worker', ({ worker }) =>
    merged.valueOf(worker, 'barrage_edge_connections'),
  );
  return {
    restarts: meter.counter(
      'barrage_worker_restarts_total',
      'Workers started in place of one that ended',
    ),
    refused: meter.counter(
      'barrage_worker_counts_refused_total',
      'Answers of workers not taken because they were over the bounds',
    ),
    watch: (of) => {
      workers = of;
    },
  };
}
