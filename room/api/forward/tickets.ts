/**
 * Owns what is held for other services between two of their requests: bounded in items and bytes,
 * and given up when nobody asks for it in time. Knows no stream.
 */
import { randomId } from '../../../src/random.js';

export interface Ticketed {
  /** Bytes it holds now. */
  readonly heldBytes: number;
  /** Nobody will ask for it again. */
  end(): void;
}

export interface TicketBounds {
  readonly items: number;
  readonly bytes: number;
  /** A holding nobody asks for in this time is given up. */
  readonly ms: number;
}

interface Holding<T> {
  readonly what: T;
  touchedAt: number;
  /** A request for it is being worked on. */
  busy: boolean;
}

export class Tickets<T extends Ticketed> {
  readonly #bounds: TicketBounds;
  readonly #holdings = new Map<string, Holding<T>>();

  constructor(bounds: TicketBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#holdings.size;
  }

  /** The ticket; undefined, and nothing is held, when a bound would be passed. */
  hold(what: T, now: number): string | undefined {
    if (this.#holdings.size >= this.#bounds.items) return undefined;
    let bytes = what.heldBytes;
    for (const holding of this.#holdings.values()) bytes += holding.what.heldBytes;
    if (bytes > this.#bounds.bytes) return undefined;
    const ticket = randomId(12);
    this.#holdings.set(ticket, { what, touchedAt: now, busy: false });
    return ticket;
  }

  /**
   * Runs one request for what is held; undefined when there is no such ticket or a request for it
   * is under way. When `run` says that it was the last one, the ticket is gone.
   */
  async use<A>(
    ticket: string,
    now: () => number,
    run: (what: T) => Promise<{ readonly answer: A; readonly last: boolean }>,
  ): Promise<A | undefined> {
    const holding = this.#holdings.get(ticket);
    if (holding === undefined || holding.busy) return undefined;
    holding.busy = true;
    try {
      const { answer, last } = await run(holding.what);
      if (last) this.#holdings.delete(ticket);
      return answer;
    } catch (error) {
      this.drop(ticket);
      throw error;
    } finally {
      holding.busy = false;
      holding.touchedAt = now();
    }
  }

  /** Ends what is held; false when there is no such ticket. */
  drop(ticket: string): boolean {
    const holding = this.#holdings.get(ticket);
    if (holding === undefined) return false;
    this.#holdings.delete(ticket);
    holding.what.end();
    return true;
  }

  /** Ends what nobody asked for in time; how many. */
  sweep(now: number): number {
    let ended = 0;
    for (const [ticket, { touchedAt, busy }] of this.#holdings) {
      if (busy || now - touchedAt < this.#bounds.ms) continue;
      this.drop(ticket);
      ended++;
    }
    return ended;
  }

  dropAll(): void {
    for (const ticket of [...this.#holdings.keys()]) this.drop(ticket);
  }
}
