/**
 * Owns how many calls are let in: a token bucket for each key, and a bound on what is being worked
 * on at once in calls and bytes. Knows no HTTP.
 */

/** A bucket per key: `perSecond` on average, `burst` at once. */
export class RequestQuota {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { level: number; at: number }>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** 0 when the call is let in, otherwise the milliseconds until the next one would be. */
  take(keyId: string, now: number): number {
    const bucket = this.#bucketOf(keyId, now);
    const gained = (Math.max(0, now - bucket.at) * this.#perSecond) / 1000;
    bucket.level = Math.min(this.#burst, bucket.level + gained);
    bucket.at = now;
    if (bucket.level >= 1) {
      bucket.level -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.level) * 1000) / this.#perSecond);
  }

  #bucketOf(keyId: string, now: number): { level: number; at: number } {
    const known = this.#buckets.get(keyId);
    if (known !== undefined) return known;
    // Ids come from the configuration; after very many changes of it all begin anew.
    if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.clear();
    const fresh = { level: this.#burst, at: now };
    this.#buckets.set(keyId, fresh);
    return fresh;
  }
}

const BUCKETS_MAX = 10_000;

/** What is being worked on, bounded in calls and in the bytes of their bodies. */
export class InFlight {
  readonly #callsMax: number;
  readonly #bytesMax: number;
  calls = 0;
  bytes = 0;

  constructor(callsMax: number, bytesMax: number) {
    this.#callsMax = callsMax;
    this.#bytesMax = bytesMax;
  }

  /** False, and nothing is counted, when a bound would be passed. */
  enter(bytes: number): boolean {
    if (this.calls + 1 > this.#callsMax || this.bytes + bytes > this.#bytesMax) return false;
    this.calls += 1;
    this.bytes += bytes;
    return true;
  }

  leave(bytes: number): void {
    this.calls -= 1;
    this.bytes -= bytes;
  }
}
