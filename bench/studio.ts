/**
 * Owns the bench's way into the studio API: plain HTTP over kept connections. Knows the calls the
 * measurements need and nothing of what they mean to a room.
 */
import { Agent, request } from 'node:http';
import { nowUs } from './kit.js';
import type { Said } from './corpus.js';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** The body as it came. */
  readonly text: string;
}

export class Studio {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(
    readonly port: number,
    readonly key: string,
  ) {}

  /** Rejects only when the connection fails; every status is an answer. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const ask = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.key}`,
            ...(text && { 'content-type': 'application/json', 'content-length': text.length }),
            ...headers,
          },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString();
            resolve({ status: answer.statusCode ?? 0, body: parsed(text), text });
          });
        },
      );
      ask.on('error', reject);
      ask.end(text);
    });
  }

  /** As `call`, but any status outside 2xx is an error that shows the answer. */
  async must(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await this.call(method, path, body);
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    return (answer.body ?? {}) as Record<string, unknown>;
  }

  async publishBatch(room: string, said: readonly Said[]): Promise<readonly string[]> {
    const publications = said.map((one) => ({
      room,
      kind: 'danmaku',
      lane: 'normal',
      ...one,
      data: { bt: nowUs() },
    }));
    const { results } = await this.must('POST', '/v1/publications:batch', { publications });
    if (!Array.isArray(results)) throw new Error('the batch was answered without results');
    return results.map((one: { verdict?: string; error?: { code?: string } }) =>
      String(one.verdict ?? one.error?.code ?? 'unknown'),
    );
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}
