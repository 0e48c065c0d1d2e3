/**
 * Owns one call served for another service: its body as it comes in, its answer as it is taken, and
 * their end whatever happens. Knows no bus.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { PartReader, PartWriter, type Part } from './parts.js';
import type { Ticketed } from './tickets.js';

/** What of an injected call's answer is looked at. */
export interface InjectedAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly raw: { readonly res: ServerResponse; readonly req?: IncomingMessage };
  stream(): Readable;
}

export class ServedCall implements Ticketed {
  readonly writer: PartWriter | undefined;
  readonly #ended: () => void;
  #answer: Promise<InjectedAnswer> | undefined;
  #arrived: InjectedAnswer | undefined;
  #reader: PartReader | undefined;
  #isOver = false;

  /** `ended` is called once, when nothing of the call is held any more. */
  constructor(hasStream: boolean, ended: () => void) {
    this.writer = hasStream ? new PartWriter() : undefined;
    this.#ended = ended;
  }

  get heldBytes(): number {
    const written = this.writer?.stream;
    return (written?.writableLength ?? 0) + (this.#reader?.heldBytes ?? 0);
  }

  /** Must be called once, before anything else. */
  begin(answer: Promise<InjectedAnswer>): void {
    this.#answer = answer.then((arrived) => {
      this.#arrived = arrived;
      if (this.#isOver) arrived.raw.res.destroy();
      return arrived;
    });
    this.#answer.catch(() => undefined);
  }

  /** The head of the answer; rejects when there will be none. */
  get answer(): Promise<InjectedAnswer> {
    return this.#answer!;
  }

  /** Hands the part on; the answer's head if it came meanwhile, which the last part waits for. */
  async take(part: Part): Promise<InjectedAnswer | undefined> {
    const written = this.writer!.write(part).then(() => undefined);
    await Promise.race([written, this.answer]);
    return part.more ? this.#arrived : this.answer;
  }

  /** The next bytes of the answer's body; ends the call with the last of them. */
  async next(): Promise<Part> {
    const { answer } = this;
    this.#reader ??= new PartReader((await answer).stream());
    const part = await this.#reader.next();
    if (!part.more) this.end();
    return part;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.writer?.stream.writableEnded === false) this.writer.cut();
    const response = this.#arrived?.raw.res;
    // Tells whoever writes the answer that nobody reads it any more.
    if (response?.writableFinished === false) response.destroy();
    this.#ended();
  }
}
