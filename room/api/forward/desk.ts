/**
 * Owns what other room services ask of this one: calls for the shards owned here, run through this
 * service's own HTTP routes, bodies in parts, and questions about itself. Bounded on every side.
 */
import type { FastifyInstance } from 'fastify';
import { asBarrageError, BarrageError } from '../../../src/errors.js';
import type { Cancel, Clock } from '../../../src/ports/clock.js';
import type { Log } from '../../../src/ports/log.js';
import { apiSubject, serviceSubject } from '../../../src/subjects.js';
import { SHARD_COUNT } from '../../../src/shards.js';
import { bodyOf, problemOf } from '../errors.js';
import { InFlight } from '../request-quota.js';
import type { ClusterParts, ForwardTuning } from './cluster.js';
import { INSIDE_HEADER, type InsideCalls } from './inside.js';
import type { ForwardMeters } from './meters.js';
import type { Part } from './parts.js';
import { ServedCall, type InjectedAnswer } from './served-call.js';
import { Tickets } from './tickets.js';
import { pack, unpackAsk, type Ask, type Told } from './wire.js';

type CallAsk = Extract<Ask, { ask: 'call' }>;
/** Questions about this service; they are not HTTP's. */
export type Question = Exclude<Ask, { ask: 'call' | 'send' | 'take' | 'drop' }>;

export interface DeskTools {
  readonly app: FastifyInstance;
  readonly inside: InsideCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly tuning: ForwardTuning;
  readonly meters: () => ForwardMeters;
  readonly answer: (question: Question) => Promise<unknown>;
}

/** A subject that another still serves for a moment is tried again after this. */
const RETRY_MS = 100;
const SWEEP_MS = 1000;
/** What belongs to one connection, or is made anew for another. */
const OWN_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);

export class ForwardDesk {
  readonly inFlight: InFlight;
  readonly tickets: Tickets<ServedCall>;
  readonly #cluster: ClusterParts;
  readonly #tools: DeskTools;
  readonly #serving = new Map<number, Cancel>();
  #others: Cancel[] = [];
  #retry: Cancel | undefined;
  #stopped = false;

  constructor(cluster: ClusterParts, tools: DeskTools) {
    const { callsMax, bytesMax, ticketsMax, ticketMs } = tools.tuning;
    this.#cluster = cluster;
    this.#tools = tools;
    this.inFlight = new InFlight(callsMax, bytesMax);
    this.tickets = new Tickets({ items: ticketsMax, bytes: bytesMax, ms: ticketMs });
  }

  /** Serves this service's own subject and those of its shards. Throws what the bus throws. */
  start(): void {
    const { bus, member } = this.#cluster;
    const { clock, tuning } = this.#tools;
    const sweepMs = Math.min(SWEEP_MS, tuning.ticketMs);
    this.#others = [
      bus.serve(serviceSubject(member), (bytes) => this.#hear(bytes)),
      this.#cluster.onShards((shard) => this.#look(shard)),
      clock.every(sweepMs, () => {
        const expired = this.tickets.sweep(clock.now());
        if (expired > 0) this.#tools.meters().tickets.add('expired', expired);
        this.#lookAtAll();
      }),
    ];
    this.#lookAtAll();
  }

