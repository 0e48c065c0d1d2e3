/**
 * Owns the SDK's HTTP requests: addresses, the token's header, time limits, and what an answer that
 * is no success means. Knows no line.
 */
import { endOfStatus, type LinkEnd } from './core/closing.js';
import type { Clock } from './clock.js';
import type { FetchLike, Line } from './types.js';

/** A request that failed, with what to do about it. */
export class RequestFailed extends Error {
  constructor(
    readonly end: LinkEnd,
    /** What the answer told, where it was one. */
    readonly told?: Partial<Line>,
  ) {
    super(end.reason);
  }
}

export interface HttpParts {
  readonly clock: Clock;
  readonly fetch: FetchLike;
}

export interface Ask {
  readonly url: string;
  readonly token?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Time until the answer's head; the body is the caller's to bound. */
  readonly withinMs: number;
  readonly stop: AbortController;
  /** Hears by how much the edge's clock is ahead of this one, from an answer that says so. */
  readonly ahead?: (ms: number) => void;
}

/** The answer, a success; rejects with RequestFailed. */
export async function ask({ clock, fetch }: HttpParts, request: Ask): Promise<Response> {
  const { url, token, headers, body, withinMs, stop } = request;
  const late = clock.after(withinMs, () => stop.abort());
  try {
    const answer = await fetch(url, {
      ...(body && { method: 'POST', body }),
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...{ cache: 'no-store', credentials: 'omit', signal: stop.signal },
    });
    if (!answer.ok) throw await failedOf(answer);
    const now = Number(answer.headers.get('x-barrage-now'));
    if (now > 0) request.ahead?.(now - clock.now());
    return answer;
  } catch (error) {
    if (error instanceof RequestFailed) throw error;
    throw new RequestFailed({ reason: stop.signal.aborted ? 'timeout' : 'unreachable' });
  } finally {
    late.cancel();
  }
}

/** The answer's JSON object; rejects with RequestFailed. */
export async function askJson(parts: HttpParts, request: Ask): Promise<Line> {
  const late = parts.clock.after(request.withinMs * 2, () => request.stop.abort());
  try {
    return (await (await ask(parts, request)).json()) as Line;
  } catch (error) {
    if (error instanceof RequestFailed) throw error;
    throw new RequestFailed({ reason: 'unreadable' });
  } finally {
    late.cancel();
  }
}

interface FactsOf {
  readonly base: string;
  readonly room: string;
  readonly token: string | undefined;
  readonly stop?: AbortController;
}

/** What `joined` tells of the room's attributes, as a line of its own; undefined: not to be had. */
export async function askFacts(
  parts: HttpParts & { readonly connectMs: number },
  { base, room, token, stop = new AbortController() }: FactsOf,
): Promise<Line | undefined> {
  const url = roomUrl(base, room, 'attributes');
  const request = { url, token, withinMs: parts.connectMs, stop };
  const facts = await askJson(parts, request).catch(() => undefined);
  return facts && { ...facts, type: 'facts' };
}

async function failedOf(answer: Response): Promise<RequestFailed> {
  const body = (await answer.json().catch(() => undefined)) as Partial<Line> | undefined;
  const retryAfter = answer.headers.get('retry-after');
  return new RequestFailed(endOfStatus(answer.status, retryAfter, body?.['error']), body);
}

/** A room's address at an edge. */
export function roomUrl(base: string, room: string, what: string, query: object = {}): string {
  // JSON leaves out what is undefined.
  const given = JSON.parse(JSON.stringify(query)) as Record<string, string>;
  const text = String(new URLSearchParams(given));
  return `${base}/v1/rooms/${encodeURIComponent(room)}/${what}${text === '' ? '' : `?${text}`}`;
}
