/**
 * Owns what goes down one connection, WebSocket or event stream: its encoding, and where it stands
 * with the slow marks. Rules: SPEC E-SLOW-1, E-SLOW-2, E-SHED-6; the decision itself is
 * core/slow-policy.ts.
 */
import type { Batch, Encoding, Part } from './batch.js';
import { skippedLine } from '../src/wire/outgoing.js';
import { eventText } from './batch.js';
import { slowStep, type SlowMarks } from './core/slow-policy.js';
import { deflateLine } from './deflate.js';
import type { EdgeMeters } from './meters.js';
import type { Told } from './thin-notices.js';
import type { Pipe } from './viewer-server.js';

export class Outlet implements Told {
  readonly encoding: Encoding;
  readonly #pipe: Pipe;
  readonly #marks: () => SlowMarks;
  readonly #meters: EdgeMeters;
  /** Whether bytes waited after the last send; only then the pipe is asked how many. */
  #waits = false;
  #lags = false;
  /** Publications left out since it was last told. */
  #skipped = 0;
  /** Publications thinned out since it was last told. */
  #lost = 0;

  constructor(encoding: Encoding, pipe: Pipe, marks: () => SlowMarks, meters: EdgeMeters) {
    this.encoding = encoding;
    this.#pipe = pipe;
    this.#marks = marks;
    this.#meters = meters;
  }

  get isLagging(): boolean {
    return this.#lags;
  }

  /** Sends a part of a flush, to one that lags what is keepable; false: too slow, end it. */
  deliver(batch: Batch, wanted: Part = 'all'): boolean {
    const whole = batch.pack(this.encoding, wanted);
    if (this.#waits && !this.#weigh(whole.bytes)) return false;
    const packed = this.#lags ? batch.pack(this.encoding, 'keep') : whole;
    if (this.#skipped > 0 && !this.#lags && !this.#tellSkipped()) return false;
    for (const message of packed.messages) {
      if (!this.#send(message)) return false;
    }
    this.#meters.deliveries.add(packed.count);
    const left = whole.count - packed.count;
    if (left > 0) {
      this.#skipped += left;
      this.#meters.skipped.add(left);
    }
    return true;
  }

  lose(count: number): boolean {
    const isFirst = this.#lost === 0 && count > 0;
    this.#lost += count;
    return isFirst;
  }

  /** One that is too slow for it is so for the next flush, and ended by that. */
  tellLost(): void {
    const line = skippedLine(this.#lost, 'shed');
    this.#lost = 0;
    this.line('skipped', line);
  }

  #tellSkipped(): boolean {
    const line = skippedLine(this.#skipped, 'slow');
    this.#skipped = 0;
    return this.line('skipped', line);
  }

  /** Sends one of the edge's own lines; false: too slow, end it. `id` is for event streams. */
  line(name: string, line: string, id?: string): boolean {
    if (this.#waits && !this.#weigh(line.length)) return false;
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

  #weigh(nextBytes: number): boolean {
    const bufferedBytes = this.#pipe.bufferedBytes();
    // With nothing waiting a flush of any size is taken: it may all fit into the network.
    const bytes = { bufferedBytes, nextBytes: bufferedBytes > 0 ? nextBytes : 0 };
    const step = slowStep(this.#lags, bytes, this.#marks());
    this.#waits = bufferedBytes > 0;
    this.#lags = step === 'keep';
    return step !== 'end';
  }
}
