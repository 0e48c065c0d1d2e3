/**
 * Owns the HTTP side of the viewer port: routes, the door, CORS, and the checked reading of each
 * request. What is served lies in event-stream.ts, poll-desk.ts and speech.ts.
 * Rules: SPEC E-POLL-2, E-SAY-2, E-SSE-1, E-CDN-3.
 */
import { parseRoomId, type RoomId } from '../src/ids.js';
import { POLL_WAIT_MS_MAX, VERDICT_WAIT_MS } from '../src/limits.js';
import { decodeDanmakuBody, decodeText, isBroken } from '../src/wire/commands.js';
import { parseCursor } from '../src/wire/outgoing.js';
import { CLASSES, type Classes } from '../src/words.js';
import { addressOf } from './address.js';
import { EventStream } from './event-stream.js';
import {
  bytesReply,
  sharedReply,
  corsHeaders,
  errorReply,
  jsonReply,
  preflightReply,
  refusedReply,
  type Headers,
} from './http-replies.js';
import { EDGE_RETRY_MS, invalid, tokenOf, verdictReply, viewerOf, waitOf } from './http-reading.js';
import { readReport, reportReply } from './http-reports.js';
import type { Identity } from './identity.js';
import type { LiveRoom } from './live-room.js';
import type { ViewerParts } from './parts.js';
import type { Ended } from './speech.js';
import { doorRefusal } from './upgrade.js';
import type { HttpExchange, HttpReply, HttpRequest } from './viewer-server.js';

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

interface PollAsked {
  readonly cursor: string;
  readonly waitMs: number;
  readonly classes: Classes;
}

