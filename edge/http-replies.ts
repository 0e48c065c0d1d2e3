/**
 * Owns the shape of every HTTP answer of the viewer port: JSON, errors, CORS headers, Retry-After.
 */
import { randomId } from '../src/random.js';
import type { ErrorLine } from '../src/wire/outgoing.js';
import type { HttpReply } from './viewer-server.js';

export type Headers = Readonly<Record<string, string>>;

/** What went wrong, with its status. */
export interface HttpError extends Omit<ErrorLine, 'room'> {
  readonly status: number;
}

const STATUS: Readonly<Record<string, number>> = {
  invalid: 400,
  unauthorized: 401,
  banned: 403,
  forbidden: 403,
  unknown_room: 404,
  closed: 409,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
};

/** Answers differ by moment and viewer: nothing in between may keep them. */
export const NO_STORE: Headers = { 'cache-control': 'no-store' };

export function jsonReply(status: number, body: unknown, headers: Headers = {}): HttpReply {
  return bytesReply(status, JSON.stringify(body), headers);
}

/** JSON that is text or bytes already. */
export function bytesReply(status: number, body: string | Uint8Array, headers: Headers): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...NO_STORE, ...headers },
    body,
  };
}

export function errorReply({ status, ...error }: HttpError, headers: Headers = {}): HttpReply {
  const body = { error: { ...error, requestId: randomId() } };
  return jsonReply(status, body, { ...retryHeader(error.retryAfterMs), ...headers });
}

/**
 * Unix ms as the answer goes out: in its head, since the bytes of a poll's answer are made once for all
 * who ask at a cursor, some seconds apart. `Date` has whole seconds only.
 */
export function clockHeader(now: number): Headers {
  return { 'x-barrage-now': String(Math.round(now)) };
}

/** An answer made for many, with the time at which this one is given. */
export function sharedReply(body: Uint8Array, headers: Headers, now: number): HttpReply {
  return bytesReply(200, body, { ...headers, ...clockHeader(now) });
}

/** An error line of the socket protocol as an HTTP answer. */
export function refusedReply({ room: _, ...error }: ErrorLine, headers: Headers): HttpReply {
  return errorReply({ status: STATUS[error.code] ?? 400, ...error }, headers);
}

/** Whole seconds, rounded up; empty without advice. */
export function retryHeader(retryAfterMs: number | undefined): Headers {
  if (retryAfterMs === undefined) return {};
  return { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
}

/** For a page whose origin was let in; empty for other callers. */
export function corsHeaders(origin: string): Headers {
  return origin === ''
    ? {}
    : {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'retry-after, x-barrage-now',
        vary: 'origin',
      };
}

export function preflightReply(origin: string): HttpReply {
  return {
    status: 204,
    headers: {
      ...corsHeaders(origin),
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type, last-event-id',
      'access-control-max-age': '600',
    },
    body: '',
  };
}
