/**
 * Owns who is let in before any work is done for them: draining, origin, subprotocol, counts. Pure;
 * used for the WebSocket handshake and, but for the subprotocol, for every HTTP request.
 * Rules: SPEC W-2, E-IN-1.
 */

export const PROTOCOL_JSON = 'barrage.v1+json';
export const PROTOCOL_DEFLATE = 'barrage.v1+deflate';

export interface DoorFacts {
  readonly isDraining: boolean;
  /** Header values; empty when absent. */
  readonly origin: string;
  readonly host: string;
  readonly connections: number;
  readonly connectionsOfAddress: number;
  /** When a newcomer should come again, ms, because few are let in; undefined: now. */
  readonly busyMs?: number | undefined;
}

export interface DoorRules {
  readonly origins: readonly string[];
  readonly connectionsMax: number;
  readonly connectionsPerAddress: number;
}

export const DOOR_REFUSALS = ['draining', 'full', 'busy', 'origin', 'protocol', 'address'] as const;

export interface DoorRefusal {
  readonly why: (typeof DOOR_REFUSALS)[number];
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const TURNED_AWAY: { readonly [W in DoorRefusal['why']]: DoorRefusal & { readonly why: W } } = {
  draining: {
    why: 'draining',
    status: 503,
    code: 'unavailable',
    message: 'this edge is draining',
    retryAfterMs: 1000,
  },
  full: {
    why: 'full',
    status: 503,
    code: 'unavailable',
    message: 'this edge is full',
    retryAfterMs: 5000,
  },
  busy: {
    why: 'busy',
    status: 503,
    code: 'unavailable',
    message: 'this edge has more to send than it should and lets few in',
    retryAfterMs: 1000,
  },
  origin: {
    why: 'origin',
    status: 403,
    code: 'forbidden',
    message: 'pages of this origin may not connect',
  },
  protocol: {
    why: 'protocol',
    status: 400,
    code: 'invalid',
    message: `no known subprotocol; offer ${PROTOCOL_JSON} or ${PROTOCOL_DEFLATE}`,
  },
  address: {
    why: 'address',
    status: 429,
    code: 'rate_limited',
    message: 'too many connections of this address',
    retryAfterMs: 5000,
  },
};

/** The subprotocol to speak (empty: none was offered), and whether it is the compressed one. */
export interface Spoken {
  readonly protocol: string;
  readonly isDeflate: boolean;
}

/** Why an HTTP request is turned away, or undefined. */
export function doorRefusal(facts: DoorFacts, rules: DoorRules): DoorRefusal | undefined {
  if (facts.isDraining) return TURNED_AWAY.draining;
  if (facts.connections >= rules.connectionsMax) return TURNED_AWAY.full;
  if (!isOriginAllowed(facts.origin, facts.host, rules.origins)) return TURNED_AWAY.origin;
  if (facts.connectionsOfAddress >= rules.connectionsPerAddress) return TURNED_AWAY.address;
  const { busyMs } = facts;
  return busyMs === undefined ? undefined : { ...TURNED_AWAY.busy, retryAfterMs: busyMs };
}

/** The subprotocol for a handshake that offered `offered` (the header's value), or the refusal. */
export function chooseProtocol(offered: string): Spoken | DoorRefusal {
  const names = offered
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) return { protocol: '', isDeflate: false };
  const known = names.find((name) => name === PROTOCOL_JSON || name === PROTOCOL_DEFLATE);
  if (known === undefined) return TURNED_AWAY.protocol;
  return { protocol: known, isDeflate: known === PROTOCOL_DEFLATE };
}

/**
 * Whether a page of `origin` may use this edge: there is none (not a browser), it comes from a host
 * of the same name (any port), or it is listed (exactly, or all by `*`).
 */
export function isOriginAllowed(origin: string, host: string, listed: readonly string[]): boolean {
  if (origin === '' || listed.includes('*') || listed.includes(origin)) return true;
  const page = hostName(origin);
  return page !== undefined && page === hostName(`http://${host}`);
}

function hostName(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
