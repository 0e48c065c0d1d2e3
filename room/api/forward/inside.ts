/**
 * Owns how a call that came from another room service is known from one that came by HTTP: a header
 * with a secret that is drawn for each such call and is good for it alone.
 */
import type { FastifyRequest } from 'fastify';
import { randomId } from '../../../src/random.js';

export const INSIDE_HEADER = 'x-barrage-inside';

/** A call served for another service. */
export interface InsideCall {
  readonly shard: number;
  /** It found its shard owned by another, before anything was begun. */
  notMine: boolean;
}

export class InsideCalls {
  readonly #open = new Map<string, InsideCall>();
  readonly #known = new WeakMap<FastifyRequest, InsideCall>();

  /** Opens one call; `secret` goes into its header and is good until `close`. */
  open(shard: number): {
    readonly secret: string;
    readonly call: InsideCall;
    readonly close: () => void;
  } {
    const secret = randomId(18);
    const call: InsideCall = { shard, notMine: false };
    this.#open.set(secret, call);
    return { secret, call, close: () => void this.#open.delete(secret) };
  }

  /** Undefined for a call that came by HTTP. */
  of(request: FastifyRequest): InsideCall | undefined {
    const secret = request.headers[INSIDE_HEADER];
    if (typeof secret !== 'string') return undefined;
    const call = this.#open.get(secret) ?? this.#known.get(request);
    // Asked again at the end of an answer, when the secret is no good any more.
    if (call !== undefined) this.#known.set(request, call);
    return call;
  }
}
