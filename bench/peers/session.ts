/**
 * Owns one server with its viewers and poster from start to end: opened, warmed up, measured, drained,
 * and ended whatever happens. Knows no question.
 */
import { Corpus } from '../corpus.js';
import { clock, sleep } from '../kit.js';
import { ViewerLoad, type Builder, type ViewerCounts } from '../viewer-load.js';
import type { Usage } from '../machine.js';
import { ROOM, type Peer, type PeerLoad, type RunningPeer } from './peer.js';
import { SteadyPosts } from './steady-posts.js';

const JOIN_MS_MAX = 60_000;
const SETTLE_MS = 500;
const CONNECTS_PER_SECOND = 4000;
const DRAIN_MS_MAX = 15_000;
const DRAIN_STILL_MS = 2000;
/** Deliveries a second up to which all that batch are warmed up, so that seldom run code is compiled. */
const WARM_DELIVERIES = 400_000;
const WARM_PER_SECOND = 1000;

export interface SessionOptions extends PeerLoad {
  readonly builder: Builder;
  readonly seed: number;
}

export class Session {
  readonly server: RunningPeer;
  readonly load: ViewerLoad;
  readonly posts: SteadyPosts;
  /** Of the server before its first viewer, and with all of them and nothing posted. */
  readonly empty: Usage;
  readonly joined: Usage;
  readonly #viewers: number;
  readonly #isBatching: boolean;

  private constructor(
    parts: Pick<Session, 'server' | 'load' | 'posts' | 'empty' | 'joined'>,
    of: {
      readonly viewers: number;
      readonly isBatching: boolean;
    },
  ) {
    this.server = parts.server;
    this.load = parts.load;
    this.posts = parts.posts;
    this.empty = parts.empty;
    this.joined = parts.joined;
    this.#viewers = of.viewers;
    this.#isBatching = of.isBatching;
  }

  /** Starts the server and lets all viewers in; on failure nothing stays behind. */
  static async open(peer: Peer, options: SessionOptions): Promise<Session> {
    const { builder, viewers, seed } = options;
    const server = await peer.start(options);
    let load: ViewerLoad | undefined;
    try {
      await sleep(SETTLE_MS);
      const empty = server.usage();
      load = new ViewerLoad(builder, {
        ...{ port: server.port, path: server.path, room: ROOM, viewers },
        ...{ format: server.format, manner: server.manner, rate: CONNECTS_PER_SECOND },
      });
      await load.ready(JOIN_MS_MAX);
      await sleep(SETTLE_MS);
      const joined = server.usage();
      const post = server.post.bind(server);
      const posts = new SteadyPosts(new Corpus(seed), peer.posterBatchMs, post);
      const isBatching = peer.sends !== 'each';
      return new Session({ server, load, posts, empty, joined }, { viewers, isBatching });
    } catch (error) {
      await load?.stop();
      await server.stop();
      throw error;
    }
  }

  /** Runs it in at what it can bear, then at the rate that is measured. */
  async warm(perSecond: number, ms: number): Promise<void> {
    const most = Math.min(WARM_PER_SECOND, Math.floor(WARM_DELIVERIES / this.#viewers));
    if (this.#isBatching && most > perSecond) {
      this.posts.pace(most);
      await sleep(ms);
    }
    this.posts.pace(perSecond);
    await sleep(ms);
  }

  /** Ends posting and waits until all or nothing more arrives; all that was counted since the start. */
  async drain(): Promise<ViewerCounts> {
    this.posts.stop();
    const wanted = this.posts.posted * this.#viewers;
    const end = clock.now() + DRAIN_MS_MAX;
    let [last, changed] = [-1, clock.now()];
    for (;;) {
      const { deliveries } = await this.load.total();
      if (deliveries !== last) [last, changed] = [deliveries, clock.now()];
      const now = clock.now();
      if (deliveries >= wanted || now - changed > DRAIN_STILL_MS || now > end) break;
      await sleep(100);
    }
    // What comes twice comes late.
    await sleep(200);
    return this.load.total();
  }

  async stop(): Promise<void> {
    this.posts.stop();
    await this.load.stop();
    await this.server.stop();
  }
}
