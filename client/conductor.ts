/**
 * Owns the links of a stream: one that serves, and at times a second beside it (a better way tried, a
 * new token) that takes its place only once it is joined. Decides when to come back by the machines in
 * core/. Knows nothing of publications. Rules: SPEC K-WAY-*, K-BACK-*, K-TOKEN-*.
 */
import type { Cancel, Clock } from './clock.js';
import { Backoff, elsewhereMs, STEADY_MS } from './core/backoff.js';
import { endOfError, type LinkEnd } from './core/closing.js';
import { Ladder } from './core/ladder.js';
import type { Edges } from './edges.js';
import { RequestFailed } from './http.js';
import type { Classes, Link, LinkEvents, LinkRequest } from './link.js';
import type { Platform } from './platform.js';
import type { TokenKeeper } from './tokens.js';
import type { Closed, Line, State, TransportName } from './types.js';

export interface ConductorParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly platform: Platform;
  readonly tokens: TokenKeeper;
  readonly edges: Edges;
  /** Makes a link of a way; may throw. */
  readonly make: (way: TransportName, request: LinkRequest, on: LinkEvents) => Link;
  readonly request: Pick<LinkRequest, 'room' | 'position' | 'cursor'>;
}

export interface ConductorEvents {
  /** A line of any link; 'hole': publications are missing before it, the link has to begin anew. */
  line(line: Line, way: TransportName): 'hole' | undefined;
  /** A link serves now. `outageMs`: nothing came for so long; undefined: without a break. */
  joined(outageMs: number | undefined): void;
  state(state: Omit<State, 'cdn'>): void;
  /** Every edge was tried and none lets us in, by no way. */
  shutOut(): void;
  closed(closed: Closed): void;
}

interface Entry {
  readonly way: TransportName;
  readonly purpose: 'serve' | 'upgrade' | 'renew';
  link?: Link;
  base?: string;
  token?: string | undefined;
  joinedAt?: number;
  /** What the link brings, as it was last told. */
  classes?: Classes;
}

/** An offline device is tried all the same, in case it does not know better. */
const OFFLINE_PROBE_MS = 60_000;
const RENEW_AGAIN_MS = 5000;

export class Conductor {
  readonly #parts: ConductorParts;
  readonly #on: ConductorEvents;
  readonly #ladder: Ladder;
  readonly #backoff = new Backoff();
  readonly #unwatch: () => void;
  #main: Entry | undefined;
  #spare: Entry | undefined;
  #retry: Cancel | undefined;
  #upgrade: Cancel | undefined;
  #renew: Cancel | undefined;
  #classes: Classes = 'all';
  #lostAt: number | undefined;
  #notBefore = 0;
  #wasLive = false;
  #isOver = false;

