/**
 * Owns the reading of what HTTP requests of the viewer port ask, and the shape of a verdict and of a
 * refusal by field as answers. Knows no room.
 */
import { POLL_WAIT_MS_MAX } from '../src/limits.js';
import { VERDICT_STATUS } from '../src/verdict.js';
import { errorReply, jsonReply, retryHeader, type Headers } from './http-replies.js';
import type { Identity } from './identity.js';
import type { Ended } from './speech.js';
import type { HttpReply, HttpRequest } from './viewer-server.js';

/** When one who was refused for lack of a room or a verdict should try again. */
export const EDGE_RETRY_MS = 1000;

/** The end of a danmaku that came by POST. */
export function verdictReply(
  end: Ended,
  id: string | number | undefined,
  headers: Headers,
): HttpReply {
  const { verdict, id: publication, retryAfterMs, field, rule, reason } = end;
  const status = VERDICT_STATUS[verdict];
  const retry = status === 429 || status === 503 ? retryHeader(retryAfterMs ?? EDGE_RETRY_MS) : {};
  const body = { verdict, id, publication, retryAfterMs, reason };
  if (status < 400) return jsonReply(status, body, headers);
  const message = `the danmaku was refused: ${verdict}`;
  const error = { status, code: verdict, message };
  const detail = {
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const reply = errorReply({ ...error, ...detail }, { ...retry, ...headers });
  const { error: told } = JSON.parse(String(reply.body)) as { error: object };
  return { ...reply, body: JSON.stringify({ ...body, error: told }) };
}

/** 400 that names the field and the rule. */
export function invalid(field: string, rule: string, headers: Headers): HttpReply {
  const message = `"${field}" must be: ${rule}`;
  return errorReply({ status: 400, code: 'invalid', message, field, rule }, headers);
}

/** Milliseconds a poll may wait; empty: none; undefined when it is no such number. */
export function waitOf(text: string): number | undefined {
  const waitMs = Number(text || '0');
  const isWait = Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= POLL_WAIT_MS_MAX;
  return isWait ? waitMs : undefined;
}

/** `Authorization: Bearer …`, or `?token=` for what cannot set headers. */
export function tokenOf(request: HttpRequest): string | undefined {
  const given = request.headers.get('authorization');
  const bearer = given === undefined ? null : /^Bearer +(\S+)$/i.exec(given);
  return bearer?.[1] ?? (request.query.get('token') || undefined);
}

/** Who asks, as far as it can be told without a connection: guests of one address are one. */
export function viewerOf(address: string, token: string | undefined, { user }: Identity): string {
  return token === undefined ? address : `${address} ${user.id}`;
}
