/**
 * Owns the error family of operators and API callers: a stable code, a sentence, and what to do.
 * Verdicts (src/verdict.ts) are data, never thrown.
 */

export type ErrorCode =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'idempotency_mismatch'
  | 'too_large'
  | 'rate_limited'
  | 'closed'
  | 'store_full'
  | 'store_failed'
  | 'fenced'
  | 'bus_down'
  | 'bus_full'
  | 'timeout'
  | 'unavailable'
  | 'config'
  | 'data_folder'
  | 'port_in_use'
  | 'platform'
  | 'internal';

export interface ErrorDetail {
  /** The input field the rule is about, as a path (`style.color`). */
  readonly field?: string;
  /** The rule it breaks (`maxLength 100`). */
  readonly rule?: string;
  /** When a repeat can succeed, milliseconds. */
  readonly retryAfterMs?: number;
  /** What the caller can go on with all the same; told beside the error. */
  readonly beside?: object;
  readonly cause?: unknown;
}

export class BarrageError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly rule: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly beside: object | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'BarrageError';
    this.code = code;
    this.field = detail.field;
    this.rule = detail.rule;
    this.retryAfterMs = detail.retryAfterMs;
    this.beside = detail.beside;
  }
}

/** The error as BarrageError; anything unexpected becomes `internal` with its cause kept. */
export function asBarrageError(error: unknown): BarrageError {
  if (error instanceof BarrageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BarrageError('internal', message, { cause: error });
}
