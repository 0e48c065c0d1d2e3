/**
 * Owns the way of an HTTP call to the owner of its room and of the answer back, as Fastify knows
 * them. What is retried and for how long is the asker's; who may call is checked there and here.
 */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BarrageError } from '../../../src/errors.js';
import type { Carry, Route } from '../route.js';
import type { Answered, AskedCall, Asker } from './asker.js';
import type { ClusterParts, ForwardTuning } from './cluster.js';
import type { InsideCalls } from './inside.js';
import { PartReader, type Part } from './parts.js';
import { reachOf, shardOfCall } from './reach.js';
import { unpackTold } from './wire.js';

export interface ForwarderTools {
  readonly cluster: ClusterParts;
  readonly asker: Asker;
  readonly inside: InsideCalls;
  readonly tuning: ForwardTuning;
}

/** A call made of part of another, to the owner of one shard. */
export interface SubCall {
  readonly shard: number;
  readonly body: unknown;
  readonly isRepeatable: boolean;
}

/** What an owner must know of a call; all others are between the caller and this service. */
const TOLD_HEADERS = ['authorization', 'x-api-key', 'accept', 'idempotency-key'] as const;
const NOTHING = Buffer.alloc(0);

export class Forwarder {
  /** Bodies as they came: JSON written anew may be longer than what was read. */
  readonly #bodies = new WeakMap<FastifyRequest, Buffer>();
  readonly #tools: ForwarderTools;

  constructor(tools: ForwarderTools) {
    this.#tools = tools;
  }

  keepBody(request: FastifyRequest, bytes: Buffer): void {
    this.#bodies.set(request, bytes);
  }

  /** Undefined for a call that is done here. */
  readonly carry: Carry = (route, request, reply) => {
    const shard = shardOfCall(reachOf(route), request);
    const { cluster, inside } = this.#tools;
    if (shard === undefined || cluster.isMine(shard)) return undefined;
    const call = inside.of(request);
    if (call === undefined) return this.#forward({ route, shard }, request, reply);
    call.notMine = true;
    throw new BarrageError('unavailable', 'the room is not served here now');
  };

