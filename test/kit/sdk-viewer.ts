/**
 * A viewer that watches by the SDK and writes down all it is told, for the tests of the SDK against
 * a real service. Waits by condition, never by time.
 */
import { WebSocket } from 'ws';
import { connect, type ConnectOptions, type RoomStream } from '../../client/index.js';
import type {
  Closed,
  Gap,
  Line,
  Publication,
  Recovered,
  SendResult,
  State,
} from '../../client/types.js';

const WAIT_MS = 10_000;

export class SdkViewer {
  readonly stream: RoomStream;
  readonly publications: Publication[] = [];
  readonly gaps: Gap[] = [];
  readonly recovered: Recovered[] = [];
  readonly states: State[] = [];
  readonly verdicts: SendResult[] = [];
  readonly errors: Line[] = [];
  readonly echoed: string[] = [];
  readonly recalled: string[] = [];
  closed: Closed | undefined;
  #heard = new Set<() => void>();

  constructor(options: ConnectOptions) {
    this.stream = connect({ WebSocket, smoothMs: 0, ...options });
    const { stream } = this;
    const note = () => this.#heard.forEach((look) => look());
    const into =
      <T>(list: T[]) =>
      (value: T) => {
        list.push(value);
        note();
      };
    stream.on('publication', into(this.publications));
    stream.on('gap', into(this.gaps));
    stream.on('recovered', into(this.recovered));
    stream.on('state', into(this.states));
    stream.on('verdict', into(this.verdicts));
    stream.on('error', into(this.errors));
    stream.on('echoed', ({ publication }) => into(this.echoed)(publication.id));
    stream.on('recalled', ({ ids }) => ids.forEach(into(this.recalled)));
    for (const other of ['online', 'attributes', 'joined', 'batch', 'shed'] as const) {
      stream.on(other, note);
    }
    stream.on('closed', (closed) => {
      this.closed = closed;
      note();
    });
  }

  get texts(): string[] {
    return this.publications.map(({ text }) => text ?? '');
  }

  /** Until the condition holds; rejects with what is there when it does not in time. */
  async until(what: string, holds: () => boolean, withinMs = WAIT_MS): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => {
        this.#heard.delete(look);
        const seen = {
          states: this.states.slice(-6),
          texts: this.texts.slice(-20),
          gaps: this.gaps,
        };
        reject(new Error(`${what}: not within ${withinMs} ms; ${JSON.stringify(seen)}`));
      }, withinMs);
      const look = () => {
        if (!holds()) return;
        clearTimeout(late);
        this.#heard.delete(look);
        resolve();
      };
      this.#heard.add(look);
    });
  }

  async live(withinMs?: number): Promise<this> {
    const names = ['live', 'polling'];
    await this.until('live', () => names.includes(this.stream.state.name), withinMs);
    return this;
  }

  close(): void {
    this.stream.close();
  }
}
