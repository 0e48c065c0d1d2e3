/**
 * A CDN and a socket in memory for the tests of the SDK: files by address, faults by source, and a
 * WebSocket whose other end is the test.
 */
import type { Line } from '../../client/types.js';
import { ManualClock } from './manual-clock.js';

interface Publication {
  readonly id: string;
  readonly at: number;
}

export class CdnDouble {
  readonly clock: ManualClock;
  readonly asked: string[] = [];
  /** Sources that are down; segments that are gone. */
  readonly down = new Set<string>();
  readonly gone = new Set<number>();
  /** Whether `Range` is honoured; what of files was asked for by it. */
  ranges = false;
  readonly parts: string[] = [];
  mode = 'on';
  atLagMs = 0;
  readonly #files = new Map<string, string>();
  #segments: object[] = [];
  #next = 1;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  fact(mode = 'on') {
    const source = (id: string, weight: number) => ({ id, url: `https://${id}.cdn/`, weight });
    return {
      ...{ mode, pollMs: 1000, segmentMs: 1000, manifest: 'lobby/manifest.json' },
      sources: [source('a', 1), source('b', 0)],
    };
  }

  /** Writes a segment; the manifest names the newest six. */
  write(publications: readonly Publication[], more: object = {}): void {
    const sequence = this.#next++;
    const name = `1700000000000-${sequence}-1-run.jsonl`;
    this.#files.set(name, publications.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const segment = { sequence, name, count: publications.length, shed: 0, ...more };
    this.#segments = [...this.#segments, segment].slice(-6);
  }

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    this.asked.push(url);
    const range = new Headers(init.headers).get('range');
    if (range !== null) this.parts.push(range);
    const { host, pathname } = new URL(url);
    if (this.down.has(host.split('.')[0]!)) throw new TypeError('down');
    const name = pathname.split('/').at(-1)!;
    const date = new Date(this.clock.now()).toUTCString();
    if (name === 'manifest.json') {
      const at = this.clock.now() - this.atLagMs;
      const head = {
        version: 1,
        epoch: 1,
        at,
        mode: this.mode,
        next: this.#next,
        ranges: this.ranges,
      };
      return Response.json({ ...head, segments: this.#segments }, { headers: { date } });
    }
    if (this.gone.has(Number(name.split('-')[1]))) return new Response('', { status: 404 });
    const file = this.#files.get(name)!;
    if (range === null) return new Response(file);
    const end = Number(range.split('-')[1]);
    const headers = { 'content-range': `bytes 0-${end}/${file.length}` };
    return new Response(file.slice(0, end + 1), { status: 206, headers });
  };
}

/** The newest socket made; what was written to it, and how lines arrive. */
export class SocketDouble {
  static newest: SocketDouble | undefined;
  static count = 0;
  readonly written: Line[] = [];
  readyState = 1;
  readonly bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor() {
    SocketDouble.newest = this;
    SocketDouble.count++;
    queueMicrotask(() => this.onopen?.());
  }

  send(text: string): void {
    this.written.push(JSON.parse(text) as Line);
  }

  say(...lines: object[]): void {
    this.onmessage?.({ data: lines.map((line) => JSON.stringify(line)).join('\n') });
  }

  close(): void {
    this.readyState = 3;
  }
}

/** Lets promises run, then moves the clock on, in steps. */
export async function pass(clock: ManualClock, ms: number, stepMs = 100): Promise<void> {
  for (let at = 0; at <= ms; at += stepMs) {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    if (at < ms) clock.advance(Math.min(stepMs, ms - at));
  }
}