  /** The status and body of part of a call. Rejects as calls do. */
  async ask(request: FastifyRequest, sub: SubCall): Promise<{ status: number; body: unknown }> {
    const call = this.#callOf(request, sub.shard);
    const { 'idempotency-key': _, ...others } = call.headers;
    const headers = { ...others, 'content-type': 'application/json' };
    const answered = await this.#tools.asker.call({
      head: { ...call, headers },
      bytes: Buffer.from(JSON.stringify(sub.body)),
      isRepeatable: sub.isRepeatable,
    });
    if (answered.head.told !== 'reply' || answered.head.ticket !== undefined) {
      throw new BarrageError('internal', 'an answer to part of a call in parts');
    }
    return { status: answered.head.status, body: JSON.parse(answered.bytes.toString()) };
  }

  async #forward(
    { route, shard }: { readonly route: Route; readonly shard: number },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { asker, tuning } = this.#tools;
    const head = this.#callOf(request, shard);
    // Whatever its own time, an owner shows signs of life.
    const wait = route.callMs === undefined ? {} : { waitMs: tuning.partMs };
    if (request.body instanceof Readable) {
      return this.#answer(reply, await this.#upload(request, { head, ...wait }));
    }
    const isRepeatable = head.method === 'GET' || hasKey(route, request);
    const bytes = this.#bodies.get(request) ?? NOTHING;
    return this.#answer(reply, await asker.call({ head, bytes, isRepeatable, ...wait }));
  }

  #callOf(request: FastifyRequest, shard: number): AskedCall['head'] {
    const headers: Record<string, string> = { 'x-request-id': request.id };
    for (const name of TOLD_HEADERS) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const type = request.headers['content-type'];
    const isStream = request.body instanceof Readable;
    if (type !== undefined && (isStream || this.#bodies.has(request))) {
      headers['content-type'] = type;
    }
    if (isStream) headers['transfer-encoding'] = 'chunked';
    // Of HEAD only the head is sent on, as of a GET served here.
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    return { ask: 'call', shard, method, url: request.url, headers, more: false };
  }

  /** The owner takes each part when it has place for it; its answer may come before the last. */
  async #upload(
    request: FastifyRequest,
    { head, waitMs }: { readonly head: AskedCall['head']; readonly waitMs?: number },
  ): Promise<Answered> {
    const { asker, tuning } = this.#tools;
    const reader = new PartReader(request.body as Readable);
    const first = await reader.next();
    const call = { head: { ...head, more: true }, bytes: first.bytes, isRepeatable: false };
    let part: Part = first;
    let answered: Answered | undefined;
    try {
      answered = await asker.call(waitMs === undefined ? call : { ...call, waitMs });
      while (answered.head.told === 'send') {
        // An empty part says that there are no more.
        part = part.more ? await reader.next() : { bytes: NOTHING, more: false };
        const { ticket, member } = answered.head;
        const ask = { ask: 'send', ticket, more: part.more } as const;
        const sending = { bytes: part.bytes, timeoutMs: tuning.partMs };
        answered = asAnswered(await asker.request(member, ask, sending));
      }
      return answered;
    } catch (error) {
      if (answered?.head.told === 'send') this.#drop(answered.head);
      throw error;
    } finally {
      if (part.more) void reader.discard();
    }
  }

  #answer(reply: FastifyReply, { head, bytes }: Answered): FastifyReply {
    if (head.told !== 'reply') throw new BarrageError('internal', 'an answer that is none');
    void reply.status(head.status);
    const { ticket, member } = head;
    for (const [name, value] of Object.entries(head.headers)) {
      // Of what is sent at once it is counted anew.
      if (name !== 'content-length' || ticket !== undefined) void reply.header(name, value);
    }
    if (ticket === undefined) return bytes.byteLength === 0 ? reply.send() : reply.send(bytes);
    return reply.send(Readable.from(this.#rest(bytes, member, ticket), { objectMode: false }));
  }

  /** The parts of an answer; whoever stops reading lets the owner know. */
  async *#rest(first: Buffer, member: string, ticket: string): AsyncGenerator<Buffer, void, void> {
    const { asker, tuning } = this.#tools;
    let isDone = false;
    try {
      yield first;
      while (!isDone) {
        const ask = { ask: 'take', ticket } as const;
        const { head, bytes } = await asker.request(member, ask, { timeoutMs: tuning.partMs });
        if (head.told !== 'part') throw new BarrageError('unavailable', 'the answer was cut off');
        isDone = !head.more;
        if (bytes.byteLength > 0) yield bytes;
      }
    } finally {
      if (!isDone) this.#drop({ member, ticket });
    }
  }

  /** Nobody will ask for the rest; an owner that does not hear of it gives it up in time. */
  #drop({ member, ticket }: { readonly member: string; readonly ticket: string }): void {
    const { asker, tuning } = this.#tools;
    const ask = { ask: 'drop', ticket } as const;
    asker.request(member, ask, { timeoutMs: tuning.tellMs }).catch(() => undefined);
  }
}

/** Whether the call has a key that its route honours. */
function hasKey(route: Route, request: FastifyRequest): boolean {
  const honoured = route.headers?.['properties'] as Record<string, unknown> | undefined;
  return (
    honoured?.['idempotency-key'] !== undefined && request.headers['idempotency-key'] !== undefined
  );
}

/** Throws BarrageError for what is no answer to a part of a body. */
function asAnswered({ head, bytes }: NonNullable<ReturnType<typeof unpackTold>>): Answered {
  if (head.told === 'reply' || head.told === 'send') return { head, bytes };
  if (head.told === 'error') {
    const { code, message, ...detail } = head.error;
    throw new BarrageError(code as BarrageError['code'], message, detail);
  }
  throw new BarrageError('unavailable', 'the import was cut off: part of it may be kept');
}
