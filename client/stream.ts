/**
 * Owns one viewer's stream of one room as a page sees it, and puts its parts together. Several rooms
 * are several streams. Rules: SPEC K-*.
 */
import { CdnFollower } from './cdn-follower.js';
import { systemClock, systemRandom } from './clock.js';
import { Conductor } from './conductor.js';
import type { CdnReport } from './core/cdn-reader.js';
import { Echoes } from './core/echo.js';
import { Place } from './core/place.js';
import { Thinness } from './core/thinness.js';
import { userOf } from './core/token.js';
import { Edges } from './edges.js';
import { Emitter } from './emitter.js';
import { ask, askFacts, roomUrl, type RequestFailed } from './http.js';
import { Intake } from './intake.js';
import type { Link, LinkEvents, LinkParts, LinkRequest } from './link.js';
import { EventsLink } from './link-events.js';
import { PollLink } from './link-poll.js';
import { SocketLink } from './link-socket.js';
import { browserPlatform } from './platform.js';
import { Speech, type Sending } from './speech.js';
import { TokenKeeper } from './tokens.js';
import type {
  CdnStats,
  Closed,
  ConnectOptions,
  Danmaku,
  Gap,
  Line,
  Position,
  State,
  StreamEvents,
  Thin,
  TransportName,
} from './types.js';

const CONNECT_MS = 10_000;
const UPGRADE_MS = 30_000;
const VERDICT_MS = 20_000;
const SMOOTH_MS = 300;
const CDN_DELAY_MS_MAX = 10_000;
const WAYS: readonly TransportName[] = ['websocket', 'sse', 'poll'];
const ROOM = /^[A-Za-z0-9_-]{1,64}$/;

export class RoomStream {
  readonly room: string;
  readonly #parts: LinkParts & { readonly random: () => number };
  readonly #events = new Emitter<StreamEvents>();
  readonly #place: Place;
  readonly #intake: Intake;
  readonly #speech: Speech;
  readonly #conductor: Conductor;
  readonly #follower: CdnFollower | undefined;
  #state: State = { name: 'connecting', cdn: false };
  #seen = 0;
  #keepGap = false;
  /** Whether a link or the CDN brings droppables, and when one did last: never at first. */
  #isFed = false;
  #fedAt = NaN;
  #mayReport = true;

