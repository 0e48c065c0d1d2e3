/**
 * Owns the events that wait for one callback target: a queue bounded in items and bytes, the oldest
 * dropped first, sent in order and in batches, one batch at a time. Knows no HTTP.
 */

/** How a batch ended: `open` leaves it waiting, the others take it from the queue. */
export type BatchEnd = 'delivered' | 'failed' | 'open';

export interface OutboxHost {
  /** `events` are JSON texts; `dropped` were lost before the first of them. Never rejects. */
  send(events: readonly string[], dropped: number): Promise<BatchEnd>;
  /** How long events are gathered before the first goes, and how long `open` is waited out. */
  readonly gatherMs: number;
  readonly openMs: number;
  readonly countMax: number;
  readonly bytesMax: number;
  /** Bytes added (or, negative, given back): false when all targets together have no more room. */
  reserve(bytes: number): boolean;
  dropped(count: number): void;
  wait(ms: number): Promise<void>;
}

export const BATCH_EVENTS_MAX = 200;
const BATCH_BYTES_MAX = 256 * 1024;

interface Waiting {
  readonly text: string;
  readonly bytes: number;
}

export class Outbox {
  readonly #host: OutboxHost;
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** How many at the front are being sent. */
  #sending = 0;
  #droppedSince = 0;
  #running: Promise<void> | undefined;
  #ended = false;

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(text: string): void {
    const bytes = Buffer.byteLength(text);
    const { countMax, bytesMax } = this.#host;
    const isFull = () => this.#waiting.length >= countMax || this.#bytes + bytes > bytesMax;
    while (isFull() && this.#dropOldest());
    if (this.#ended || isFull() || !this.#host.reserve(bytes)) {
      this.#lose(1);
      return;
    }
    this.#waiting.push({ text, bytes });
    this.#bytes += bytes;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Drops what waits and takes no more. */
  end(): void {
    this.#ended = true;
    this.#lose(this.#waiting.length - this.#sending);
    this.#release(this.#waiting.splice(this.#sending));
  }

  async #run(): Promise<void> {
    await this.#host.wait(this.#host.gatherMs);
    while (this.#waiting.length > 0) {
      const batch = this.#begin();
      const droppedBefore = this.#droppedSince;
      const end = await this.#host.send(
        batch.map(({ text }) => text),
        droppedBefore,
      );
      this.#sending = 0;
      if (end === 'open' && !this.#ended) {
        await this.#host.wait(this.#host.openMs);
        continue;
      }
      this.#release(this.#waiting.splice(0, batch.length));
      if (end === 'delivered') this.#droppedSince -= droppedBefore;
      else this.#lose(batch.length);
    }
    this.#running = undefined;
  }

  #begin(): readonly Waiting[] {
    let bytes = 0;
    let end = 0;
    while (end < this.#waiting.length && end < BATCH_EVENTS_MAX) {
      bytes += this.#waiting[end]!.bytes;
      if (end > 0 && bytes > BATCH_BYTES_MAX) break;
      end++;
    }
    this.#sending = end;
    return this.#waiting.slice(0, end);
  }

  /** The oldest that is not on its way; false when there is none. */
  #dropOldest(): boolean {
    const [oldest] = this.#waiting.splice(this.#sending, 1);
    if (oldest === undefined) return false;
    this.#release([oldest]);
    this.#lose(1);
    return true;
  }

  #release(gone: readonly Waiting[]): void {
    let bytes = 0;
    for (const each of gone) bytes += each.bytes;
    this.#bytes -= bytes;
    this.#host.reserve(-bytes);
  }

  #lose(count: number): void {
    if (count === 0) return;
    this.#droppedSince += count;
    this.#host.dropped(count);
  }
}
