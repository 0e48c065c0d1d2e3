/**
 * Owns the HTTP side of the viewer port: routes, the door, CORS, and the checked reading of each
 * request. What is served lies in event-stream.ts, poll-desk.ts and speech.ts.
 * Rules: SPEC E-POLL-2, E-SAY-2, E-SSE-1.
 */
import { parseRoomId, type RoomId } from '../src/ids.js';
import { POLL_WAIT_MS_MAX, VERDICT_WAIT_MS } from '../src/limits.js';
import { VERDICT_STATUS } from '../src/verdict.js';
import { decodeDanmakuBody, decodeText, isBroken } from '../src/wire/commands.js';
import { parseCursor } from '../src/wire/outgoing.js';
import { addressOf } from './address.js';
import { EventStream } from './event-stream.js';
import {
  bytesReply,
  corsHeaders,
  errorReply,
  jsonReply,
  preflightReply,
  refusedReply,
  retryHeader,
  type Headers,
} from './http-replies.js';
import type { Identity } from './identity.js';
import type { LiveRoom } from './live-room.js';
import type { ViewerParts } from './parts.js';
import type { Ended } from './speech.js';
import { doorRefusal } from './upgrade.js';
import type { HttpExchange, HttpRequest } from './viewer-server.js';

/** One request, past the door. */
interface Call {
  readonly request: HttpRequest;
  readonly exchange: HttpExchange;
  readonly room: RoomId;
  readonly address: string;
  readonly token: string | undefined;
  readonly headers: Headers;
  /** Counts the request out of its address's connections. */
  readonly left: () => void;
}

const METHODS = {
  ...{ events: 'GET', publications: 'GET', danmaku: 'POST' },
  ...{ attributes: 'GET', queues: 'GET', polls: 'GET' },
} as const;
type Endpoint = keyof typeof METHODS;

const EDGE_RETRY_MS = 1000;

export class ViewerHttp {
  readonly #parts: ViewerParts;

  constructor(parts: ViewerParts) {
    this.#parts = parts;
  }

  /** Answers any request of the viewer port but the upgrade. */
  serve(request: HttpRequest, exchange: HttpExchange): void {
    const { path, method } = request;
    if (path === '/healthz') {
      exchange.reply(jsonReply(200, { status: 'ok' }));
      return;
    }
    const route =
      /^\/v1\/rooms\/([^/]*)\/(events|publications|danmaku|attributes|queues|polls)$/.exec(path);
    if (route === null) {
      const isSocket = path === '/v1/ws';
      const message = isSocket ? 'this path takes WebSocket connections' : 'there is nothing here';
      const status = isSocket ? 426 : 404;
      const headers = isSocket ? { upgrade: 'websocket' } : {};
      exchange.reply(
        errorReply({ status, code: isSocket ? 'invalid' : 'not_found', message }, headers),
      );
      return;
    }
    const endpoint = route[2] as Endpoint;
    if (method !== METHODS[endpoint] && method !== 'OPTIONS') {
      const message = `${endpoint} takes ${METHODS[endpoint]}`;
      const headers = { allow: `${METHODS[endpoint]}, OPTIONS` };
      exchange.reply(errorReply({ status: 405, code: 'invalid', message }, headers));
      return;
    }
    this.#enter(endpoint, route[1]!, request, exchange);
  }

