/**
 * Owns the way up: danmaku in micro-batches to the shards that own their rooms, and the way their
 * verdicts come back. Each one handed in ends in exactly one answer. Bounded in items and bytes.
 * Rules: SPEC E-SAY-1, E-SAY-4.
 */
import type { EdgeId, RoomId } from '../src/ids.js';
import {
  UPLINK_BATCH_BYTES_MAX,
  UPLINK_BATCH_ITEMS_MAX,
  UPLINK_BATCH_MS,
  UPLINK_PENDING_MAX,
} from '../src/limits.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { shardOf } from '../src/shards.js';
import { uplinkSubject, verdictSubject } from '../src/subjects.js';
import type { Verdict } from '../src/verdict.js';
import {
  decodeJson,
  encodeUplink,
  type UplinkItem,
  type VerdictBatch,
} from '../src/wire/internal.js';
import type { EdgeMeters } from './meters.js';
import { UPLINK_WAIT_MS } from './options.js';

/** The end of one danmaku. */
export interface Settled {
  readonly verdict: Verdict;
  /** Id of the publication that carries it. */
  readonly id?: string;
  readonly retryAfterMs?: number;
  /** For the sender, from who refused it. */
  readonly reason?: string;
}

type Settle = (settled: Settled) => void;

interface Filling {
  items: UplinkItem[];
  bytes: number;
  timer: Cancel | undefined;
  seq: number;
  /** When the last batch left (clock milliseconds). */
  sentAt: number;
}

export interface UplinkParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: EdgeMeters;
}

const SWEEP_MS = 250;
const RETRY_MS = 1000;
const UNAVAILABLE: Settled = { verdict: 'unavailable', retryAfterMs: RETRY_MS };
/** Bytes of an item besides its text and data; only used to keep batches within their bound. */
const ITEM_BYTES = 512;

export class Uplink {
  readonly #parts: UplinkParts;
  readonly #pending = new Map<number, { readonly settle: Settle; readonly until: number }>();
  readonly #shards = new Map<number, Filling>();
  readonly #cancels: readonly Cancel[];
  #ref = 0;

  constructor(parts: UplinkParts) {
    this.#parts = parts;
    this.#cancels = [
      parts.bus.subscribe(verdictSubject(parts.edge), (bytes) => this.#verdicts(bytes)),
      parts.clock.every(SWEEP_MS, () => this.#expire()),
    ];
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Sends one up; `settle` is called exactly once, possibly before this returns. */
  say(room: RoomId, said: Omit<UplinkItem, 'ref' | 'room'>, settle: Settle): void {
    const { bus, clock } = this.#parts;
    if (this.#pending.size >= UPLINK_PENDING_MAX || !bus.isUp()) {
      settle(UNAVAILABLE);
      return;
    }
    const ref = ++this.#ref;
    this.#pending.set(ref, { settle, until: clock.now() + UPLINK_WAIT_MS });
    this.#add(shardOf(room), { ref, room, ...said });
  }

  /** Answers all that is still open and stops. */
  stop(): void {
    for (const cancel of this.#cancels) cancel.cancel();
    for (const shard of this.#shards.values()) shard.timer?.cancel();
    for (const ref of [...this.#pending.keys()]) this.#settle(ref, UNAVAILABLE);
  }

  #add(shard: number, item: UplinkItem): void {
    const filling = this.#filling(shard);
    const bytes = sizeOf(item);
    if (
      filling.items.length > 0 &&
      (filling.items.length >= UPLINK_BATCH_ITEMS_MAX ||
        filling.bytes + bytes > UPLINK_BATCH_BYTES_MAX)
    ) {
      this.#flush(shard, filling);
    }
    filling.items.push(item);
    filling.bytes += bytes;
    if (filling.timer !== undefined) return;
    // Only where many speak it is worth a wait for company.
    const waitMs = filling.sentAt + UPLINK_BATCH_MS - this.#parts.clock.now();
    if (waitMs <= 0) this.#flush(shard, filling);
    else filling.timer = this.#parts.clock.after(waitMs, () => this.#flush(shard, filling));
  }

  #filling(shard: number): Filling {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const filling = { items: [], bytes: 0, timer: undefined, seq: 0, sentAt: -Infinity };
    this.#shards.set(shard, filling);
    return filling;
  }

  #flush(shard: number, filling: Filling): void {
    filling.timer?.cancel();
    filling.timer = undefined;
    const { items } = filling;
    if (items.length === 0) return;
    filling.items = [];
    filling.bytes = 0;
    const { edge, bus, clock, meters } = this.#parts;
    filling.sentAt = clock.now();
    const batch = { edge, seq: ++filling.seq, at: Math.round(filling.sentAt), items };
    const answer = bus.publish(uplinkSubject(shard), encodeUplink(batch));
    meters.uplinkBatches.add(answer);
    if (answer !== 'sent') for (const { ref } of items) this.#settle(ref, UNAVAILABLE);
  }

  #verdicts(bytes: Uint8Array): void {
    let batch: VerdictBatch;
    try {
      batch = decodeJson<VerdictBatch>(bytes);
    } catch {
      this.#parts.meters.framesLost.add('undecodable');
      return;
    }
    for (const { ref, ...settled } of batch.items) this.#settle(ref, settled);
  }

  /** All wait equally long, so the oldest come first. */
  #expire(): void {
    const now = this.#parts.clock.now();
    for (const [ref, { until }] of this.#pending) {
      if (until > now) return;
      this.#settle(ref, UNAVAILABLE);
    }
  }

  #settle(ref: number, settled: Settled): void {
    const pending = this.#pending.get(ref);
    if (pending === undefined) return;
    this.#pending.delete(ref);
    pending.settle(settled);
  }
}

/** An estimate from above of the item's JSON: 3 bytes a character, data as text. */
function sizeOf(item: UplinkItem): number {
  const text = (item.text?.length ?? 0) * 3;
  return ITEM_BYTES + text + (item.data === undefined ? 0 : JSON.stringify(item.data).length * 3);
}
