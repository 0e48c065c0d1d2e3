/**
 * Owns the words of the SDK: what a page gives it and what it gives back. Types only, no behaviour.
 * The wire's own words are those of docs/SPEC.md.
 */
import type { Clock } from './clock.js';

export type TransportName = 'websocket' | 'sse' | 'poll';
export type FrameClass = 'keep' | 'drop';

/** A place in a room's keepable stream. */
export interface Position {
  readonly epoch: number;
  readonly offset: number;
}

export interface Style {
  readonly mode?: 'scroll' | 'top' | 'bottom';
  /** `#rrggbb`. */
  readonly color?: string;
  /** 12-64; 25 is the usual size. */
  readonly size?: number;
}

export interface Speaker {
  readonly id: string;
  readonly name?: string;
  readonly level?: number;
  readonly badge?: string;
}

export interface Publication {
  readonly id: string;
  readonly kind: string;
  readonly lane: 'control' | 'high' | 'normal' | 'low';
  /** Place in the keepable stream; keepable publications only. */
  readonly offset?: number;
  /** Unix milliseconds of the room's clock. */
  readonly at: number;
  readonly user?: Speaker;
  readonly text?: string;
  readonly style?: Style;
  /** How many danmaku it stands for; absent: 1. */
  readonly count?: number;
  // The studio's own: whatever JSON it put in.
  readonly data?: any;
  readonly ack?: boolean;
  /** True on what this viewer said itself and is shown before anybody answered. */
  readonly own?: boolean;
}

/** What a viewer wants to say. */
export interface Danmaku {
  readonly text?: string;
  readonly kind?: string;
  readonly style?: Style;
  readonly data?: unknown;
}

/**
 * The end of a danmaku: a verdict of the service, or `unsent` (it never left this place) or
 * `unknown` (it left, and no answer came).
 */
export interface SendResult {
  readonly id: string;
  readonly verdict: string;
  /** Whether others see it, or it counts in what they see. */
  readonly ok: boolean;
  /** Id of the publication that carries it. */
  readonly publication?: string;
  readonly retryAfterMs?: number;
  readonly reason?: string;
  readonly field?: string;
  readonly rule?: string;
}

/** A line of the wire: a JSON object with a `type`. */
export interface Line {
  readonly type: string;
  // Members differ by type and are checked where they are used.
  readonly [member: string]: any;
}

export type StateName =
  /** The first connection is being made. */
  | 'connecting'
  /** Publications arrive as they are made. */
  | 'live'
  /** Publications are asked for at intervals. */
  | 'polling'
  /** The link was lost and comes back by itself. */
  | 'recovering'
  /** The device has no network; tried again when it has. */
  | 'offline'
  /** Over for good. */
  | 'closed';

export interface State {
  readonly name: StateName;
  readonly transport?: TransportName;
  /** Droppable publications come from the CDN; it may be while no edge lets in, too. */
  readonly cdn: boolean;
  /** Only priorities up to this are read from the CDN; absent: all. */
  readonly thin?: number;
  /** Until the next try, when one is waited for. */
  readonly retryMs?: number;
  /** Why the last link ended. */
  readonly reason?: string;
  readonly code?: number;
}

/**
 * How much of a CDN's segments is read: all (`false`); no low lane (`true`); only priorities up to one
 * (docs/cdn.md); `auto`: as the line and the device's wish to save data allow.
 */
export type Thin = boolean | 'auto' | { readonly priority: number };

/** How the CDN served this viewer. */
export interface CdnStats {
  /** How far behind the room's clock its lines are shown now. */
  readonly delayMs: number;
  /** Lines that came, and those that came after their time. */
  readonly lines: number;
  readonly late: number;
  /** Publications that were not read because the viewer is thin, and their bytes before compression. */
  readonly leftOut: number;
  readonly leftOutBytes: number;
}

export interface Batch {
  readonly publications: readonly Publication[];
  readonly source: TransportName | 'cdn';
  /** Shown at joining: said before, not now. */
  readonly past: boolean;
}

export interface Gap {
  /** `keep`: what was missed is not to be had; `drop`: droppables were lost. */
  readonly class: FrameClass;
  /** `slow`: the viewer read too slowly; `shed`: the server sends too much. */
  readonly why: 'resync' | 'interrupted' | 'cdn' | 'slow' | 'shed';
  /** How many publications at least, where that is known. */
  readonly count?: number;
  /** How long it lasted, where it is known. */
  readonly lastedMs?: number;
}

export interface Recovered {
  /** Publications that were missed and came after all. */
  readonly publications: number;
  /** Nothing keepable is missing. */
  readonly whole: boolean;
  readonly outageMs: number;
}

export interface Closed {
  readonly code?: number;
  readonly reason: string;
  readonly message?: string;
}

/** What is heard of a stream, each with its one argument. */
export interface StreamEvents {
  /** Each publication once, own ones at once, as they are to be shown. */
  publication: Publication;
  /** The same publications, as they came together. */
  batch: Batch;
  gap: Gap;
  recovered: Recovered;
  state: State;
  /** Viewers in the room. */
  online: number;
  /** Danmaku the room let go for want of room since the last time. */
  shed: number;
  verdict: SendResult;
  /** One's own danmaku came back: shown already under the id `shown`. */
  echoed: { readonly shown: string; readonly publication: Publication };
  /** Publications taken back; ids under which they were shown. */
  recalled: { readonly ids: readonly string[]; readonly publications: readonly string[] };
  /** The room was joined; `line` is as it came, with attributes, queues, polls and pins. */
  joined: { readonly line: Line };
  /** The attributes of the room, whole. */
  attributes: Readonly<Record<string, unknown>>;
  /** Told by the service, and nothing to do for the page. */
  error: Line;
  closed: Closed;
}

export type FetchLike = (url: string, init?: RequestInit) => Promise<Response>;
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

export interface ConnectOptions {
  /** An edge: `https://host:port`, or several; tried in turn. */
  readonly url?: string | readonly string[];
  /** A dispatch address (`https://studio/v1/dispatch`): edges, and a CDN for when none lets in. */
  readonly dispatch?: string;
  readonly room: string;
  /** A token, or a function that gets one; asked again before it expires and when it is refused. */
  readonly token?: TokenSource;
  /** A position of an earlier stay. */
  readonly since?: Position;
  /** Ways to the edge in order of preference. */
  readonly transports?: readonly TransportName[];
  /** Compressed socket where the platform can (DecompressionStream); default true. */
  readonly compress?: boolean;
  /** Take droppables from the CDN when the room says so; default true. */
  readonly cdn?: boolean;
  /** How much of it; default `auto`. */
  readonly thin?: Thin;
  /** How far behind the room's clock lines of the CDN are shown at most; default 10 s. */
  readonly cdnDelayMaxMs?: number;
  /** Spread what comes at once over up to this time; 0 (default 300): not at all. */
  readonly smoothMs?: number;
  /** How far behind the room's clock the viewer's picture is. */
  readonly delayMs?: number | (() => number);
  /** How often the link is tried when nothing is heard; the edge's own when absent. */
  readonly heartbeatMs?: number;
  /** How long a connection may take to give its first line; default 10 s. */
  readonly connectMs?: number;
  /** How long a lower transport is kept before a better one is tried; default 30 s. */
  readonly upgradeMs?: number;
  /** How long the verdict of a danmaku is waited for; default 20 s. */
  readonly verdictMs?: number;
  /** Platform parts, for where they are missing or doubled in tests. */
  readonly WebSocket?: unknown;
  readonly fetch?: FetchLike;
  readonly clock?: Clock;
  readonly random?: () => number;
}
