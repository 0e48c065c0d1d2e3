/**
 * Owns what was handed to the NATS library and not yet confirmed by the server. The library keeps it
 * without bound and tells nobody how much it is; the server's PONG to a PING behind it does.
 */

export interface Bounds {
  readonly items: number;
  readonly bytes: number;
}

/** The share of a bound after which the server is asked to confirm. */
const ASK_SHARE = 1 / 8;

/** One bound of its own among those that a PONG confirms together. */
export class Account {
  items = 0;
  bytes = 0;
  readonly #bounds: Bounds;
  #askedItems = 0;
  #askedBytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** False, and nothing taken, when it would go over the bound. */
  take(bytes: number): boolean {
    if (this.items >= this.#bounds.items || this.bytes + bytes > this.#bounds.bytes) return false;
    this.items++;
    this.bytes += bytes;
    return true;
  }

  /** Gives back what one `take` took. */
  give(bytes: number): void {
    this.items--;
    this.bytes -= bytes;
  }

  /** Whether so much came since the last asking that it is time to ask again. */
  get isDue(): boolean {
    return (
      this.items - this.#askedItems >= this.#bounds.items * ASK_SHARE ||
      this.bytes - this.#askedBytes >= this.#bounds.bytes * ASK_SHARE
    );
  }

  /** All held so far lies before the PING that is sent now. */
  ask(): void {
    this.#askedItems = this.items;
    this.#askedBytes = this.bytes;
  }

  /** The PING was answered. */
  confirm(): void {
    this.items -= this.#askedItems;
    this.bytes -= this.#askedBytes;
    this.#askedItems = 0;
    this.#askedBytes = 0;
  }

  /** Forgets everything; answers how many items it was. */
  reset(): number {
    const { items } = this;
    this.items = this.bytes = this.#askedItems = this.#askedBytes = 0;
    return items;
  }
}

export class Pending {
  readonly publishes: Account;
  readonly requests: Account;
  readonly answers: Account;
  readonly #accounts: readonly Account[];
  #ping: (() => Promise<void>) | undefined;
  #term = 0;
  #askedAt: number | undefined;
  #settled: (() => void)[] = [];
  readonly #now: () => number;

  constructor(bounds: Bounds, now: () => number) {
    this.publishes = new Account(bounds);
    this.requests = new Account(bounds);
    this.answers = new Account(bounds);
    this.#accounts = [this.publishes, this.requests, this.answers];
    this.#now = now;
  }

  /** When the PING under way was sent, milliseconds; undefined when none is. */
  get askedAt(): number | undefined {
    return this.#askedAt;
  }

  /** A new connection; `ping` resolves when everything sent before it has arrived. */
  attach(ping: () => Promise<void>): void {
    this.detach();
    this.#ping = ping;
  }

  /** The connection is gone; answers how many items nobody confirmed. */
  detach(): number {
    this.#term++;
    this.#ping = undefined;
    this.#askedAt = undefined;
    return this.#accounts.reduce((sum, account) => sum + account.reset(), 0);
  }

  /** To be called after something was handed over. */
  nudge(): void {
    if (this.#askedAt !== undefined) return;
    if (this.#accounts.some((account) => account.isDue)) this.ask();
  }

  /** Asks the server to confirm, unless it is being asked already. */
  ask(): void {
    if (this.#askedAt !== undefined || this.#ping === undefined) return;
    const term = this.#term;
    this.#askedAt = this.#now();
    for (const account of this.#accounts) account.ask();
    const confirmed = () => {
      if (term !== this.#term) return;
      this.#askedAt = undefined;
      for (const account of this.#accounts) account.confirm();
      if (this.#isEmpty) for (const resolve of this.#settled.splice(0)) resolve();
      else if (this.#settled.length > 0) this.ask();
      else this.nudge();
    };
    // One that is rejected belongs to a connection that ended; its end is told elsewhere.
    this.#ping().then(confirmed, () => undefined);
  }

  /** Resolves when the server has confirmed everything; never, when the connection ends before. */
  settle(): Promise<void> {
    if (this.#isEmpty) return Promise.resolve();
    this.ask();
    return new Promise((resolve) => this.#settled.push(resolve));
  }

  get #isEmpty(): boolean {
    return this.#accounts.every(({ items }) => items === 0);
  }
}
