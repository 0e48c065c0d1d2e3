/**
 * The steady load: a studio posting keepable publications to whichever room service answers, each
 * until it is acknowledged, and viewers following through the SDK, some of them speaking.
 */
import { WebSocket } from 'ws';
import { connect, type RoomStream } from '../../client/index.js';
import type { Random } from '../../src/random.js';
import type { Cluster, Member } from '../kit/cluster.js';
import { Receipts, type Ledger } from './ledger.js';

export interface CrowdOptions {
  readonly rooms: readonly string[];
  readonly viewersPerRoom: number;
  /** Keepable publications per second in each room. */
  readonly postsPerSecond: number;
  /** Danmaku per second over all rooms. */
  readonly danmakuPerSecond: number;
}

export interface Viewer {
  readonly receipts: Receipts;
  readonly stream: RoomStream;
}

/** A post not acknowledged for so long has found no service: a flaw. */
const POST_MS = 30_000;
const AGAIN_MS = 50;
const REQUEST_MS = 3000;
/** The edge's own heartbeat is for millions of idle viewers; a test wants to know sooner. */
const HEARTBEAT_MS = 1000;

export class Crowd {
  readonly viewers: Viewer[] = [];
  readonly verdicts = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #options: CrowdOptions;
  readonly #posting: Promise<void>[] = [];
  #speaking = 0;
  #timers: NodeJS.Timeout[] = [];
  #posted = 0;
  isStopping = false;

  constructor(cluster: Cluster, options: CrowdOptions, parts: { ledger: Ledger; random: Random }) {
    this.#cluster = cluster;
    this.#options = options;
    this.#ledger = parts.ledger;
    this.#random = parts.random;
  }

  start(): void {
    const { rooms, viewersPerRoom, postsPerSecond, danmakuPerSecond } = this.#options;
    for (const room of rooms) {
      for (let i = 0; i < viewersPerRoom; i++) this.#follow(room, i);
      this.#timers.push(setInterval(() => this.#post(room), 1000 / postsPerSecond));
    }
    this.#timers.push(setInterval(() => this.#speak(), 1000 / danmakuPerSecond));
  }

  /** No more posts; what is under way ends first. */
  async quiet(): Promise<void> {
    this.isStopping = true;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#posting);
  }

  /** Danmaku said and still without their end. */
  get unanswered(): number {
    return this.#speaking;
  }

  leave(): void {
    for (const { stream } of this.viewers) stream.close();
  }

  #follow(room: string, index: number): void {
    const name = `${room}-viewer-${index}`;
    const urls = this.#cluster.edgeUrls;
    // Half of them know the edges in the other order.
    const url = index % 2 === 0 ? urls : [...urls].reverse();
    const token = this.#cluster.token(name, [room]);
    const receipts = new Receipts(name, room, {
      ledger: this.#ledger,
      now: () => performance.now(),
    });
    const stream = connect({
      ...{ url, room, token, WebSocket, smoothMs: 0, heartbeatMs: HEARTBEAT_MS },
      connectMs: REQUEST_MS,
    });
    stream.on('publication', (publication) => {
      if (publication.own !== true) receipts.take(publication);
    });
    stream.on('gap', (gap) => {
      if (gap.class === 'keep')
        this.#ledger.flaw(`${name} was told of a gap: ${JSON.stringify(gap)}`);
    });
    stream.on('closed', (closed) => {
      if (closed.reason !== 'left') this.#ledger.flaw(`${name} closed: ${JSON.stringify(closed)}`);
    });
    this.viewers.push({ receipts, stream });
  }

  #post(room: string): void {
    const key = `post-${++this.#posted}`;
    const posting = this.#postUntilAcknowledged(room, key);
    this.#posting.push(posting);
    void posting.finally(() => this.#posting.splice(this.#posting.indexOf(posting), 1));
  }

  async #postUntilAcknowledged(room: string, key: string): Promise<void> {
    const until = performance.now() + POST_MS;
    let last = 'nothing';
    while (performance.now() < until) {
      const member = this.#anyRoomService();
      try {
        const { status, body } = await this.#postOnce(member, room, key);
        if (status === 200 || status === 201) {
          this.#ledger.acknowledge(room, Number(body.offset), String(body.id));
          return;
        }
        last = `${member.name} answered ${status} ${JSON.stringify(body)}`;
        if (status !== 503 && status !== 429 && status !== 504) break;
      } catch (error) {
        last = `${member.name}: ${String(error)}`;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
    this.#ledger.flaw(`${key} for ${room} was never acknowledged: ${last}`);
  }

  async #postOnce(
    { port }: Member,
    room: string,
    key: string,
  ): Promise<{ status: number; body: { id?: unknown; offset?: unknown } }> {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/rooms/${room}/publications`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#cluster.apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify({ kind: 'notice', text: key }),
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const body = (await answer.json()) as { id?: unknown; offset?: unknown };
    return { status: answer.status, body };
  }

  #anyRoomService(): Member {
    const { rooms } = this.#cluster;
    return rooms[this.#random.below(rooms.length)]!;
  }

  #speak(): void {
    if (this.isStopping) return;
    const { stream } = this.viewers[this.#random.below(this.viewers.length)]!;
    this.#speaking++;
    void stream.send({ text: `hello ${this.#posted}` }).then(({ verdict }) => {
      this.#speaking--;
      this.verdicts.set(verdict, (this.verdicts.get(verdict) ?? 0) + 1);
    });
  }
}
