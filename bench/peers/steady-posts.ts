/**
 * Owns the pace of posting: so many publications a second, each stamped when it is due to be posted,
 * given to a server one by one or collected. Knows no server.
 */
import { clock, nowUs } from '../kit.js';
import type { Corpus } from '../corpus.js';
import type { Post } from './peer.js';

const EVERY_MS = 5;

export class SteadyPosts {
  #posted = 0;
  #perSecond = 0;
  #started = 0;
  #made = 0;
  #waiting: Post[] = [];
  #flushed = 0;
  readonly #timer;

  /** Silent until `pace` says how fast; `batchMs` 0 posts each as soon as it is due. */
  constructor(
    readonly corpus: Corpus,
    readonly batchMs: number,
    readonly post: (posts: readonly Post[]) => void,
  ) {
    this.#timer = clock.every(EVERY_MS, () => this.#turn());
  }

  /** Publications posted so far. */
  get posted(): number {
    return this.#posted;
  }

  pace(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#started = clock.now();
    this.#made = 0;
  }

  /** Posts what is collected and ends. */
  stop(): void {
    this.#timer.cancel();
    this.#flush();
  }

  #turn(): void {
    const due = Math.floor(((clock.now() - this.#started) * this.#perSecond) / 1000);
    for (; this.#made < due; this.#made++) this.#waiting.push(this.#make());
    if (clock.now() - this.#flushed >= this.batchMs) this.#flush();
  }

  #flush(): void {
    this.#flushed = clock.now();
    if (this.#waiting.length === 0) return;
    this.#posted += this.#waiting.length;
    this.post(this.#waiting);
    this.#waiting = [];
  }

  #make(): Post {
    const { user, text, style } = this.corpus.next();
    const bt = nowUs();
    const id = `p${this.#posted + this.#waiting.length + 1}`;
    const at = Math.round(clock.now());
    const said = { id, kind: 'danmaku', lane: 'normal', at, user, text, style, data: { bt } };
    return { json: JSON.stringify(said), text, ...(style && { style }), bt };
  }
}
