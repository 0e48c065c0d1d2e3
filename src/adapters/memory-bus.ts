/**
 * Owns the in-process bus: the default where edge and room share a process. Delivery happens after
 * the publisher's turn, in order, as with a broker; what waits is bounded in items and bytes.
 */
import { BarrageError, asBarrageError } from '../errors.js';
import type { Bus, BusAnswer } from '../ports/bus.js';
import type { Cancel } from '../ports/clock.js';
import { runSoon } from './loop-turns.js';

/** Bounds of what waits for delivery, and of the requests that wait for an answer, each. */
export interface MemoryBusBounds {
  readonly items: number;
  readonly bytes: number;
}

const DEFAULT_BOUNDS: MemoryBusBounds = { items: 100_000, bytes: 64 << 20 };
const RETRY_MS = 1000;

type Deliver = (bytes: Uint8Array) => void;
type Answer = (bytes: Uint8Array) => Promise<Uint8Array>;

interface Subscriber {
  readonly deliver: Deliver;
  cancelled: boolean;
}

interface Waiting {
  /** Who was subscribed when it was published; lists are replaced, never changed. */
  readonly subscribers: readonly Subscriber[];
  readonly bytes: Uint8Array;
}

export class MemoryBus implements Bus {
  readonly #bounds: MemoryBusBounds;
  readonly #subscribers = new Map<string, readonly Subscriber[]>();
  readonly #servers = new Map<string, Answer>();
  readonly #listeners = new Set<(isUp: boolean) => void>();
  readonly #fault: (error: unknown) => void;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #requests = 0;
  #requestBytes = 0;
  #scheduled = false;
  #draining = false;

  /** `fault` hears of a subscriber that threw; the others still get the bytes. */
  constructor(
    bounds: MemoryBusBounds = DEFAULT_BOUNDS,
    fault: (error: unknown) => void = throwLater,
  ) {
    this.#bounds = bounds;
    this.#fault = fault;
  }

  publish(subject: string, bytes: Uint8Array): BusAnswer {
    if (this.#draining) return 'down';
    const subscribers = this.#subscribers.get(subject);
    if (subscribers === undefined) return 'sent';
    if (
      this.#waiting.length >= this.#bounds.items ||
      this.#waitingBytes + bytes.byteLength > this.#bounds.bytes
    ) {
      return 'full';
    }
    this.#waiting.push({ subscribers, bytes });
    this.#waitingBytes += bytes.byteLength;
    this.#schedule();
    return 'sent';
  }

  subscribe(subject: string, deliver: Deliver): Cancel {
    const own: Subscriber = { deliver, cancelled: false };
    this.#subscribers.set(subject, [...(this.#subscribers.get(subject) ?? []), own]);
    return {
      cancel: () => {
        if (own.cancelled) return;
        own.cancelled = true;
        const others = (this.#subscribers.get(subject) ?? []).filter((each) => each !== own);
        if (others.length > 0) this.#subscribers.set(subject, others);
        else this.#subscribers.delete(subject);
      },
    };
  }

  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const answer = this.#draining ? undefined : this.#servers.get(subject);
    if (answer === undefined) {
      throw new BarrageError('bus_down', `nobody serves ${subject}`, { retryAfterMs: RETRY_MS });
    }
    if (
      this.#requests >= this.#bounds.items ||
      this.#requestBytes + bytes.byteLength > this.#bounds.bytes
    ) {
      throw new BarrageError('bus_full', 'too many requests wait', { retryAfterMs: RETRY_MS });
    }
    this.#requests++;
    this.#requestBytes += bytes.byteLength;
    const late = deadline(subject, timeoutMs);
    try {
      return await Promise.race([answered(answer, bytes), late.passed]);
    } finally {
      late.cancel();
      this.#requests--;
      this.#requestBytes -= bytes.byteLength;
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

  onChange(changed: (isUp: boolean) => void): Cancel {
    this.#listeners.add(changed);
    return { cancel: () => this.#listeners.delete(changed) };
  }

  async drain(): Promise<void> {
    if (!this.#draining) {
      this.#draining = true;
      for (const changed of this.#listeners) this.#guard(() => changed(false));
    }
    while (this.#scheduled || this.#requests > 0) await turn();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    runSoon(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { subscribers, bytes } of batch) {
      for (const subscriber of subscribers) {
        if (!subscriber.cancelled) this.#guard(() => subscriber.deliver(bytes));
      }
    }
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#fault(error);
    }
  }
}

/** What a server that fails says is its own affair; the asker learns that it failed. */
async function answered(answer: Answer, bytes: Uint8Array): Promise<Uint8Array> {
  await turn();
  try {
    return await answer(bytes);
  } catch (error) {
    const { message } = asBarrageError(error);
    throw new BarrageError('internal', message, { cause: error });
  }
}

function deadline(subject: string, timeoutMs: number): Cancel & { passed: Promise<never> } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `no answer on ${subject} in ${timeoutMs} ms`;
      reject(new BarrageError('timeout', message, { retryAfterMs: RETRY_MS }));
    }, timeoutMs);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

/** Nobody asked to hear of faults: they must be seen, but not instead of the deliveries behind. */
function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
