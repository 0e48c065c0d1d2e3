/**
 * Owns how a failure looks from outside: one table from code to HTTP status, one body. What is
 * unexpected is told as `internal` without its text; the caller of `problemOf` logs it.
 */
import type { FastifyReply } from 'fastify';
import { BarrageError, type ErrorCode } from '../../src/errors.js';
import { REFUSALS, VERDICT_STATUS, type Verdict } from '../../src/verdict.js';
import { schemaFlaw, type ReportedFlaw } from '../../src/wire/validator.js';

const CODE_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  closed: 409,
  idempotency_mismatch: 422,
  too_large: 413,
  rate_limited: 429,
  store_full: 503,
  store_failed: 503,
  fenced: 503,
  bus_down: 503,
  bus_full: 503,
  timeout: 503,
  unavailable: 503,
  config: 500,
  data_folder: 500,
  port_in_use: 500,
  platform: 500,
  internal: 500,
};
/** Every code an error body can carry: errors and the verdicts that are refusals. */
export const ERROR_CODES: readonly string[] = [
  ...new Set<string>([
    ...Object.keys(CODE_STATUS).filter((code) => code === 'internal' || statusOfCode(code) !== 500),
    ...REFUSALS,
  ]),
];
/** Advice of a 429 or 503 that names no time itself. */
const RETRY_AFTER_MS = 1000;

export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly field?: string | undefined;
  readonly rule?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly beside?: object | undefined;
}

/** The error body's inner part, as a batch tells it of one publication. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly rule?: string;
  readonly retryAfterMs?: number;
}

/** A refusal that has a verdict's word rather than an error's code. */
export class VerdictError extends Error {
  readonly verdict: Verdict;
  readonly retryAfterMs: number | undefined;

  constructor(verdict: Verdict, retryAfterMs: number | undefined) {
    super(`refused: ${verdict}`);
    this.name = 'VerdictError';
    this.verdict = verdict;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error of input that breaks `rule` at `field`. */
export function invalid(field: string, rule: string): BarrageError {
  const what = field === '' ? 'the input' : `"${field.slice(0, 80)}"`;
  return new BarrageError('invalid', `${what} must be: ${rule}`, {
    field: field.slice(0, 80),
    rule,
  });
}

/** What of an error the caller is told; 500 means it was not foreseen and must be logged. */
export function problemOf(error: unknown): Problem {
  if (error instanceof VerdictError) {
    const { verdict, message } = error;
    return advised({
      status: VERDICT_STATUS[verdict],
      code: verdict,
      message,
      retryAfterMs: error.retryAfterMs,
    });
  }
  const known = error instanceof BarrageError ? error : fromFramework(error);
  if (known === undefined) return hidden();
  if (!(known instanceof BarrageError)) return known;
  const status = CODE_STATUS[known.code];
  if (status === 500) return hidden();
  const { code, message, field, rule, retryAfterMs, beside } = known;
  return advised({ status, code, message, field, rule, retryAfterMs, beside });
}

export function bodyOf(problem: Problem): ErrorBody {
  const { code, message, field, rule, retryAfterMs } = problem;
  return {
    code,
    message,
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** Answers with the problem; 429 and 503 carry `Retry-After` in whole seconds, at least 1. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, retryAfterMs, beside } = problem;
  if (retryAfterMs !== undefined && (status === 429 || status === 503)) {
    void reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)));
  }
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="barrage"');
  const error = { ...bodyOf(problem), requestId: reply.request.id };
  return reply
    .status(status)
    .type('application/json; charset=utf-8')
    .send({ error, ...beside });
}

function advised(problem: Problem): Problem {
  const needsAdvice = problem.status === 429 || problem.status === 503;
  return needsAdvice && problem.retryAfterMs === undefined
    ? { ...problem, retryAfterMs: RETRY_AFTER_MS }
    : problem;
}

function hidden(): Problem {
  return { status: 500, code: 'internal', message: 'internal error; see the log by requestId' };
}

/** What Fastify itself refuses, by the marks its errors carry. */
function fromFramework(error: unknown): Problem | BarrageError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { validation, code, statusCode, message } = error as {
    validation?: readonly ReportedFlaw[];
    code?: string;
    statusCode?: number;
    message?: string;
  };
  if (validation !== undefined) {
    const { field, rule } = schemaFlaw(validation);
    return invalid(field, rule);
  }
  if (code === 'FST_ERR_HANDLER_TIMEOUT') return new BarrageError('timeout', 'not done in time');
  if (statusCode === undefined || statusCode < 400 || statusCode > 499) return undefined;
  const text = message ?? 'refused';
  if (statusCode === 413) return { status: 413, code: 'too_large', message: text };
  if (statusCode !== 415) return { status: statusCode, code: wordOf(statusCode), message: text };
  const rule = 'application/json';
  return { status: 415, code: 'invalid', message: text, field: 'content-type', rule };
}

function wordOf(status: number): string {
  if (status === 403) return 'forbidden';
  return status === 404 ? 'not_found' : 'invalid';
}

function statusOfCode(code: string): number {
  return CODE_STATUS[code as ErrorCode];
}