  constructor(
    ways: readonly TransportName[],
    upgradeMs: number,
    tools: [ConductorParts, ConductorEvents],
  ) {
    [this.#parts, this.#on] = tools;
    this.#ladder = new Ladder(ways, upgradeMs);
    this.#unwatch = this.#parts.platform.watch((what) => this.#changed(what));
  }

  start(): void {
    this.#serve();
  }

  stop(): void {
    this.#isOver = true;
    this.#unwatch();
    for (const timer of [this.#retry, this.#upgrade, this.#renew]) timer?.cancel();
    this.#main?.link?.close();
    this.#spare?.link?.close();
    this.#main = this.#spare = undefined;
  }

  /** The joined link's edge and token, for requests beside it; undefined while there is none. */
  get serving(): { way: TransportName; base: string; token: string | undefined } | undefined {
    const { joinedAt, way, base, token } = this.#main ?? {};
    return joinedAt === undefined ? undefined : { way: way!, base: base!, token };
  }

  /** Hands a command to the joined link; false: there is none, or it cannot. */
  write(command: Line): boolean {
    const { joinedAt, link } = this.#main ?? {};
    return joinedAt !== undefined && link!.write(command);
  }

  /** What is taken by the links from now on; without a break. */
  receive(classes: Classes): void {
    if (classes === this.#classes) return;
    this.#classes = classes;
    if (this.#main?.joinedAt !== undefined) this.#settleClasses(this.#main);
  }

  /** Also once a link has joined: other classes may be wanted than those it was opened for. */
  #settleClasses(entry: Entry): void {
    if (entry.classes === this.#classes) return;
    if (this.#tellClasses(entry)) entry.classes = this.#classes;
    // An event stream cannot be told: another takes its place.
    else if (entry.way === 'sse' && this.#spare === undefined) this.#beside('renew', entry.way);
  }

  #serve(): void {
    this.#retry?.cancel();
    this.#main = { way: this.#ladder.way, purpose: 'serve' };
    this.#on.state({
      name: this.#wasLive ? 'recovering' : 'connecting',
      transport: this.#ladder.way,
    });
    void this.#open(this.#main);
  }

  #beside(purpose: 'upgrade' | 'renew', way: TransportName): void {
    this.#spare = { way, purpose };
    void this.#open(this.#spare);
  }

  async #open(entry: Entry): Promise<void> {
    const { tokens, edges, make, request } = this.#parts;
    try {
      entry.token = await tokens.get();
      if (!this.#isWanted(entry)) return;
      entry.base = entry === this.#main ? await edges.base() : this.#main!.base!;
      if (!this.#isWanted(entry)) return;
      const { base, token } = entry;
      const { room, position, cursor } = request;
      // A socket joins for all and is told afterwards.
      entry.classes = entry.way === 'websocket' ? 'all' : this.#classes;
      entry.link = make(
        entry.way,
        { base, token, room, position, cursor, classes: this.#classes },
        { line: (line) => this.#line(entry, line), down: (end) => this.#down(entry, end) },
      );
    } catch (error) {
      const end = error instanceof RequestFailed ? error.end : { reason: reasonOf(error) };
      this.#down(entry, { ...end, isFinal: false, needsToken: false });
    }
  }

  #isWanted(entry: Entry): boolean {
    return !this.#isOver && (entry === this.#main || entry === this.#spare);
  }

  #line(entry: Entry, line: Line): void {
    if (!this.#isWanted(entry)) return;
    if (line.type === 'welcome') this.#backoff.jitterMs = line['reconnectJitterMs'];
    if (line.type === 'error' && entry.joinedAt === undefined) {
      entry.link?.close();
      return this.#down(entry, endOfError(line));
    }
    const isJoin = line.type === 'joined' || line.type === 'publications';
    const isFirst = isJoin && entry.joinedAt === undefined;
    if (this.#on.line(line, entry.way) === 'hole') {
      entry.link?.close();
      return this.#down(entry, { reason: 'hole', isAdvised: true });
    }
    if (isFirst && this.#isWanted(entry)) this.#joined(entry);
  }

  #joined(entry: Entry): void {
    entry.joinedAt = this.#parts.clock.now();
    this.#parts.tokens.accepted();
    this.#parts.edges.held();
    if (entry === this.#spare) {
      this.#spare = undefined;
      this.#main?.link?.close();
      this.#main = entry;
      if (entry.purpose === 'upgrade') this.#ladder.tried(true);
    }
    this.#settleClasses(entry);
    const outageMs = this.#lostAt && entry.joinedAt - this.#lostAt;
    this.#lostAt = undefined;
    this.#wasLive = true;
    this.#on.state({ name: entry.way === 'poll' ? 'polling' : 'live', transport: entry.way });
    this.#schedule();
    this.#on.joined(outageMs);
  }

  /** A better way and a newer token in their time. */
  #schedule(): void {
    const { clock, platform, tokens } = this.#parts;
    this.#upgrade?.cancel();
    this.#renew?.cancel();
    const better = this.#ladder.better;
    if (better !== undefined) {
      this.#upgrade = clock.after(this.#ladder.upgradeMs, () => {
        const isTime = this.#spare === undefined && !platform.isHidden() && platform.isOnline();
        if (isTime) this.#beside('upgrade', better);
        else this.#schedule();
      });
    }
    if (tokens.renewInMs < Infinity) {
      this.#renew = clock.after(Math.max(1000, tokens.renewInMs), () => this.#renewToken());
    }
  }

  #renewToken(): void {
    if (this.#main?.joinedAt === undefined || this.#spare !== undefined) return this.#schedule();
    this.#parts.tokens.drop();
    this.#beside('renew', this.#main.way);
  }

  #tellClasses(entry: Entry): boolean {
    const { room } = this.#parts.request;
    return entry.link!.write({ type: 'receive', room, classes: this.#classes });
  }

  #down(entry: Entry, end: LinkEnd): void {
    if (!this.#isWanted(entry)) return;
    if (entry === this.#spare) return this.#spareDown(entry);
    const { clock, edges } = this.#parts;
    this.#main = undefined;
    this.#upgrade?.cancel();
    this.#renew?.cancel();
    if (this.#isTheEnd(end)) return this.#close(end);
    const heldMs = entry.joinedAt === undefined ? 0 : clock.now() - entry.joinedAt;
    if (entry.joinedAt !== undefined) this.#lostAt = clock.now();
    this.#backoff.held(heldMs);
    if (heldMs >= STEADY_MS) this.#ladder.held();
    else if (end.isAdvised !== true) this.#ladder.failed();
    if (heldMs < STEADY_MS) edges.failed();
    const isElsewhere = entry.joinedAt === undefined && edges.hasUntried;
    edges.advised(end.edges);
    this.#spare?.link?.close();
    this.#spare = undefined;
    this.#wait(end, isElsewhere);
    // An edge that answers needs no other way.
    const isOut = end.isAdvised === true || this.#ladder.isThrough;
    if (entry.joinedAt === undefined && isOut && !edges.hasUntried) this.#on.shutOut();
  }

  #spareDown({ purpose }: Entry): void {
    this.#spare = undefined;
    if (purpose === 'upgrade') this.#ladder.tried(false);
    this.#schedule();
    if (purpose !== 'renew') return;
    this.#renew?.cancel();
    this.#renew = this.#parts.clock.after(RENEW_AGAIN_MS, () => this.#renewToken());
  }

  #isTheEnd(end: LinkEnd): boolean {
    if (end.needsToken === true) return !this.#parts.tokens.refused();
    return end.isFinal === true;
  }

  /** `isElsewhere`: another edge is tried, for which nobody asked us to wait. */
  #wait(end: LinkEnd, isElsewhere = false): void {
    const { clock, platform, random } = this.#parts;
    const retryMs =
      isElsewhere && end.retryAfterMs === undefined
        ? elsewhereMs(random())
        : this.#backoff.next(end.retryAfterMs, platform.isHidden(), random());
    const isOnline = platform.isOnline();
    const name = isOnline ? (this.#wasLive ? 'recovering' : 'connecting') : 'offline';
    const waitMs = isOnline ? retryMs : OFFLINE_PROBE_MS;
    this.#notBefore = clock.now() + Math.min(retryMs, end.retryAfterMs ?? 0);
    this.#retry?.cancel();
    this.#retry = clock.after(waitMs, () => this.#serve());
    this.#on.state({ name, retryMs: waitMs, ...whyOf(end) });
  }

  /** The network is back or somebody looks again: no time to wait, and a link may be dead. */
  #changed(what: 'online' | 'visible' | 'offline'): void {
    if (this.#isOver) return;
    if (this.#main !== undefined) return this.#main.link?.probe();
    if (what === 'offline') return this.#wait({ reason: 'offline' });
    // What an edge asked for holds all the same.
    const leftMs = this.#notBefore - this.#parts.clock.now();
    if (leftMs <= 0) return this.#serve();
    this.#retry?.cancel();
    this.#retry = this.#parts.clock.after(leftMs, () => this.#serve());
  }

  #close(end: LinkEnd): void {
    this.stop();
    this.#on.closed(whyOf(end));
  }
}

function whyOf({ reason, code, message }: LinkEnd) {
  return {
    reason,
    ...(code && { code }),
    ...(message && { message }),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
