/**
 * Owns one process of the proof's viewers: WebSocket json and deflate, SSE and long poll, every line
 * parsed, every publication entered in its viewer's ledger. Started by bench/proof with a JSON order.
 */
import { Agent, get, type IncomingMessage } from 'node:http';
import { inflateRawSync } from 'node:zlib';
import { parseCursor } from '../../src/wire/outgoing.js';
import type { Publication } from '../../src/words.js';
import { clock, sleep } from '../kit.js';
import { SocketViewer } from '../load/socket-viewer.js';
import { Roll, ViewerLedger, WAYS, type Line, type Way } from './ledger.js';

export interface Order {
  readonly port: number;
  readonly room: string;
  readonly viewers: Readonly<Record<Way, number>>;
  /** The last part of the first 127.0.0.x this process connects from, and how many it uses. */
  readonly firstAddress: number;
  readonly addresses: number;
}

export interface WayResult {
  readonly viewers: number;
  readonly ended: number;
  /** Viewers whose keepable publications were exactly those acknowledged, in order. */
  readonly keepWhole: number;
  /** Viewers that saw every droppable publication this process knows of. */
  readonly dropWhole: number;
  readonly droppable: number;
}

export interface Result {
  readonly ways: Readonly<Record<Way, WayResult>>;
  readonly droppable: readonly (readonly [id: string, danmaku: number])[];
  readonly flaws: readonly string[];
}

interface Watcher {
  readonly ledger: ViewerLedger;
  ended: boolean;
}

const OPENED_PER_SECOND = 500;
const POLL_WAIT_MS = 10_000;
const FLAWS_MAX = 20;
const DISTINCT_MAX = 512;

class Viewers {
  readonly #roll = new Roll();
  readonly #watchers: Watcher[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  /** Lines of recent payloads: viewers of a slice get equal bytes, which are compared in full. */
  readonly #read = new Map<string, { payload: Buffer; lines: readonly Line[] }>();
  #stopping = false;

  constructor(readonly order: Order) {}

  async open(): Promise<void> {
    let opened = 0;
    for (const way of WAYS) {
      for (let i = 0; i < this.order.viewers[way]; i++) {
        this.#start(way, opened++);
        if (opened % 10 === 0) await sleep((10 * 1000) / OPENED_PER_SECOND);
      }
    }
    const end = clock.now() + 20_000;
    while (this.#watchers.some((one) => !one.ledger.joined) && clock.now() < end) await sleep(50);
  }

  joined(): number {
    return this.#watchers.filter((one) => one.ledger.joined && !one.ended).length;
  }

  /** Viewers still short of the last keepable publication acknowledged. */
  behind(expected: number): number {
    return this.#watchers.filter((one) => one.ledger.keepIds.length < expected).length;
  }

  stop(): void {
    this.#stopping = true;
    this.#agent.destroy();
  }

  result(expected: readonly string[]): Result {
    const droppable = this.#roll.entries();
    const ways = Object.fromEntries(
      WAYS.map((way) => {
        const of = this.#watchers.filter((one) => one.ledger.way === way);
        return [way, wayResult(of, expected, droppable.length)];
      }),
    ) as Record<Way, WayResult>;
    const flaws = this.#watchers.flatMap((one) => one.ledger.flaws).slice(0, FLAWS_MAX);
    return { ways, droppable, flaws };
  }

  #start(way: Way, index: number): void {
    const watcher: Watcher = { ledger: new ViewerLedger(way, this.#roll), ended: false };
    this.#watchers.push(watcher);
    const { firstAddress, addresses } = this.order;
    const localAddress = `127.0.0.${firstAddress + (index % addresses)}`;
    if (way === 'sse') this.#watchEvents(watcher, localAddress);
    else if (way === 'poll') void this.#poll(watcher, localAddress);
    else this.#watchSocket(watcher, way, localAddress);
  }

  #watchSocket(watcher: Watcher, format: 'json' | 'deflate', localAddress: string): void {
    new SocketViewer({
      port: this.order.port,
      path: `/v1/ws?room=${this.order.room}`,
      format,
      localAddress,
      onPayload: (payload) => {
        for (const line of this.#lines(payload, format, watcher)) watcher.ledger.take(line);
      },
      onEnd: (why) => this.#end(watcher, why),
    });
  }

  #lines(payload: Buffer, format: 'json' | 'deflate', watcher: Watcher): readonly Line[] {
    const key = `${format}${payload.length}.${payload.readUInt32BE(Math.max(0, payload.length - 8))}`;
    const known = this.#read.get(key);
    if (known?.payload.equals(payload)) return known.lines;
    try {
      const text = format === 'deflate' ? inflateRawSync(payload) : payload;
      const lines = text
        .toString()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
      if (this.#read.size >= DISTINCT_MAX) this.#read.clear();
      this.#read.set(key, { payload: Buffer.from(payload), lines });
      return lines;
    } catch (error) {
      watcher.ledger.flaw(`unreadable payload: ${String(error)}`);
      return [];
    }
  }

  #watchEvents(watcher: Watcher, localAddress: string): void {
    const path = `/v1/rooms/${this.order.room}/events`;
    const { port } = this.order;
    const ask = get({ host: '127.0.0.1', port, path, localAddress, agent: false }, (answer) => {
      if (answer.statusCode !== 200) return this.#end(watcher, `status ${answer.statusCode}`);
      let rest = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        const events = (rest + part).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) takeEvent(watcher.ledger, event);
      });
      answer.on('error', () => undefined);
      answer.on('close', () => this.#end(watcher, 'closed'));
    });
    ask.on('error', (error) => this.#end(watcher, error.message));
  }

