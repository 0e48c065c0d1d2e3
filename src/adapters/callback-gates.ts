/**
 * Owns how much trouble a callback target may make: so many calls at once to a host, a limit on each,
 * a breaker that leaves a failing target alone, repeats with a growing delay. Knows no HTTP. The only
 * importer of cockatiel.
 */
import {
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  BrokenCircuitError,
  handleAll,
  handleWhen,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import type { CallbackLimits } from '../callbacks/settings.js';
import type { CallbackFailure } from '../ports/callbacks.js';

type Call<T> = (signal: AbortSignal) => Promise<T>;

/** An answer that is no good; `isFinal` when a repeat of the same call would get it again. */
export class CallbackRefused extends Error {
  readonly failure: CallbackFailure;
  readonly isFinal: boolean;

  constructor(failure: CallbackFailure, isFinal: boolean) {
    super(failure);
    this.name = 'CallbackRefused';
    this.failure = failure;
    this.isFinal = isFinal;
  }
}

/** Calls under way to one host that only tell. */
const TELLING_MAX = 8;
const RETRY_MS_MAX = 10_000;

/** What all targets of one host share. */
export interface HostGate {
  readonly asking: BulkheadPolicy;
  readonly telling: BulkheadPolicy;
}

export function openHostGate({ concurrency }: CallbackLimits): HostGate {
  return {
    // No queue: the library leaves places free behind callers that gave up waiting in it.
    asking: bulkhead(concurrency, 0),
    // Each target tells one batch at a time, so those that wait are as few as the targets.
    telling: bulkhead(TELLING_MAX, Infinity),
  };
}

/** One target's gate. Asking and telling fail apart: a slow judge may be a fine listener. */
export class TargetGate {
  readonly #host: HostGate;
  readonly #limits: CallbackLimits;
  readonly #asking: CircuitBreakerPolicy;
  readonly #telling: CircuitBreakerPolicy;

  constructor(host: HostGate, limits: CallbackLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#asking = breakerOf(limits);
    this.#telling = breakerOf(limits);
  }

  /** Rejects at once while the target is left alone or its host has too much to do. */
  ask<T>(call: Call<T>, timeoutMs: number): Promise<T> {
    // While one call tries whether the target is back, the others do not wait for it.
    if (this.#asking.state === CircuitState.HalfOpen) {
      return Promise.reject(new BrokenCircuitError());
    }
    const limited = timeout(timeoutMs, TimeoutStrategy.Aggressive);
    return limited.execute(({ signal }) =>
      this.#host.asking.execute(
        () => this.#asking.execute(({ signal: inner }) => call(inner), signal),
        signal,
      ),
    );
  }

  /** Repeats what may succeed later; rejects as `open` without having called, or when given up. */
  tell<T>(call: Call<T>, ended: AbortSignal): Promise<T> {
    const { retries, retryDelayMs, afterTimeoutMs } = this.#limits;
    // A repeat that still waits at the end of the process must not hold it.
    const again = retry(handleWhen(isWorthRepeating), {
      maxAttempts: retries,
      backoff: new ExponentialBackoff({ initialDelay: retryDelayMs, maxDelay: RETRY_MS_MAX }),
    }).dangerouslyUnref();
    const limited = timeout(afterTimeoutMs, TimeoutStrategy.Aggressive);
    return again.execute(
      () =>
        this.#host.telling.execute(
          () =>
            this.#telling.execute(
              () => limited.execute(({ signal }) => call(signal), ended),
              ended,
            ),
          ended,
        ),
      ended,
    );
  }

  /** Whether the target is being left alone, in whole or in part. */
  get isOpen(): boolean {
    return [this.#asking, this.#telling].some((each) => each.state !== CircuitState.Closed);
  }
}

/** The failure a rejected `ask` or `tell` stands for. */
export function failureOf(error: unknown): CallbackFailure {
  if (error instanceof CallbackRefused) return error.failure;
  if (error instanceof BulkheadRejectedError) return 'busy';
  if (error instanceof BrokenCircuitError) return 'open';
  return error instanceof TaskCancelledError ? 'timeout' : 'failed';
}

function breakerOf({ breakerFailures, breakerResetMs }: CallbackLimits): CircuitBreakerPolicy {
  return circuitBreaker(handleAll, {
    halfOpenAfter: breakerResetMs,
    breaker: new ConsecutiveBreaker(breakerFailures),
  });
}

function isWorthRepeating(error: Error): boolean {
  if (error instanceof CallbackRefused) return !error.isFinal;
  return !(error instanceof BrokenCircuitError);
}
