/**
 * Owns what goes down one connection, WebSocket or event stream: its encoding, and where it stands
 * with the slow marks. Rules: SPEC E-SLOW-1, E-SLOW-2; the decision itself is core/slow-policy.ts.
 */
import type { Batch, Encoding } from './batch.js';
import { eventText } from './batch.js';
import { slowStep, type SlowMarks } from './core/slow-policy.js';
import { deflateLine } from './deflate.js';
import type { EdgeMeters } from './meters.js';
import type { Pipe } from './viewer-server.js';

export class Outlet {
  readonly encoding: Encoding;
  readonly #pipe: Pipe;
  readonly #marks: () => SlowMarks;
  readonly #meters: EdgeMeters;
  /** Whether bytes waited after the last send; only then the pipe is asked how many. */
  #waits = false;
  #lags = false;

  constructor(encoding: Encoding, pipe: Pipe, marks: () => SlowMarks, meters: EdgeMeters) {
    this.encoding = encoding;
    this.#pipe = pipe;
    this.#marks = marks;
    this.#meters = meters;
  }

  get isLagging(): boolean {
    return this.#lags;
  }

  /** Sends a flush, or its keepable part to one that lags; false: too slow, end it. */
  deliver(batch: Batch): boolean {
    if (this.#waits && !this.#weigh()) return false;
    const messages = batch.form(this.encoding, this.#lags);
    for (const message of messages) {
      if (!this.#send(message)) return false;
    }
    if (this.#lags) {
      this.#meters.skipped.add(batch.dropCount);
      this.#meters.deliveries.add(batch.keepCount);
    } else {
      this.#meters.deliveries.add(batch.keepCount + batch.dropCount);
    }
    return true;
  }

  /** Sends one of the edge's own lines; false: too slow, end it. `id` is for event streams. */
  line(name: string, line: string, id?: string): boolean {
    if (this.#waits && !this.#weigh()) return false;
    if (this.encoding === 'text') return this.#send(line);
    return this.#send(this.encoding === 'deflate' ? deflateLine(line) : eventText(name, line, id));
  }

  /** False when the connection has to end: over the hard mark, or gone. */
  #send(content: string | Uint8Array): boolean {
    const answer = this.#pipe.send(content);
    if (answer === 'lost') return false;
    this.#meters.sends.add();
    this.#meters.sentBytes.add(content.length);
    if (answer === 'sent') return true;
    this.#waits = true;
    return this.#pipe.bufferedBytes() <= this.#marks().hardMarkBytes;
  }

  #weigh(): boolean {
    const bytes = this.#pipe.bufferedBytes();
    const step = slowStep(this.#lags, bytes, this.#marks());
    this.#waits = bytes > 0;
    this.#lags = step === 'keep';
    return step !== 'end';
  }
}
