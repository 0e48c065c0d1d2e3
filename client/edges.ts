/**
 * Owns where to connect: the edges a page named, those dispatch names, those an edge advised; and what
 * dispatch said of the room's CDN, for when none of them lets in. Fetches nothing of it.
 */
import type { Clock } from './clock.js';
import { urlOf } from './core/closing.js';
import { EdgeList } from './core/ladder.js';
import { askJson, type RequestFailed } from './http.js';
import { baseOf } from './link.js';
import type { FetchLike, Line } from './types.js';

/** Dispatch is not asked more often than this. */
const DISPATCH_MS = 5000;

export interface EdgesOptions {
  readonly urls: readonly string[];
  readonly dispatch: string | undefined;
  readonly room: string;
  readonly connectMs: number;
}

export interface EdgesParts {
  readonly clock: Clock;
  readonly fetch: FetchLike;
  /** What dispatch says of the room's clock. */
  readonly heard: (now: unknown) => void;
}

export class Edges {
  readonly #options: EdgesOptions;
  readonly #parts: EdgesParts;
  readonly #list: EdgeList;
  #askedAt = -Infinity;
  #wantsDispatch: boolean;
  /** The fact `cdn` as dispatch told it last; undefined: the room is on none, as far as is known. */
  cdn: unknown;

  constructor(options: EdgesOptions, parts: EdgesParts) {
    this.#options = options;
    this.#parts = parts;
    this.#list = new EdgeList(options.urls.map(baseOf));
    this.#wantsDispatch = options.dispatch !== undefined;
  }

  /** The edge to go to; rejects with RequestFailed when dispatch names none and none is known. */
  async base(): Promise<string> {
    const isDue = this.#parts.clock.now() - this.#askedAt >= DISPATCH_MS;
    if (this.#wantsDispatch && (isDue || this.#list.isEmpty)) {
      try {
        await this.#dispatch();
      } catch (error) {
        if (this.#list.isEmpty) throw error;
      }
    }
    return this.#list.url!;
  }

  /** The edge could not be reached, or ended the link in its first moments. */
  failed(): void {
    this.#list.failed();
    this.#wantsDispatch = this.#options.dispatch !== undefined;
  }

  /** Whether another edge is left to try before this becomes an outage of all. */
  get hasUntried(): boolean {
    return this.#list.hasUntried;
  }

  /** The edge let us in. */
  held(): void {
    this.#list.held();
  }

  advised(urls: readonly string[] | undefined): void {
    if (urls !== undefined) this.#list.prefer(urls.map(baseOf));
  }

  async #dispatch(): Promise<void> {
    const { dispatch, room, connectMs } = this.#options;
    const { clock } = this.#parts;
    this.#askedAt = clock.now();
    const url = new URL(dispatch!);
    url.searchParams.set('room', room);
    // Without the viewer's token: dispatch takes a bearer for an API key, and pages need no preflight.
    const request = { url: url.href, withinMs: connectMs, stop: new AbortController() };
    const answer = await askJson(this.#parts, request).catch((error: RequestFailed) => {
      // Who has no edge to give may say all the same where the room is to be read.
      this.#hear({ cdn: this.cdn, ...error.told });
      throw error;
    });
    this.#hear(answer);
    const edges = Array.isArray(answer['edges']) ? answer['edges'] : [];
    const urls = edges.map(urlOf).filter((edge) => edge !== undefined);
    this.#list.prefer(urls.map(baseOf));
    if (this.#list.isEmpty) throw new TypeError('dispatch names no edge');
    this.#wantsDispatch = false;
  }

  #hear({ cdn, now }: Partial<Line>): void {
    this.cdn = cdn;
    this.#parts.heard(now);
  }
}
