/**
 * Owns what arrived and waits to be delivered: one queue in order of arrival, bounded in items and
 * bytes, delivered in slices so that the connection is read (and kept alive) under any load.
 */
import type { Bounds } from './nats-pending.js';

/** Who gets what arrived. */
export interface Receiver {
  cancelled: boolean;
  waitingItems: number;
  waitingBytes: number;
  deliver(bytes: Uint8Array, reply: string): void;
}

interface Arrival {
  readonly receiver: Receiver;
  readonly bytes: Uint8Array;
  readonly reply: string;
}

/** Longest time of delivering before the process is let to read and to do its other work. */
const SLICE_MS = 5;
/** Deliveries between two looks at the time. */
const LOOK_EVERY = 16;
/** A flood on one subject leaves the other half to the others. */
const RECEIVER_SHARE = 1 / 2;

export class Inbound {
  items = 0;
  bytes = 0;
  readonly #bounds: Bounds;
  readonly #fault: (error: unknown) => void;
  #queue: Arrival[] = [];
  #head = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  /** `fault` hears of a receiver that threw; the others still get theirs. */
  constructor(bounds: Bounds, fault: (error: unknown) => void) {
    this.#bounds = bounds;
    this.#fault = fault;
  }

  /** False when a bound is reached: the bytes are not taken. */
  push(receiver: Receiver, bytes: Uint8Array, reply: string): boolean {
    if (!this.#fits(receiver, bytes.byteLength)) return false;
    this.#queue.push({ receiver, bytes: ownBytes(bytes), reply });
    this.#count(receiver, 1, bytes.byteLength);
    this.#schedule();
    return true;
  }

  /** Resolves when nothing waits. */
  idle(): Promise<void> {
    if (this.items === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #fits(receiver: Receiver, bytes: number): boolean {
    const { items: itemsMax, bytes: bytesMax } = this.#bounds;
    if (this.items >= itemsMax || this.bytes + bytes > bytesMax) return false;
    // A single arrival may be larger than the share: it is alone then.
    if (receiver.waitingItems === 0) return true;
    return (
      receiver.waitingItems < itemsMax * RECEIVER_SHARE &&
      receiver.waitingBytes + bytes <= bytesMax * RECEIVER_SHARE
    );
  }

  #count(receiver: Receiver, items: number, bytes: number): void {
    this.items += items;
    this.bytes += bytes;
    receiver.waitingItems += items;
    receiver.waitingBytes += bytes;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const until = performance.now() + SLICE_MS;
    let sinceLook = 0;
    while (this.#head < this.#queue.length) {
      this.#deliverOne(this.#queue[this.#head++]!);
      if (++sinceLook < LOOK_EVERY) continue;
      if (performance.now() >= until) break;
      sinceLook = 0;
    }
    this.#tidy();
  }

  #deliverOne({ receiver, bytes, reply }: Arrival): void {
    this.#count(receiver, -1, -bytes.byteLength);
    if (receiver.cancelled) return;
    try {
      receiver.deliver(bytes, reply);
    } catch (error) {
      this.#fault(error);
    }
  }

  #tidy(): void {
    if (this.#head < this.#queue.length) {
      if (this.#head > 1024) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      return this.#schedule();
    }
    this.#queue = [];
    this.#head = 0;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** Bytes that do not hold a whole read of the socket in memory for the sake of a small part. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}
