/**
 * Owns one HTTP POST to a callback target: kept connections, no redirects followed, an answer of
 * bounded size. Knows neither what is said nor what a failure means.
 */
import { Agent as PlainAgent, request as plainRequest, type ClientRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { CallbackRefused } from './callback-gates.js';

/** Longest answer that is read; a judgement is a line. */
export const ANSWER_BYTES_MAX = 64 * 1024;
/** To one host: the most questions a configuration allows, and those that tell. */
const SOCKETS_PER_HOST = 1100;
const SOCKETS_MAX = 4096;
const SOCKETS_FREE_PER_HOST = 32;

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PostAnswer {
  readonly status: number;
  readonly body: string;
}

export class CallbackPosts {
  readonly #plain: PlainAgent;
  readonly #tls: TlsAgent;

  constructor() {
    const kept = {
      keepAlive: true,
      maxSockets: SOCKETS_PER_HOST,
      maxTotalSockets: SOCKETS_MAX,
      maxFreeSockets: SOCKETS_FREE_PER_HOST,
    };
    this.#plain = new PlainAgent(kept);
    this.#tls = new TlsAgent(kept);
  }

  /** Rejects when there is no whole answer, or `signal` says so. */
  async send(post: Post, signal: AbortSignal): Promise<PostAnswer> {
    const first = await this.#attempt(post, signal);
    if (first !== 'stale') return first;
    // The other side closed a kept connection at that moment and has not read the call.
    const again = await this.#attempt(post, signal, true);
    if (again === 'stale') throw new CallbackRefused('failed', false);
    return again;
  }

  /** Ends all connections. */
  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }

  #attempt(post: Post, signal: AbortSignal, fresh = false): Promise<PostAnswer | 'stale'> {
    return new Promise((resolve, reject) => {
      const request = this.#open(post, signal, fresh);
      request.once('error', (error: NodeJS.ErrnoException) => {
        const isCut = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        if (request.reusedSocket && isCut && !signal.aborted) resolve('stale');
        else reject(error);
      });
      request.once('response', (answer) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (part: Buffer) => {
          bytes += part.byteLength;
          parts.push(part);
          if (bytes > ANSWER_BYTES_MAX) answer.destroy(new CallbackRefused('bad_answer', true));
        });
        answer.once('error', reject);
        answer.once('close', () => reject(new CallbackRefused('failed', false)));
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() }),
        );
      });
      request.end(post.body);
    });
  }

  #open({ url, headers, body }: Post, signal: AbortSignal, fresh: boolean): ClientRequest {
    const isTls = url.protocol === 'https:';
    const agent = isTls ? this.#tls : this.#plain;
    return (isTls ? tlsRequest : plainRequest)(url, {
      method: 'POST',
      signal,
      agent: fresh ? false : agent,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
  }
}
