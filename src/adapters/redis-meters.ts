/** Owns the names of what the store in Redis counts. */
import type { Counter, CounterSet, Histogram, Meter } from '../telemetry/meter.js';
import { FAILURE_KINDS, type FailureKind } from './redis-failure.js';
import { SCRIPT_NAMES, type ScriptName } from './redis-scripts.js';

export interface RedisMeters {
  readonly commands: CounterSet<ScriptName>;
  readonly failures: CounterSet<FailureKind>;
  readonly seconds: Histogram;
  readonly reconnects: Counter;
  readonly wentBack: Counter;
  readonly keysForgotten: Counter;
}

export interface RedisGauges {
  readonly pending: () => number;
  readonly pendingBytes: () => number;
  readonly isReady: () => boolean;
}

export function redisMeters(meter: Meter, gauges: RedisGauges): RedisMeters {
  meter.gauge('barrage_redis_connected', '1 while Redis takes commands', () =>
    gauges.isReady() ? 1 : 0,
  );
  meter.gauge('barrage_redis_pending', 'Commands waiting for their answer', gauges.pending);
  meter.gauge('barrage_redis_pending_bytes', 'Bytes of these', gauges.pendingBytes);
  return {
    commands: meter.counters(
      'barrage_redis_commands_total',
      'Commands handed to Redis',
      'command',
      SCRIPT_NAMES,
    ),
    failures: meter.counters(
      'barrage_redis_failures_total',
      'Commands that failed, by why',
      'kind',
      FAILURE_KINDS,
    ),
    seconds: meter.histogram('barrage_redis_command_seconds', 'Until a command was answered'),
    reconnects: meter.counter('barrage_redis_reconnects_total', 'Connections made anew'),
    wentBack: meter.counter(
      'barrage_redis_went_back_total',
      'Times Redis had lost commits it had acknowledged',
    ),
    keysForgotten: meter.counter(
      'barrage_redis_keys_forgotten_total',
      'Idempotency keys forgotten before their end because a room had too many',
    ),
  };
}
