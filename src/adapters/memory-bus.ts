/**
 * Owns the in-process bus: the default where edge and room share a process. Delivery happens after
 * the publisher's turn, in order, as with a broker; what waits is bounded in items and bytes.
 */
import { BarrageError, asBarrageError } from '../errors.js';
import type { Bus, BusAnswer } from '../ports/bus.js';
import type { Cancel } from '../ports/clock.js';

export interface MemoryBusBounds {
  readonly items: number;
  readonly bytes: number;
}

const DEFAULT_BOUNDS: MemoryBusBounds = { items: 100_000, bytes: 64 << 20 };

type Deliver = (bytes: Uint8Array) => void;
type Answer = (bytes: Uint8Array) => Promise<Uint8Array>;

export class MemoryBus implements Bus {
  readonly #bounds: MemoryBusBounds;
  readonly #subscribers = new Map<string, Set<Deliver>>();
  readonly #servers = new Map<string, Answer>();
  readonly #fault: (error: unknown) => void;
  #waiting: { subject: string; bytes: Uint8Array }[] = [];
  #waitingBytes = 0;
  #requests = 0;
  #scheduled = false;
  #draining = false;

  /** `fault` hears of a subscriber that threw; the others still get the bytes. */
  constructor(
    bounds: MemoryBusBounds = DEFAULT_BOUNDS,
    fault: (error: unknown) => void = (error) => {
      throw error;
    },
  ) {
    this.#bounds = bounds;
    this.#fault = fault;
  }

  publish(subject: string, bytes: Uint8Array): BusAnswer {
    if (this.#draining) return 'down';
    if (!this.#subscribers.has(subject)) return 'sent';
    if (
      this.#waiting.length >= this.#bounds.items ||
      this.#waitingBytes + bytes.byteLength > this.#bounds.bytes
    ) {
      return 'full';
    }
    this.#waiting.push({ subject, bytes });
    this.#waitingBytes += bytes.byteLength;
    this.#schedule();
    return 'sent';
  }

  subscribe(subject: string, deliver: Deliver): Cancel {
    const own: Deliver = (bytes) => deliver(bytes);
    const all = this.#subscribers.get(subject) ?? new Set();
    this.#subscribers.set(subject, all.add(own));
    return {
      cancel: () => {
        all.delete(own);
        if (all.size === 0 && this.#subscribers.get(subject) === all) {
          this.#subscribers.delete(subject);
        }
      },
    };
  }

  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const answer = this.#draining ? undefined : this.#servers.get(subject);
    if (answer === undefined) {
      throw new BarrageError('bus_down', `nobody serves ${subject}`, { retryAfterMs: 1000 });
    }
    if (this.#requests >= this.#bounds.items) {
      throw new BarrageError('bus_full', 'too many requests wait', { retryAfterMs: 1000 });
    }
    this.#requests++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new BarrageError('timeout', `no answer on ${subject} in ${timeoutMs} ms`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([turn().then(() => answer(bytes)), late]);
    } catch (error) {
      throw asBarrageError(error);
    } finally {
      clearTimeout(timer);
      this.#requests--;
    }
  }

  serve(subject: string, answer: Answer): Cancel {
    if (this.#servers.has(subject)) {
      throw new BarrageError('conflict', `${subject} is served already`);
    }
    this.#servers.set(subject, answer);
    return {
      cancel: () => {
        if (this.#servers.get(subject) === answer) this.#servers.delete(subject);
      },
    };
  }

  isUp(): boolean {
    return !this.#draining;
  }

  onChange(): Cancel {
    return { cancel: () => undefined };
  }

  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#waiting.length > 0 || this.#requests > 0) await turn();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { subject, bytes } of batch) {
      for (const deliver of this.#subscribers.get(subject) ?? []) {
        try {
          deliver(bytes);
        } catch (error) {
          this.#fault(error);
        }
      }
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
