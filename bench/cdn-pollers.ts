/**
 * Owns many viewers of a CDN over few connections: each polls the manifest at its own phase and
 * fetches what is new, as docs/cdn.md says. Counts bytes and the age of what arrives.
 */
import { connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Manifest } from '../src/wire/cdn.js';

type Done = (head: string, body: Buffer) => void;

const HEAD_END = Buffer.from('\r\n\r\n');

/** One connection that is kept; answers come in the order of their requests. */
class Wire {
  readonly #socket: Socket;
  readonly #waiting: Done[] = [];
  #bytes: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes) => this.#take(bytes));
    this.#socket.on('error', () => undefined);
  }

  get(path: string, done: Done): void {
    this.#waiting.push(done);
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: cdn\r\nAccept-Encoding: gzip\r\n\r\n`);
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const at = this.#bytes.indexOf(HEAD_END);
      if (at < 0) return;
      const head = this.#bytes.toString('latin1', 0, at);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const end = at + 4 + length;
      if (this.#bytes.length < end) return;
      const body = this.#bytes.subarray(at + 4, end);
      this.#bytes = this.#bytes.subarray(end);
      this.#waiting.shift()?.(head, body);
    }
  }
}

export interface PollerCounts {
  requests: number;
  failed: number;
  bytes: number;
  publications: number;
  /** Milliseconds from `at` to the arrival, of a sample. */
  readonly agesMs: number[];
}

/** Files are the same for all: unpacked once. */
class Shelf {
  readonly #manifests = new Map<string, Manifest>();
  readonly #ats = new Map<string, readonly number[]>();

  manifest(body: Buffer): Manifest {
    const key = body.toString('latin1');
    let manifest = this.#manifests.get(key);
    if (manifest === undefined) {
      this.#manifests.clear();
      manifest = JSON.parse(text(body)) as Manifest;
      this.#manifests.set(key, manifest);
    }
    return manifest;
  }

  ats(name: string, body: Buffer): readonly number[] {
    let ats = this.#ats.get(name);
    if (ats === undefined) {
      const lines = text(body).trimEnd().split('\n');
      ats = lines.map((line) => (JSON.parse(line) as { at: number }).at);
      this.#ats.set(name, ats);
    }
    return ats;
  }
}

function text(body: Buffer): string {
  return (body[0] === 0x1f ? gunzipSync(body) : body).toString();
}

const WIRES = 64;
const SAMPLE_EVERY = 7;

export class Pollers {
  readonly #wires: readonly Wire[];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #shelf = new Shelf();
  readonly #folder: string;
  readonly #now: () => number;
  #counts: PollerCounts = none();
  #turn = 0;

  constructor(port: number, room: string, now: () => number) {
    this.#wires = Array.from({ length: WIRES }, () => new Wire(port));
    this.#folder = `/${room}/`;
    this.#now = now;
  }

  /** Adds viewers, spread over a poll. */
  add(count: number, pollMs: number): void {
    for (let i = 0; i < count; i++) {
      const wire = this.#wires[i % WIRES]!;
      let seen = -1;
      const poll = () =>
        this.#get(wire, 'manifest.json', (body) => {
          const { segments } = this.#shelf.manifest(body);
          const fresh = segments
            .filter(({ sequence }) => sequence > seen)
            .slice(seen < 0 ? -2 : -5);
          const isFirst = seen < 0;
          seen = segments.at(-1)?.sequence ?? seen;
          for (const { name } of fresh) {
            this.#get(wire, name, (segment) => this.#segment(name, segment, isFirst));
          }
        });
      const start = setTimeout(
        () => this.#timers.push(setInterval(poll, pollMs)),
        (i / count) * pollMs,
      );
      this.#timers.push(start);
    }
  }

  /** What was counted since the last time. */
  take(): PollerCounts {
    const counts = this.#counts;
    this.#counts = none();
    return counts;
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const wire of this.#wires) wire.end();
  }

  #get(wire: Wire, name: string, done: (body: Buffer) => void): void {
    wire.get(this.#folder + name, (head, body) => {
      this.#counts.requests++;
      this.#counts.bytes += head.length + 4 + body.length;
      if (head.startsWith('HTTP/1.1 200')) done(body);
      else this.#counts.failed++;
    });
  }

  #segment(name: string, body: Buffer, isFirst: boolean): void {
    const ats = this.#shelf.ats(name, body);
    this.#counts.publications += ats.length;
    if (isFirst) return;
    const now = this.#now();
    for (const at of ats) {
      if (this.#turn++ % SAMPLE_EVERY === 0) this.#counts.agesMs.push(now - at);
    }
  }
}

function none(): PollerCounts {
  return { requests: 0, failed: 0, bytes: 0, publications: 0, agesMs: [] };
}