  /** Takes nothing new, waits for what is under way for at most `ms`, then ends it. */
  async stop(ms: number): Promise<void> {
    const { clock } = this.#tools;
    this.#stopped = true;
    this.#retry?.cancel();
    for (const serving of this.#serving.values()) serving.cancel();
    this.#serving.clear();
    const end = clock.now() + ms;
    while (this.inFlight.calls > 0 && clock.now() < end) {
      await new Promise<void>((resolve) => clock.after(10, resolve));
    }
    for (const other of this.#others) other.cancel();
    this.tickets.dropAll();
  }

  /** Serves the shard's subject while it is owned here. */
  #look(shard: number): void {
    const { bus } = this.#cluster;
    const serving = this.#serving.get(shard);
    if (!this.#cluster.isMine(shard)) {
      serving?.cancel();
      this.#serving.delete(shard);
    } else if (serving === undefined && !this.#stopped) {
      try {
        const cancel = bus.serve(apiSubject(shard), (bytes) => this.#hear(bytes));
        this.#serving.set(shard, cancel);
      } catch {
        this.#lookAgain();
      }
    }
  }

  #lookAgain(): void {
    this.#retry ??= this.#tools.clock.after(RETRY_MS, () => {
      this.#retry = undefined;
      this.#lookAtAll();
    });
  }

  #lookAtAll(): void {
    for (let shard = 0; shard < SHARD_COUNT; shard++) this.#look(shard);
  }

  /** Never rejects: a failure is an answer too. */
  async #hear(bytes: Uint8Array): Promise<Uint8Array> {
    const { served, tickets } = this.#tools.meters();
    const asked = unpackAsk(bytes);
    if (asked === undefined) {
      served.add('unreadable');
      return pack({ told: 'gone' });
    }
    const { head } = asked;
    try {
      switch (head.ask) {
        case 'call':
          return await this.#call(head, asked.bytes);
        case 'send':
          return await this.#send(head.ticket, { bytes: asked.bytes, more: head.more });
        case 'take':
          return await this.#take(head.ticket);
        case 'drop':
          if (this.tickets.drop(head.ticket)) tickets.add('dropped');
          return pack({ told: 'part', more: false });
        default:
          return pack({ told: 'value', value: (await this.#tools.answer(head)) ?? null });
      }
    } catch (error) {
      return this.#failed(head.ask, error);
    }
  }

  async #call(ask: CallAsk, bytes: Buffer): Promise<Uint8Array> {
    const { inside } = this.#tools;
    if (!this.#cluster.isMine(ask.shard) || this.#stopped) return this.#refuse('not_mine');
    const size = bytes.byteLength;
    if (!this.inFlight.enter(size)) return this.#refuse('busy');
    const served = new ServedCall(ask.more, () => this.inFlight.leave(size));
    try {
      const { secret, call, close } = inside.open(ask.shard);
      served.begin(this.#inject(ask, { secret, payload: served.writer?.stream ?? bytes }));
      served.answer.then(close, close);
      const answer = ask.more ? await served.take({ bytes, more: true }) : await served.answer;
      if (call.notMine) {
        served.end();
        return this.#refuse('not_mine');
      }
      if (answer !== undefined) return await this.#reply(ask.shard, served, answer);
      const told = this.#hold(served, (ticket) => this.#goOn(ticket));
      if (told !== undefined) return pack(told);
      served.end();
      return this.#refuse('busy');
    } catch (error) {
      served.end();
      throw error;
    }
  }

  #inject(
    ask: CallAsk,
    with_: { readonly secret: string; readonly payload: Buffer | NodeJS.ReadableStream },
  ): Promise<InjectedAnswer> {
    const headers = { ...ask.headers, [INSIDE_HEADER]: with_.secret };
    const { payload } = with_;
    const hasBody = !(payload instanceof Buffer) || payload.byteLength > 0;
    return this.#tools.app.inject({
      method: ask.method as 'GET',
      url: ask.url,
      headers,
      ...(hasBody ? { payload } : {}),
      payloadAsStream: true,
    }) as unknown as Promise<InjectedAnswer>;
  }

  async #send(ticket: string, part: Part): Promise<Uint8Array> {
    const { clock } = this.#tools;
    const answer = await this.tickets.use(
      ticket,
      () => clock.now(),
      async (served) => {
        const arrived = await served.take(part);
        if (arrived === undefined) return { answer: pack(this.#goOn(ticket)), last: false };
        // No shard: what was begun here is ended here, whoever owns the room by now.
        return { answer: await this.#reply(undefined, served, arrived), last: true };
      },
    );
    return answer ?? pack({ told: 'gone' });
  }

  async #take(ticket: string): Promise<Uint8Array> {
    const { clock, meters } = this.#tools;
    const answer = await this.tickets.use(
      ticket,
      () => clock.now(),
      async (served) => {
        const { bytes, more } = await served.next();
        if (!more) meters().tickets.add('done');
        return { answer: pack({ told: 'part', more }, bytes), last: !more };
      },
    );
    return answer ?? pack({ told: 'gone' });
  }

  /** The answer's head and first bytes, with a ticket when there are more. */
  async #reply(
    shard: number | undefined,
    served: ServedCall,
    answer: InjectedAnswer,
  ): Promise<Uint8Array> {
    const { member } = this.#cluster;
    const { bytes, more } = await served.next();
    const status = answer.statusCode;
    const reply: Extract<Told, { told: 'reply' }> = {
      ...{ told: 'reply', status, headers: headersOf(answer), member },
      moved: status === 503 && shard !== undefined && !this.#cluster.isMine(shard),
    };
    const told = more ? this.#hold(served, (ticket) => ({ ...reply, ticket })) : reply;
    if (told === undefined) {
      served.end();
      throw new BarrageError('unavailable', 'too many answers are being carried', {
        retryAfterMs: RETRY_MS * 10,
      });
    }
    this.#tools.meters().served.add('answered');
    return pack(told, bytes);
  }

  #hold(served: ServedCall, told: (ticket: string) => Told): Told | undefined {
    const ticket = this.tickets.hold(served, this.#tools.clock.now());
    if (ticket === undefined) this.#tools.meters().tickets.add('full');
    return ticket === undefined ? undefined : told(ticket);
  }

  #goOn(ticket: string): Told {
    return { told: 'send', ticket, member: this.#cluster.member };
  }

  #refuse(told: 'not_mine' | 'busy'): Uint8Array {
    this.#tools.meters().served.add(told);
    return pack({ told });
  }

  #failed(ask: Ask['ask'], error: unknown): Uint8Array {
    const problem = problemOf(error);
    this.#tools.meters().served.add('failed');
    if (problem.status === 500) {
      const { message } = asBarrageError(error);
      this.#tools.log.error('what another room service asked failed', { ask, message, error });
    }
    return pack({ told: 'error', error: bodyOf(problem) });
  }
}

function headersOf(answer: InjectedAnswer): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (OWN_HEADERS.has(name)) continue;
    headers[name] = Array.isArray(value) ? value.map(String) : String(value);
  }
  return headers;
}