  async #poll(watcher: Watcher, localAddress: string): Promise<void> {
    const { ledger } = watcher;
    let query = '';
    while (!this.#stopping) {
      try {
        const answer = await this.#ask(query, localAddress);
        const place = parseCursor(answer.cursor);
        if (place === undefined) throw new Error(`cursor ${answer.cursor}`);
        if (!ledger.joined) ledger.begin(place.position.offset);
        else if (answer.recovered === false) ledger.flaw('lost its place');
        else ledger.takeAll(answer.publications);
        query = `?cursor=${answer.cursor}&waitMs=${POLL_WAIT_MS}`;
        if (answer.publications.length > 0) await sleep(answer.pollAfterMs ?? 0);
      } catch (error) {
        if (!this.#stopping) this.#end(watcher, String(error));
        return;
      }
    }
  }

  #ask(query: string, localAddress: string): Promise<PollAnswer> {
    const path = `/v1/rooms/${this.order.room}/publications${query}`;
    const { port } = this.order;
    return new Promise((resolve, reject) => {
      const of = { host: '127.0.0.1', port, path, localAddress, agent: this.#agent };
      get(of, (answer) => {
        readText(answer).then((text) => {
          if (answer.statusCode === 200) resolve(JSON.parse(text) as PollAnswer);
          else reject(new Error(`status ${answer.statusCode} ${text.slice(0, 200)}`));
        }, reject);
      }).on('error', reject);
    });
  }

  #end(watcher: Watcher, why: string): void {
    if (this.#stopping || watcher.ended) return;
    watcher.ended = true;
    watcher.ledger.flaw(`ended: ${why}`);
  }
}

interface PollAnswer {
  readonly cursor: string;
  readonly pollAfterMs?: number;
  readonly recovered?: boolean;
  readonly publications: readonly Publication[];
}

function takeEvent(ledger: ViewerLedger, event: string): void {
  const data = event
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5));
  if (data.length === 0) return;
  try {
    ledger.take(JSON.parse(data.join('\n')) as Line);
  } catch (error) {
    ledger.flaw(`unreadable event: ${String(error)}`);
  }
}

async function readText(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function wayResult(of: readonly Watcher[], expected: readonly string[], known: number): WayResult {
  const isWhole = ({ ledger }: Watcher): boolean =>
    ledger.keepIds.length === expected.length &&
    ledger.keepIds.every((id, i) => id === expected[i]);
  return {
    viewers: of.length,
    ended: of.filter((one) => one.ended).length,
    keepWhole: of.filter(isWhole).length,
    dropWhole: of.filter((one) => one.ledger.droppable === known).length,
    droppable: of.reduce((sum, one) => sum + one.ledger.droppable, 0),
  };
}

/** What bench/proof asks of this process, each answered once. */
export type Ask =
  | { readonly ask: 'behind'; readonly expected: number }
  | { readonly ask: 'result'; readonly expected: readonly string[] };

async function serve(order: Order): Promise<void> {
  const viewers = new Viewers(order);
  process.on('message', (ask: Ask) => {
    if (ask.ask === 'behind') return void process.send?.({ behind: viewers.behind(ask.expected) });
    process.send?.({ result: viewers.result(ask.expected) });
    viewers.stop();
    process.disconnect();
    process.exitCode = 0;
    return undefined;
  });
  process.on('disconnect', () => process.exit(process.exitCode ?? 1));
  await viewers.open();
  process.send?.({ joined: viewers.joined() });
}

if (process.argv[2] !== undefined) await serve(JSON.parse(process.argv[2]) as Order);