  /** Throws TypeError on options that can never work. */
  constructor(options: ConnectOptions) {
    const { room, since } = options;
    if (!ROOM.test(room)) throw new TypeError('room must be: [A-Za-z0-9_-]{1,64}');
    this.room = room;
    this.#parts = partsOf(options);
    this.#place = new Place(since);
    const echoes = new Echoes();
    this.#intake = this.#makeIntake(options, echoes);
    this.#speech = this.#makeSpeech(options, echoes);
    this.#conductor = this.#makeConductor(options);
    this.#follower = options.cdn === false ? undefined : this.#makeFollower(options);
    // The page first gets its stream, then hears of it.
    this.#parts.clock.after(0, () => {
      if (this.#state.name !== 'closed') this.#conductor.start();
    });
  }

  get state(): State {
    return this.#state;
  }

  /** Where to resume, for a later stay. */
  get position(): Position | undefined {
    return this.#place.position;
  }

  /** The viewer's own user {id, role, maySpeak}, once joined by socket or event stream. */
  get user() {
    return this.#intake.user;
  }

  get attributes(): Readonly<Record<string, unknown>> {
    return this.#intake.attributes;
  }

  /** Adds a listener; the answer takes it away. */
  on<K extends keyof StreamEvents>(name: K, listener: (value: StreamEvents[K]) => void) {
    return this.#events.on(name, listener);
  }

  /** Says a danmaku. The promise is always fulfilled, with its one end; it is never rejected. */
  send(danmaku: Danmaku): Sending {
    return this.#speech.send(danmaku);
  }

  /** How the CDN serves; undefined until it was read. */
  get cdnStats(): CdnStats | undefined {
    return this.#follower?.stats;
  }

  /** Reads more or less of the CDN from now on. Throws TypeError on what is no thinness. */
  setThin(thin: Thin): void {
    this.#follower?.setThin(thin);
  }

  /** Leaves for good. */
  close(): void {
    if (this.#state.name === 'closed') return;
    this.#conductor.write({ type: 'leave', room: this.room });
    this.#conductor.stop();
    this.#over({ reason: 'left' });
  }

  #makeIntake(options: ConnectOptions, echoes: Echoes): Intake {
    const { delayMs = 0, smoothMs = SMOOTH_MS } = options;
    return new Intake({
      ...{ clock: this.#parts.clock, place: this.#place, echoes, smoothMs },
      delayMs: typeof delayMs === 'function' ? delayMs : () => delayMs,
      emit: (name, value) => {
        if (name === 'gap' && (value as Gap).class === 'keep') this.#keepGap = true;
        this.#events.emit(name, value);
      },
      me: () => this.#me(),
      acknowledge: (room, ids) => {
        // Before a link counts as joined its first line may ask for an answer already.
        this.#acks.push({ type: 'ack', room, ids });
        this.#flushAcks();
      },
      cdnFact: (fact, region) => this.#follower?.configure(fact, region),
      wantAttributes: () => void this.#fetchAttributes(),
    });
  }

  /** A poller is not told who it is; its token says it. */
  #me(): { readonly id: string } | undefined {
    return this.#intake.user ?? userOf(this.#conductor.serving?.token);
  }

  #makeSpeech({ verdictMs = VERDICT_MS }: ConnectOptions, echoes: Echoes): Speech {
    const { clock, fetch, random } = this.#parts;
    return new Speech(random().toString(36).slice(2, 10), {
      ...{ clock, fetch, room: this.room, verdictMs, echoes },
      conductor: () => this.#conductor,
      me: () => this.#me(),
      now: () => Math.round(this.#intake.roomNow),
      show: (publication) => this.#events.emit('publication', publication),
      told: (result) => this.#events.emit('verdict', result),
    });
  }

  #makeConductor(options: ConnectOptions): Conductor {
    const { url = [], dispatch, token, upgradeMs = UPGRADE_MS } = options;
    const { clock, fetch, random, connectMs } = this.#parts;
    const urls = typeof url === 'string' ? [url] : url;
    if (urls.length === 0 && dispatch === undefined)
      throw new TypeError('url or dispatch is needed');
    const place = {
      room: this.room,
      position: () => this.position,
      cursor: () => this.#place.cursor,
    };
    const edges = new Edges(
      { urls, dispatch, room: this.room, connectMs },
      { clock, fetch, heard: (now) => void this.#intake.line({ type: 'welcome', now }, 'poll') },
    );
    const tokens = new TokenKeeper(token, clock);
    const make = (way: TransportName, request: LinkRequest, on: LinkEvents) =>
      makeLink(way, request, [this.#parts, on]);
    return new Conductor(waysOf(options, this.#parts), upgradeMs, [
      { clock, random, platform: browserPlatform, tokens, edges, make, request: place },
      {
        line: (line, way) => this.#line(line, way),
        joined: (outageMs) => this.#joined(outageMs),
        state: (state) => this.#enter(state),
        // It never turns a CDN off that is read: dispatch may not have heard of the room yet.
        shutOut: () => edges.cdn && this.#follower?.configure(edges.cdn),
        closed: (closed) => this.#over(closed),
      },
    ]);
  }

  #makeFollower({ thin = 'auto', cdnDelayMaxMs = CDN_DELAY_MS_MAX }: ConnectOptions): CdnFollower {
    const { clock, fetch, random } = this.#parts;
    return new CdnFollower({
      ...{ clock, fetch, random },
      roomNow: () => this.#intake.roomNow,
      show: (publications, delayMs) => this.#intake.cdn(publications, delayMs),
      receive: (classes) => {
        this.#conductor.receive(classes);
        const cdn = classes === 'keep';
        if (cdn !== this.#state.cdn) this.#enter(this.#state);
      },
      gap: (gap) => this.#events.emit('gap', gap),
      thinness: new Thinness(thin, browserPlatform.savesData),
      delayMaxMs: cdnDelayMaxMs,
      turned: () => this.#enter(this.#state),
      report: (cdn) => this.#report(cdn),
    });
  }

  /** By the socket, else by POST. One that is not taken is not told again: the next tells more. */
  #report(cdn: CdnReport): void {
    if (!this.#mayReport || this.#conductor.write({ type: 'report', room: this.room, cdn })) return;
    const { way, base, token } = this.#conductor.serving ?? {};
    if (base === undefined || way === 'websocket') return;
    const url = roomUrl(base, this.room, 'reports');
    const stop = new AbortController();
    const body = JSON.stringify({ cdn });
    ask(this.#parts, { url, token, body, withinMs: this.#parts.connectMs, stop }).catch(
      ({ end }: RequestFailed) => {
        // An edge that has no such address.
        if (end.reason === 'not_found') this.#mayReport = false;
      },
    );
  }

  readonly #acks: Line[] = [];

  #flushAcks(): void {
    while (this.#acks.length > 0 && this.#conductor.write(this.#acks[0]!)) this.#acks.shift();
    // Who cannot answer is sent it again by the edge; the newest are enough.
    while (this.#acks.length > 10) this.#acks.shift();
  }

  #line(line: Line, way: TransportName): 'hole' | undefined {
    if (line['room'] !== undefined && line['room'] !== this.room) return undefined;
    if (line.type === 'verdict') this.#speech.verdict(line);
    // An edge that does not know a command: only reports are not part of every version.
    if (line.type === 'error' && line['field'] === 'type') this.#mayReport = false;
    return this.#intake.line(line, way);
  }

  #joined(outageMs: number | undefined): void {
    this.#speech.joined();
    this.#flushAcks();
    const publications = this.#intake.arrived - this.#seen;
    const whole = !this.#keepGap;
    this.#keepGap = false;
    if (outageMs === undefined) return;
    this.#events.emit('recovered', { publications, whole, outageMs });
  }

  #enter(state: Omit<State, 'cdn'>): void {
    const { thin: _, ...rest } = state;
    const cdn = this.#follower?.isFollowing ?? false;
    const thin = cdn ? this.#follower?.priority : undefined;
    this.#state = { ...rest, cdn, ...(thin === undefined ? {} : { thin }) };
    const isLive = state.name === 'live' || state.name === 'polling';
    if (!isLive) this.#seen = this.#intake.arrived;
    this.#events.emit('state', this.#state);
    const now = this.#parts.clock.now();
    if (this.#isFed) this.#fedAt = now;
    this.#isFed = isLive || cdn;
    const lastedMs = now - this.#fedAt;
    if (this.#isFed && lastedMs > 0) {
      this.#events.emit('gap', { class: 'drop', why: 'interrupted', lastedMs });
    }
  }

  async #fetchAttributes(): Promise<void> {
    const { serving } = this.#conductor;
    const facts = serving && (await askFacts(this.#parts, { ...serving, room: this.room }));
    if (facts !== undefined) this.#intake.line(facts, serving!.way);
  }

  #over(closed: Closed): void {
    this.#follower?.stop();
    this.#speech.stop();
    this.#intake.stop();
    this.#state = { name: 'closed', cdn: false, ...closed };
    this.#events.emit('state', this.#state);
    this.#events.emit('closed', closed);
    this.#events.clear();
  }
}

function partsOf(options: ConnectOptions): LinkParts & { readonly random: () => number } {
  const given = options.WebSocket ?? globalThis.WebSocket;
  return {
    clock: options.clock ?? systemClock,
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    WebSocket: given as typeof WebSocket | undefined,
    compress: options.compress ?? true,
    connectMs: options.connectMs ?? CONNECT_MS,
    heartbeatMs: options.heartbeatMs,
    random: options.random ?? systemRandom,
  };
}

/** The ways this platform has, in the page's order. */
function waysOf({ transports = WAYS }: ConnectOptions, parts: LinkParts): readonly TransportName[] {
  const ways = transports.filter(
    (way) => WAYS.includes(way) && (way !== 'websocket' || parts.WebSocket !== undefined),
  );
  if (ways.length === 0) throw new TypeError('no transport works here');
  return ways;
}

function makeLink(
  way: TransportName,
  request: LinkRequest,
  [parts, on]: readonly [LinkParts, LinkEvents],
): Link {
  if (way === 'websocket') return new SocketLink(request, parts, on);
  return way === 'sse' ? new EventsLink(request, parts, on) : new PollLink(request, parts, on);
}