  #enter(endpoint: Endpoint, roomText: string, request: HttpRequest, exchange: HttpExchange): void {
    const { addresses, meters, tuning, isDraining } = this.#parts;
    const origin = request.headers.get('origin') ?? '';
    const address = addressOf(request, tuning().trustProxy);
    const refusal = doorRefusal(
      {
        isDraining: isDraining(),
        origin,
        host: request.headers.get('host') ?? '',
        connections: addresses.total,
        connectionsOfAddress: addresses.of(address),
      },
      tuning(),
    );
    if (refusal !== undefined) {
      const { why, ...error } = refusal;
      meters.refused.add(why);
      exchange.reply(errorReply(error, why === 'origin' ? {} : corsHeaders(origin)));
      return;
    }
    if (request.method === 'OPTIONS') {
      exchange.reply(preflightReply(origin));
      return;
    }
    const headers = corsHeaders(origin);
    const room = parseRoomId(roomText);
    if (room === undefined) {
      exchange.reply(invalid('room', '[A-Za-z0-9_-]{1,64}', headers));
      return;
    }
    const left = addresses.enter(address);
    const token = tokenOf(request);
    const call: Call = { request, exchange, room, address, token, headers, left };
    try {
      this[endpoint](call);
    } catch (error) {
      this.#failed(endpoint, error, call);
    }
  }

  /** `GET …/events`. */
  events(call: Call): void {
    const { request, exchange, room, token, headers, address } = call;
    const id = request.headers.get('last-event-id') || request.query.get('lastEventId') || '';
    const since = id === '' ? undefined : parseCursor(id);
    if (id !== '' && since === undefined) {
      exchange.reply(invalid('lastEventId', 'an event id of this stream', headers));
      call.left();
      return;
    }
    this.#parts.meters.opened.add('events');
    const stream = new EventStream(exchange, headers, this.#parts, call.left);
    stream
      .open({ room, token, since: since?.position, guestSeed: `${address} ${room}`, headers })
      .catch((error: unknown) => this.#failed('events', error, call));
  }

  /** `GET …/publications`. */
  publications(call: Call): void {
    const { request, exchange, headers } = call;
    const cursor = request.query.get('cursor') ?? '';
    const waitMs = Number(request.query.get('waitMs') || '0');
    const isWait = Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= POLL_WAIT_MS_MAX;
    if (!isWait || (cursor !== '' && parseCursor(cursor) === undefined)) {
      const [field, rule] = isWait
        ? ['cursor', 'a cursor of an earlier answer']
        : ['waitMs', `a whole number, 0-${POLL_WAIT_MS_MAX}`];
      exchange.reply(invalid(field, rule, headers));
      call.left();
      return;
    }
    this.#parts.meters.opened.add('poll');
    this.#poll(call, cursor, waitMs).catch((error: unknown) => this.#failed('poll', error, call));
  }

  /** `GET …/attributes`: what `joined` shows, for who missed a change or follows by polling. */
  attributes(call: Call): void {
    this.#facts('attributes', call);
  }

  /** `GET …/queues`. */
  queues(call: Call): void {
    this.#facts('queues', call);
  }

  /** `GET …/polls`. */
  polls(call: Call): void {
    this.#facts('polls', call);
  }

  #facts(name: string, call: Call): void {
    this.#parts.meters.opened.add('poll');
    const nothing = () => undefined;
    this.#visit(call, nothing, ({ mirror }) => {
      call.exchange.reply(bytesReply(200, mirror.facts.answer(name), call.headers));
      call.left();
    }).catch((error: unknown) => this.#failed(name, error, call));
  }

  async #poll(call: Call, cursor: string, waitMs: number): Promise<void> {
    const { token, address, exchange, headers } = call;
    let stop = () => undefined as void;
    const aborted = () => stop();
    await this.#visit(call, aborted, (live, identity) => {
      const viewer = token === undefined ? address : `${address} ${identity.user.id}`;
      live.desk.see(viewer, identity);
      const done = (answer: Buffer) => {
        exchange.reply(bytesReply(200, answer, headers));
        call.left();
      };
      if (cursor === '') done(live.desk.window());
      else stop = live.desk.poll(cursor, waitMs, done);
    });
  }

  /** Lets a request see the room, or refuses it; `use` answers and counts it out. */
  async #visit(
    call: Call,
    aborted: () => void,
    use: (live: LiveRoom, identity: Identity) => void,
  ): Promise<void> {
    const { room, token, address, exchange } = call;
    let isGone = false;
    exchange.onAbort(() => {
      isGone = true;
      aborted();
      call.left();
    });
    const identity = this.#parts.entry.identity(room, token, address);
    if ('refused' in identity) return this.#refuse(call, identity.refused);
    const failure = await this.#parts.hub.visit(room, (live) => {
      const why = live.refusal(identity);
      if (why === 'banned') {
        return this.#refuse(call, { code: why, message: 'this user is banned', room });
      }
      if (!isGone) use(live, identity);
    });
    if (failure === undefined || isGone) return;
    const message = 'the room is not there, or cannot be reached now';
    const retry = failure === 'unavailable' ? { retryAfterMs: EDGE_RETRY_MS } : {};
    this.#refuse(call, { code: failure, message, room, ...retry });
  }

  /** `POST …/danmaku`. */
  danmaku(call: Call): void {
    const { request, exchange, room, token, address, headers } = call;
    this.#parts.meters.opened.add('post');
    const text = decodeText(request.body);
    const body = typeof text === 'string' ? decodeDanmakuBody(text) : text;
    if (isBroken(body)) {
      this.#parts.meters.verdicts.add('invalid');
      const { field, rule, message } = body;
      exchange.reply(errorReply({ status: 400, code: 'invalid', message, field, rule }, headers));
      call.left();
      return;
    }
    const identity = this.#parts.entry.identity(room, token, address);
    if ('refused' in identity) {
      this.#refuse(call, identity.refused);
      return;
    }
    const answer = this.#answerOnce(call, body.id);
    const known = this.#parts.hub.find(room)?.mirror;
    this.#parts.speaking.say({ room, known, identity, body }, answer);
  }

  /** Answers with the verdict, or `unavailable` when it does not come in time. */
  #answerOnce(call: Call, id: string | number | undefined): (end: Ended) => void {
    let isAnswered = false;
    const answer = (end: Ended) => {
      if (isAnswered) return;
      isAnswered = true;
      late.cancel();
      call.left();
      call.exchange.reply(verdictReply(end, id, call.headers));
    };
    const late = this.#parts.clock.after(VERDICT_WAIT_MS, () =>
      answer({ verdict: 'unavailable', retryAfterMs: EDGE_RETRY_MS }),
    );
    call.exchange.onAbort(() => {
      isAnswered = true;
      late.cancel();
      call.left();
    });
    return answer;
  }

  #refuse(call: Call, line: Parameters<typeof refusedReply>[0]): void {
    call.exchange.reply(refusedReply(line, call.headers));
    call.left();
  }

  #failed(where: string, error: unknown, call: Call): void {
    this.#parts.fault(where, error);
    const message = 'something went wrong here';
    call.exchange.reply(errorReply({ status: 500, code: 'internal', message }, call.headers));
    call.left();
  }
}

