/**
 * A viewer for tests over a real WebSocket: keeps every line it was sent, inflates what is deflated,
 * and lets a test wait for what it expects instead of sleeping.
 */
import { inflateRawSync } from 'node:zlib';
import WebSocket from 'ws';

// What lines look like is what the tests are about.
export type Line = Record<string, any>;

export interface ViewerOptions {
  readonly encoding?: 'json' | 'deflate';
  readonly room?: string;
  readonly token?: string | undefined;
  readonly since?: { epoch: number; offset: number };
  readonly headers?: Record<string, string>;
  readonly localAddress?: string;
}

const WAIT_MS = 8_000;

export class Viewer {
  readonly lines: Line[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      const text = isBinary ? inflateRawSync(data).toString() : data.toString();
      for (const line of text.split('\n')) this.lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  /** Resolves when the socket is open; rejects with the HTTP status when it is refused. */
  static async connect(port: number, options: ViewerOptions = {}): Promise<Viewer> {
    const query = new URLSearchParams();
    if (options.room !== undefined && options.since === undefined) query.set('room', options.room);
    if (options.token !== undefined && options.since === undefined) {
      query.set('token', options.token);
    }
    const socket = new WebSocket(
      `ws://127.0.0.1:${port}/v1/ws?${query.toString()}`,
      [`barrage.v1+${options.encoding ?? 'json'}`],
      {
        perMessageDeflate: false,
        headers: options.headers ?? {},
        ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      },
    );
    const viewer = new Viewer(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_, answer) =>
        reject(new Error(String(answer.statusCode))),
      );
      socket.once('error', reject);
    });
    if (options.room !== undefined && options.since !== undefined) {
      viewer.join(options.room, options.token, options.since);
    }
    return viewer;
  }

  join(room: string, token?: string, since?: { epoch: number; offset: number }): void {
    this.say({ type: 'join', room, ...(token ? { token } : {}), ...(since ? { since } : {}) });
  }

  say(command: object): void {
    this.raw(JSON.stringify(command));
  }

  raw(bytes: string | Buffer): void {
    this.#socket.send(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The first line of a type (and shape), now or as soon as it comes. */
  async line(type: string, matches: (line: Line) => boolean = () => true): Promise<Line> {
    await this.until(
      () => this.lines.some((line) => line['type'] === type && matches(line)),
      `a line ${type}`,
    );
    return this.lines.find((line) => line['type'] === type && matches(line))!;
  }

  /** Everything published to this viewer, in the order it came, joined windows included. */
  get publications(): Line[] {
    return this.lines.flatMap((line) =>
      line['type'] === 'frame' || line['type'] === 'joined' ? (line['publications'] as Line[]) : [],
    );
  }

  get keepableOffsets(): number[] {
    return this.publications
      .map((publication) => publication['offset'] as number | undefined)
      .filter((offset): offset is number => offset !== undefined);
  }

  /** Where this viewer is in the keepable stream. */
  get position(): { epoch: number; offset: number } {
    let position = { epoch: 0, offset: 0 };
    for (const line of this.lines) {
      if (line['type'] === 'joined') position = { epoch: line['epoch'], offset: line['offset'] };
      if (line['type'] === 'frame' && line['class'] === 'keep') {
        position = {
          epoch: line['epoch'],
          offset: line['offset'] + line['publications'].length - 1,
        };
      }
    }
    return position;
  }

  /** Resolves when the condition holds after some line or the close; rejects after a while. */
  until(holds: () => boolean, what = 'the condition', waitMs = WAIT_MS): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        const seen = this.lines.slice(-5).map((line) => JSON.stringify(line).slice(0, 200));
        reject(new Error(`waited in vain for ${what}; last lines:\n${seen.join('\n')}`));
      }, waitMs);
      const check = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.until(() => this.closed !== undefined, 'the close');
  }

  /** Cuts the connection without a goodbye. */
  cut(): void {
    this.#socket.terminate();
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }
}
