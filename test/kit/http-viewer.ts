/** Viewers without a WebSocket for tests: server-sent events and polling over plain HTTP. */
import { request, type IncomingMessage } from 'node:http';

export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  // The shape is what tests are about.
  readonly data: any;
}

/** An event stream, read as it comes. */
export class EventViewer {
  readonly events: StreamEvent[] = [];
  retryMs: number | undefined;
  isOver = false;
  #rest = '';

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#read(chunk));
    response.on('close', () => (this.isOver = true));
    response.on('error', () => (this.isOver = true));
  }

  static connect(
    port: number,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<EventViewer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { port, host: '127.0.0.1', path, headers, agent: false },
        (response) => {
          if (response.statusCode === 200) resolve(new EventViewer(response));
          else reject(new Error(String(response.statusCode)));
        },
      );
      asked.on('error', reject);
      asked.end();
    });
  }

  get publications(): any[] {
    return this.events.flatMap(({ data }) => data?.publications ?? []);
  }

  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  close(): void {
    this.response.destroy();
  }

  #read(chunk: string): void {
    const blocks = (this.#rest + chunk).split('\n\n');
    this.#rest = blocks.pop()!;
    for (const block of blocks) this.#block(block);
  }

  #block(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const at = line.indexOf(': ');
      if (at > 0) fields.set(line.slice(0, at), line.slice(at + 2));
    }
    if (fields.has('retry')) this.retryMs = Number(fields.get('retry'));
    const [event, data] = [fields.get('event'), fields.get('data')];
    if (event === undefined || data === undefined) return;
    this.events.push({ event, id: fields.get('id'), data: JSON.parse(data) });
  }
}

export interface Polled {
  readonly status: number;
  readonly text: string;
  readonly body: any;
}

/** One poll of the lobby. */
export async function poll(port: number, query: Record<string, string | number>): Promise<Polled> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) search.set(name, String(value));
  const url = `http://127.0.0.1:${port}/v1/rooms/lobby/publications?${search.toString()}`;
  const answer = await fetch(url);
  const text = await answer.text();
  return { status: answer.status, text, body: JSON.parse(text) };
}

/** The JSON of an answer; what it looks like is what tests are about. */
export async function jsonOf(answer: Response): Promise<any> {
  return answer.json();
}
