/**
 * Owns the rules of shard leases within one process: who holds a shard, until when, under which
 * epoch. Knows no storage: whoever keeps epochs beyond the process hands them in and writes them.
 */
import { BarrageError } from '../errors.js';
import type { Fence } from '../ports/store.js';

interface Lease {
  readonly epoch: number;
  /** Undefined when nobody holds the shard. */
  owner: string | undefined;
  /** Unix milliseconds. */
  until: number;
}

export class LeaseTable {
  readonly #leases = new Map<number, Lease>();

  /** Remembers an epoch given out before; nobody holds the shard. */
  recall(shard: number, epoch: number): void {
    this.#leases.set(shard, { epoch, owner: undefined, until: 0 });
  }

  /** The new epoch, or undefined while another owner holds the shard. `now` in unix milliseconds. */
  acquire(shard: number, owner: string, ttlMs: number, now: number): number | undefined {
    const lease = this.#leases.get(shard);
    const held = lease?.owner !== undefined && lease.owner !== owner && lease.until > now;
    if (held) return undefined;
    const epoch = lease === undefined ? Math.floor(now / 1000) : lease.epoch + 1;
    this.#leases.set(shard, { epoch, owner, until: now + ttlMs });
    return epoch;
  }

  renew(fence: Fence, ttlMs: number, now: number): boolean {
    const lease = this.#leases.get(fence.shard);
    if (lease === undefined || lease.epoch !== fence.epoch || lease.owner === undefined) {
      return false;
    }
    lease.until = now + ttlMs;
    return true;
  }

  release(fence: Fence): void {
    const lease = this.#leases.get(fence.shard);
    if (lease?.epoch === fence.epoch) lease.owner = undefined;
  }

  /** Throws BarrageError `fenced` unless the epoch is the shard's newest. */
  check(fence: Fence): void {
    const epoch = this.#leases.get(fence.shard)?.epoch;
    if (epoch === fence.epoch) return;
    const newest = epoch === undefined ? 'nobody has taken it' : `its epoch is ${epoch}`;
    throw new BarrageError('fenced', `shard ${fence.shard}, epoch ${fence.epoch}: ${newest}`);
  }
}
