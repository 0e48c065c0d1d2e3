/**
 * A studio's back end for tests: a real HTTP server that keeps what it was sent and answers as it is
 * told: at once, late, never, with rubbish, or by cutting the connection.
 */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // The shape is what the tests are about.
  readonly body: any;
}

/** What to do with a call: a judgement or status to answer with, or something worse. */
export type Reply =
  | object
  | { status: number; text?: string; headers?: Record<string, string> }
  | 'hang'
  | 'reset'
  | 'garbage'
  | 'endless';

export type Answering = (received: Received) => Reply | Promise<Reply>;

export class BackEnd {
  readonly calls: Received[] = [];
  answer: Answering = () => ({ action: 'allow' });
  readonly #server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const text = Buffer.concat(parts).toString();
      const path = request.url ?? '';
      void this.#reply({ path, headers: request.headers, text, body: JSON.parse(text) }, response);
    });
  });
  readonly #waiting = new Set<() => void>();

  static async start(answer?: Answering): Promise<BackEnd> {
    const target = new BackEnd();
    if (answer !== undefined) target.answer = answer;
    await new Promise<void>((done) => target.#server.listen(0, '127.0.0.1', done));
    return target;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  /** Every event told, in the order it came. */
  get events(): any[] {
    return this.calls.flatMap(({ body }) => (body.events ?? []) as unknown[]);
  }

  /** Resolves when the condition holds after some call. */
  until(holds: () => boolean, waitMs = 8000): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited in vain; ${this.calls.length} calls came`)),
        waitMs,
      );
      const check = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  /** Ends the connections that no call is on. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #reply(received: Received, response: ServerResponse): Promise<void> {
    this.calls.push(received);
    for (const check of [...this.#waiting]) check();
    const reply = await this.answer(received);
    if (reply === 'hang') return;
    if (reply === 'reset') return void response.socket?.resetAndDestroy();
    if (reply === 'garbage') return void response.end('<html>no judgement</html>');
    if (reply === 'endless') return endlessly(response);
    const { status, text, headers } = reply as { status?: number; text?: string; headers?: object };
    if (status !== undefined) response.writeHead(status, { ...headers }).end(text ?? '');
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  }
}

function endlessly(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(16_384)));
  };
  response.on('drain', more);
  more();
}

/** Whether the call's signature is right, checked without any code of the service. */
export function isSigned({ headers, text }: Received, secret: string): boolean {
  const match = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-barrage-signature']));
  if (match === null) return false;
  const expected = createHmac('sha256', secret).update(`${match[1]}.${text}`).digest('hex');
  return match[2] === expected && Math.abs(Number(match[1]) - Date.now() / 1000) < 60;
}
