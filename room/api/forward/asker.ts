/**
 * Owns asking other room services: a call handed to whoever owns its shard, again while that is
 * harmless, and plain questions to one service. Bounded in calls and bytes. Knows no HTTP server.
 */
import { asBarrageError, BarrageError } from '../../../src/errors.js';
import type { Clock } from '../../../src/ports/clock.js';
import { systemRandom, type Random } from '../../../src/random.js';
import { apiSubject, serviceSubject } from '../../../src/subjects.js';
import { InFlight } from '../request-quota.js';
import type { ClusterParts, ForwardTuning } from './cluster.js';
import type { ForwardMeters } from './meters.js';
import { nextStep, type Miss } from './next-step.js';
import { pack, unpackTold, type Ask, type Parcel, type Told } from './wire.js';

export interface AskerTools {
  readonly clock: Clock;
  readonly tuning: ForwardTuning;
  readonly meters: () => ForwardMeters;
}

export interface AskedCall {
  readonly head: Extract<Ask, { ask: 'call' }>;
  readonly bytes: Buffer;
  /** A repeat is harmless. */
  readonly isRepeatable: boolean;
  /** One attempt may take this long; absent: as calls do. */
  readonly waitMs?: number;
}

/** What an owner said to a call. */
export type Answered = Parcel<Extract<Told, { told: 'reply' | 'send' }>>;

export class Asker {
  readonly inFlight: InFlight;
  readonly #cluster: ClusterParts;
  readonly #tools: AskerTools;
  readonly #random: Random = systemRandom();

  constructor(cluster: ClusterParts, tools: AskerTools) {
    this.#cluster = cluster;
    this.#tools = tools;
    this.inFlight = new InFlight(tools.tuning.callsMax, tools.tuning.bytesMax);
  }

  /** The owner's answer. Rejects with BarrageError `unavailable` when there is none to be had. */
  async call(call: AskedCall): Promise<Answered> {
    const bytes = call.bytes.byteLength;
    if (!this.inFlight.enter(bytes)) {
      this.#tools.meters().asked.add('full');
      throw new BarrageError('unavailable', 'too many calls to other services are under way', {
        retryAfterMs: 1000,
      });
    }
    try {
      return await this.#untilAnswered(call);
    } finally {
      this.inFlight.leave(bytes);
    }
  }

  /** A question to one service. Rejects with BarrageError, the other's own or that of the bus. */
  async tell<T>(member: string, ask: Ask, timeoutMs: number): Promise<T> {
    const { head } = await this.request(member, ask, { timeoutMs });
    if (head.told === 'value') return head.value as T;
    if (head.told !== 'error') {
      throw new BarrageError('unavailable', `${member} does not answer this`, RETRY);
    }
    const { code, message, ...detail } = head.error;
    throw new BarrageError(code as BarrageError['code'], message, detail);
  }

  /** One request to one service; rejects with the bus's BarrageError. */
  async request(
    member: string,
    ask: Ask,
    more: { readonly bytes?: Uint8Array; readonly timeoutMs: number },
  ): Promise<Parcel<Told>> {
    const { bus } = this.#cluster;
    const answer = await bus.request(serviceSubject(member), pack(ask, more.bytes), more.timeoutMs);
    const told = unpackTold(answer);
    if (told === undefined) throw new BarrageError('internal', `${member} answered what is none`);
    return told;
  }

  async #untilAnswered(call: AskedCall): Promise<Answered> {
    const { clock, tuning, meters } = this.#tools;
    const began = clock.now();
    let lastContact = began;
    for (let before = 0; ; before++) {
      const got = await this.#attempt(call);
      const isMoved = typeof got !== 'string' && got.head.told === 'reply' && got.head.moved;
      if (typeof got !== 'string' && !(isMoved && call.isRepeatable)) {
        meters().asked.add('answered');
        return got;
      }
      const miss = typeof got === 'string' ? got : 'moved';
      meters().asked.add(miss);
      const now = clock.now();
      if (miss === 'unknown' || miss === 'moved') lastContact = now;
      const { isRepeatable } = call;
      const attempt = { miss, isRepeatable, before, now, began, lastContact };
      const next = nextStep(attempt, tuning, this.#random);
      if (next.do === 'fail') throw next.error;
      await new Promise<void>((resolve) => clock.after(next.ms, resolve));
    }
  }

  async #attempt(call: AskedCall): Promise<Answered | Miss> {
    const { tuning } = this.#tools;
    const usual = call.isRepeatable ? tuning.repeatableMs : tuning.onceMs;
    let answer: Uint8Array;
    try {
      const subject = apiSubject(call.head.shard);
      const waitMs = call.waitMs ?? usual;
      answer = await this.#cluster.bus.request(subject, pack(call.head, call.bytes), waitMs);
    } catch (error) {
      return missOf(asBarrageError(error));
    }
    const told = unpackTold(answer);
    const { head } = told ?? {};
    if (head?.told === 'not_mine' || head?.told === 'busy') return head.told;
    if (head?.told === 'reply' || head?.told === 'send') return told as Answered;
    return 'unknown';
  }
}

/**
 * Nothing was begun when the bus takes no more, was not connected, or says that nobody serves the
 * subject (NATS: status 503). A connection that broke under way may have carried the call.
 */
export function missOf({ code, cause }: BarrageError): Miss {
  if (code === 'bus_full') return 'full';
  const broke = cause !== undefined && (cause as { code?: unknown } | null)?.code !== '503';
  return code === 'bus_down' && !broke ? 'nobody' : 'unknown';
}

const RETRY = { retryAfterMs: 1000 };