function verdictReply(end: Ended, id: string | number | undefined, headers: Headers) {
  const { verdict, id: publication, retryAfterMs, field, rule, reason } = end;
  const status = VERDICT_STATUS[verdict];
  const retry = status === 429 || status === 503 ? retryHeader(retryAfterMs ?? EDGE_RETRY_MS) : {};
  const body = { verdict, id, publication, retryAfterMs, reason };
  if (status < 400) return jsonReply(status, body, headers);
  const message = `the danmaku was refused: ${verdict}`;
  const error = { status, code: verdict, message };
  const detail = {
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const reply = errorReply({ ...error, ...detail }, { ...retry, ...headers });
  const { error: told } = JSON.parse(String(reply.body)) as { error: object };
  return { ...reply, body: JSON.stringify({ ...body, error: told }) };
}

function invalid(field: string | undefined, rule: string | undefined, headers: Headers) {
  const detail = { field: field ?? '', rule: rule ?? '' };
  const message = `"${detail.field}" must be: ${detail.rule}`;
  return errorReply({ status: 400, code: 'invalid', message, ...detail }, headers);
}

/** `Authorization: Bearer …`, or `?token=` for what cannot set headers. */
function tokenOf(request: HttpRequest): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '');
  return bearer?.[1] ?? (request.query.get('token') || undefined);
}
