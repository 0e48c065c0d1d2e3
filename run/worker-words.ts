/** Owns what an edge supervisor and its workers say to each other over their pipe. */
import type { SocketLibrary } from '../edge/listen.js';
import type { Config } from '../src/config/config.js';
import type { ErrorCode } from '../src/errors.js';
import type { CountedMetric } from '../src/telemetry/merged-meter.js';

/** To a worker. With `viewer` comes the connection itself. */
export type ToWorker =
  | {
      readonly type: 'start';
      readonly worker: number;
      readonly config: Config;
      readonly port: number;
      readonly library: SocketLibrary;
    }
  | { readonly type: 'config'; readonly config: Config }
  | { readonly type: 'count'; readonly round: number }
  | { readonly type: 'viewer' };

/** From a worker. */
export type FromWorker =
  | { readonly type: 'ready'; readonly edge: string }
  /** The next of the connections sent to it is its own, or gone. */
  | { readonly type: 'taken' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  | ({ readonly type: 'counted'; readonly round: number } & WorkerCounts);

export interface WorkerCounts {
  readonly metrics: readonly CountedMetric[];
  /** Why it takes no viewers; none: it does. */
  readonly reasons: readonly string[];
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}
