/**
 * Owns the way from a WebSocket message to its JSON lines: text as it is, binary through raw
 * deflate, in order and bounded. Knows no room and no page.
 */

/** An inflated message beyond this is not what an edge sends. */
const INFLATED_BYTES_MAX = 8 * 1024 * 1024;
/** Messages whose inflation may wait; more means this page cannot follow. */
const WAITING_MAX = 256;

/** The subprotocols this browser can read, the wanted one only. */
export function subprotocols() {
  try {
    new DecompressionStream('deflate-raw');
    return ['barrage.v1+deflate'];
  } catch {
    return ['barrage.v1+json'];
  }
}

/**
 * Hands the lines of each message to `onLine`, message after message in order of arrival.
 * `onFlaw` hears once of input that cannot be read or comes faster than it can be.
 */
export class LineReader {
  #onLine;
  #onFlaw;
  #tail = Promise.resolve();
  #waiting = 0;
  #stopped = false;

  constructor({ onLine, onFlaw }) {
    this.#onLine = onLine;
    this.#onFlaw = onFlaw;
  }

  /** Takes `MessageEvent.data`: text, or an ArrayBuffer of raw deflate. */
  push(data) {
    if (this.#waiting >= WAITING_MAX) return this.#fail('more arrives than can be read');
    this.#waiting++;
    const text = typeof data === 'string' ? data : inflate(data);
    this.#tail = this.#tail
      .then(() => text)
      .then((lines) => this.#give(lines))
      .catch((error) => this.#fail(String(error)))
      .finally(() => this.#waiting--);
  }

  stop() {
    this.#stopped = true;
  }

  #give(text) {
    for (const line of text.split('\n')) {
      if (this.#stopped) return;
      if (line === '') continue;
      const value = JSON.parse(line);
      if (typeof value === 'object' && value !== null) this.#onLine(value);
    }
  }

  #fail(why) {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#onFlaw(why);
  }
}

async function inflate(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > INFLATED_BYTES_MAX) {
      await reader.cancel();
      throw new Error('a message is too large once inflated');
    }
    text += decoder.decode(value, { stream: true });
  }
}
