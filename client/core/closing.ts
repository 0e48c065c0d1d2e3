/**
 * Owns what the end of a link means: come back (when, where, with a new token) or not. Reads close
 * codes, `bye` and `error` lines and HTTP answers alike. Pure. Rules: SPEC W-10, K-BACK-2, K-TOKEN-2.
 */
import type { Line } from '../types.js';

export interface LinkEnd {
  readonly reason: string;
  readonly code?: number;
  readonly message?: string;
  readonly retryAfterMs?: number;
  /** Other edges to come back at. */
  readonly edges?: readonly string[];
  /** It is of no use to come back. */
  readonly isFinal?: boolean;
  /** Come back with another token. */
  readonly needsToken?: boolean;
  /** The edge told it, so the way to it is fine. */
  readonly isAdvised?: boolean;
}

const FINAL_CODE = 4500;
const EXPIRED_CODE = 4005;
const EDGES_MAX = 16;

/** A `bye` line. */
export function endOfBye(line: Line): LinkEnd {
  return endOfCode(Number(line['code']), line);
}

/** A WebSocket close: its reason is JSON advice, or nothing. */
export function endOfClose(code: number, reason: string): LinkEnd {
  return endOfCode(code, adviceOf(reason));
}

function endOfCode(code: number, advice: Partial<Line>): LinkEnd {
  const reason = String(advice['reason'] ?? (code === EXPIRED_CODE ? 'expired' : `closed ${code}`));
  const isAdvised = code >= 4000 && code < 5000;
  return {
    ...{ code, reason, isAdvised, isFinal: code >= FINAL_CODE && code < 5000 },
    ...(code === EXPIRED_CODE ? { needsToken: true } : {}),
    ...adviceFields(advice),
  };
}

/** An `error` line before the room was joined: the answer to the join. */
export function endOfError(line: Partial<Line>): LinkEnd {
  const reason = String(line['rule'] ?? line['code'] ?? 'refused');
  const needsToken = line['code'] === 'unauthorized';
  const isFinal = !needsToken && line['retryAfterMs'] === undefined;
  return { reason, isAdvised: true, isFinal, needsToken, ...adviceFields(line) };
}

/** An HTTP answer that is no success; `error` is the `error` member of its body, when it has one. */
export function endOfStatus(
  status: number,
  retryAfter: string | null,
  error: Partial<Line> | undefined,
): LinkEnd {
  const seconds = Number(retryAfter ?? NaN);
  const retryAfterMs =
    error?.['retryAfterMs'] ?? (Number.isFinite(seconds) ? seconds * 1000 : undefined);
  const advice = { ...error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const told = error?.['code'] !== undefined;
  if (status === 429 || status >= 500) {
    const reason = String(error?.['code'] ?? `status ${status}`);
    return { reason, isAdvised: told, isFinal: false, ...adviceFields(advice) };
  }
  // Only the service itself may send a viewer away: a proxy's page says nothing about the room.
  if (!told) return { reason: `status ${status}`, isFinal: false };
  return endOfError(advice);
}

/** What of a line is advice on when and where to come back. */
export function adviceFields({ retryAfterMs, message, edges }: Partial<Line>): Partial<LinkEnd> {
  const urls = Array.isArray(edges) ? edges.map(urlOf).filter((url) => url !== undefined) : [];
  return {
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(typeof message === 'string' ? { message } : {}),
    ...(urls.length > 0 ? { edges: urls.slice(0, EDGES_MAX) } : {}),
  };
}

/** An edge as advice or dispatch names it: its address, or an object with one. */
export function urlOf(edge: unknown): string | undefined {
  const url = typeof edge === 'string' ? edge : (edge as { url?: unknown } | null)?.url;
  return typeof url === 'string' && /^(https?|wss?):\/\//.test(url) ? url : undefined;
}

function adviceOf(reason: string): Partial<Line> {
  try {
    const advice: unknown = JSON.parse(reason);
    return typeof advice === 'object' && advice !== null ? (advice as Partial<Line>) : {};
  } catch {
    return {};
  }
}
