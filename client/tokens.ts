/** Owns the viewer's token: gets it, remembers it until it is refused or nearly over. */
import type { Clock } from './clock.js';
import { expiryOf, renewIn } from './core/token.js';
import type { TokenSource } from './types.js';

/** Tokens refused one after another before the viewer gives up. */
const REFUSALS_MAX = 3;

export class TokenKeeper {
  readonly #source: TokenSource | undefined;
  readonly #clock: Clock;
  #token: string | undefined;
  #getting: Promise<string | undefined> | undefined;
  #refusals = 0;

  constructor(source: TokenSource | undefined, clock: Clock) {
    this.#source = source === '' ? undefined : source;
    this.#clock = clock;
  }

  get canRenew(): boolean {
    return typeof this.#source === 'function';
  }

  /** Milliseconds until the token is to be renewed; Infinity: never. */
  get renewInMs(): number {
    if (!this.canRenew) return Infinity;
    return renewIn(expiryOf(this.#token), this.#clock.now());
  }

  /** The token; undefined: a guest. Rejects with what the page's own function threw. */
  async get(): Promise<string | undefined> {
    const source = this.#source;
    if (typeof source !== 'function') return source;
    if (this.#token !== undefined && expiryOf(this.#token) > this.#clock.now()) return this.#token;
    this.#getting ??= Promise.resolve()
      .then(source)
      .finally(() => (this.#getting = undefined));
    this.#token = await this.#getting;
    return this.#token;
  }

  /** Another is wanted next time. */
  drop(): void {
    this.#token = undefined;
  }

  /** The edge refused it; false: there is no other to be had. */
  refused(): boolean {
    this.drop();
    return this.canRenew && ++this.#refusals <= REFUSALS_MAX;
  }

  accepted(): void {
    this.#refusals = 0;
  }
}
