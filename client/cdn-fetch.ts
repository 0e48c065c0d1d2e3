/**
 * Owns the requests for a CDN's files: within a time, whole or their first bytes only, and how long
 * each took. Knows no manifest. Rule: SPEC K-CDN-11.
 */
import type { Clock } from './clock.js';
import type { FetchLike } from './types.js';

const REQUEST_MS = 5000;

export interface Got {
  readonly answer: Response | undefined;
  /** Bytes of the body, as far as it was wanted. */
  readonly bytes: Uint8Array;
  /** Until it was read; Infinity: it did not come in time. */
  readonly tookMs: number;
}

const NO_BYTES = new Uint8Array();

/** One request. `end`: only so many bytes of the file are wanted. Never rejects. */
export async function get(
  { clock, fetch }: { readonly clock: Clock; readonly fetch: FetchLike },
  url: string,
  { stop, how = {}, end }: { stop: AbortSignal; how?: RequestInit; end?: number | undefined },
): Promise<Got> {
  const own = new AbortController();
  const began = clock.now();
  let isLate = false;
  const abort = () => own.abort();
  const late = clock.after(REQUEST_MS, () => {
    isLate = true;
    abort();
  });
  stop.addEventListener('abort', abort, { once: true });
  const took = () => (isLate ? Infinity : clock.now() - began);
  try {
    const answer = await fetch(url, { credentials: 'omit', signal: own.signal, ...how });
    // Read within the time: a body that stalls is a failure like any other.
    const isWhole = end === undefined || !answer.ok;
    const bytes = isWhole ? new Uint8Array(await answer.arrayBuffer()) : await head(answer, end);
    return { answer, bytes, tookMs: took() };
  } catch {
    // A body that is of no use would else hold its connection until it is collected.
    abort();
    return { answer: undefined, bytes: NO_BYTES, tookMs: took() };
  } finally {
    late.cancel();
    stop.removeEventListener('abort', abort);
  }
}

/** How the first bytes are asked for: where the origin gives no ranges the body is left instead. */
export const firstBytes = (end: number, hasRanges: boolean): RequestInit =>
  hasRanges ? { headers: { range: `bytes=0-${end - 1}` } } : {};

/** The first bytes of a body, whatever more it has; rejects when it has not so many. */
async function head(answer: Response, end: number): Promise<Uint8Array> {
  const range = answer.headers.get('content-range');
  if (answer.status === 206 && range !== null && !/^bytes 0-/.test(range)) throw new Error(range);
  const bytes = new Uint8Array(end);
  const reader = answer.body!.getReader();
  for (let at = 0; at < end;) {
    const { value } = await reader.read();
    if (value === undefined) throw new Error('too short');
    bytes.set(value.subarray(0, end - at), at);
    at += value.length;
  }
  // What is left is not read any more, and need not be sent.
  void reader.cancel().catch(() => undefined);
  return bytes;
}