const METHODS = {
  ...{ events: 'GET', publications: 'GET', danmaku: 'POST', reports: 'POST' },
  ...{ attributes: 'GET', queues: 'GET', polls: 'GET' },
} as const;
type Endpoint = keyof typeof METHODS;
const ROUTE = new RegExp(`^/v1/rooms/([^/]*)/(${Object.keys(METHODS).join('|')})$`);

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
    const route = ROUTE.exec(path);
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
    const { addresses, meters, tuning, isDraining, newcomers } = this.#parts;
    const origin = request.headers.get('origin') ?? '';
    const address = addressOf(request, tuning().trustProxy);
    const refusal = doorRefusal(
      {
        isDraining: isDraining(),
        origin,
        host: request.headers.get('host') ?? '',
        connections: addresses.total,
        connectionsOfAddress: addresses.of(address),
        // Who polls is here already.
        busyMs: endpoint === 'events' ? newcomers.waitMs() : undefined,
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
    const token = tokenOf(request);
    if (endpoint === 'publications' && token === undefined) {
      const known = this.#knownAnswer(room, address, request);
      if (known !== undefined) {
        meters.opened.add('poll');
        exchange.reply(sharedReply(known, headers, this.#parts.clock.now()));
        return;
      }
    }
    const left = addresses.enter(address);
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
      return this.#end(call, invalid('lastEventId', 'an event id of this stream', headers));
    }
    const classes = this.#classes(call);
    if (classes === undefined) return;
    this.#parts.meters.opened.add('events');
    const stream = new EventStream(exchange, headers, this.#parts, call.left);
    stream
      .open({
        room,
        token,
        since: since?.position,
        classes,
        guestSeed: `${address} ${room}`,
        headers,
      })
      .catch((error: unknown) => this.#failed('events', error, call));
  }

  /** `GET …/publications`. */
  publications(call: Call): void {
    const { request, headers } = call;
    const cursor = request.query.get('cursor') ?? '';
    const waitMs = waitOf(request.query.get('waitMs') ?? '');
    if (waitMs === undefined || (cursor !== '' && parseCursor(cursor) === undefined)) {
      const [field, rule]: [string, string] =
        waitMs !== undefined
          ? ['cursor', 'a cursor of an earlier answer']
          : ['waitMs', `a whole number, 0-${POLL_WAIT_MS_MAX}`];
      return this.#end(call, invalid(field, rule, headers));
    }
    const classes = this.#classes(call);
    if (classes === undefined) return;
    this.#parts.meters.opened.add('poll');
    this.#poll(call, { cursor, waitMs, classes }).catch((error: unknown) =>
      this.#failed('poll', error, call),
    );
  }

  /** For a guest who polled before, at a cursor answered before: nothing is to be made or asked. */
  #knownAnswer(room: RoomId, viewer: string, { query }: HttpRequest): Buffer | undefined {
    const live = this.#parts.hub.find(room);
    const identity = live?.desk.seen(viewer);
    if (live === undefined || identity === undefined || query.get('classes') !== null) return;
    const answer = live.desk.known(query.get('cursor') ?? '');
    if (answer === undefined || live.refusal(identity) !== undefined) return undefined;
    const waitMs = query.get('waitMs');
    if (waitMs !== null && waitOf(waitMs) === undefined) return undefined;
    live.desk.see(viewer, identity);
    return answer;
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
      this.#end(call, bytesReply(200, mirror.facts.answer(name), call.headers));
    }).catch((error: unknown) => this.#failed(name, error, call));
  }

  /** What the query wants to be sent; undefined: answered that it is no such thing. */
  #classes({ request, exchange, headers, left }: Call): Classes | undefined {
    const asked = request.query.get('classes') ?? 'all';
    const classes = CLASSES.find((one) => one === asked);
    if (classes !== undefined) return classes;
    exchange.reply(invalid('classes', `one of ${CLASSES.join(', ')}`, headers));
    left();
    return undefined;
  }

  async #poll(call: Call, { cursor, waitMs, classes }: PollAsked): Promise<void> {
    let stop = () => undefined as void;
    const aborted = () => stop();
    await this.#visit(call, aborted, (live, identity) => {
      live.desk.see(viewerOf(call.address, call.token, identity), identity);
      const { clock } = this.#parts;
      const done = (answer: Buffer) =>
        this.#end(call, sharedReply(answer, call.headers, clock.now()));
      if (cursor === '') done(live.desk.window());
      else stop = (classes === 'all' ? live.desk : live.keepDesk).poll(cursor, waitMs, done);
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
    // A guest who polls again is the one it was: making the identity anew hashes the address.
    const again = token === undefined ? this.#parts.hub.find(room)?.desk.seen(address) : undefined;
    const identity = again ?? this.#parts.entry.identity(room, token, address);
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
    const { request, room, token, address, headers } = call;
    this.#parts.meters.opened.add('post');
    const text = decodeText(request.body);
    const body = typeof text === 'string' ? decodeDanmakuBody(text) : text;
    if (isBroken(body)) {
      this.#parts.meters.verdicts.add('invalid');
      const { field, rule, message } = body;
      const error = { status: 400, code: 'invalid', message, field, rule };
      return this.#end(call, errorReply(error, headers));
    }
    const identity = this.#parts.entry.identity(room, token, address);
    if ('refused' in identity) return this.#refuse(call, identity.refused);
    const answer = this.#answerOnce(call, body.id);
    const known = this.#parts.hub.find(room)?.mirror;
    const speech = { room, known, identity, body };
    const refusal = this.#parts.speaking.refuse(speech);
    if (refusal === undefined) this.#parts.speaking.say(speech, answer);
    else answer(refusal);
  }

  /** `POST …/reports`: how the CDN serves those who have no socket to tell it by. */
  reports(call: Call): void {
    const { cdnReports, meters } = this.#parts;
    meters.opened.add('post');
    const report = readReport(call.request.body, call.headers);
    if ('status' in report) {
      meters.cdnReports.add('invalid');
      return this.#end(call, report);
    }
    const nothing = () => undefined;
    this.#visit(call, nothing, (_, identity) => {
      const posted = cdnReports.takePosted(report, viewerOf(call.address, call.token, identity));
      this.#end(call, reportReply(posted, call.headers));
    }).catch((error: unknown) => this.#failed('reports', error, call));
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
    this.#end(call, refusedReply(line, call.headers));
  }

  #end({ exchange, left }: Call, reply: HttpReply): void {
    exchange.reply(reply);
    left();
  }

  #failed(where: string, error: unknown, call: Call): void {
    this.#parts.fault(where, error);
    const message = 'something went wrong here';
    this.#end(call, errorReply({ status: 500, code: 'internal', message }, call.headers));
  }
}
