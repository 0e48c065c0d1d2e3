/** Owns the settings of the bus over NATS: where the servers are, who we are, the bounds. */

const DEFAULT_PORT = 4222;

export interface NatsTls {
  /** Connections without TLS are refused. */
  readonly enabled: boolean;
  /** Files in PEM; empty: the system's authorities, no certificate of our own. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface NatsBusOptions {
  /** `nats://host:port`, `tls://host:port` or `host:port`; one or more of one cluster. */
  readonly servers: readonly string[];
  /** Shown in the servers' own monitoring. */
  readonly name: string;
  readonly user: string;
  readonly password: string;
  readonly token: string;
  /** File with a user's JWT and seed (`.creds`), or with a bare nkey seed; read at each connect. */
  readonly credentials: string;
  readonly tls: NatsTls;
  /**
   * What was published and not yet confirmed by the server. Publishes, requests and answers are
   * each held to it, so a dead server holds three times as much at most.
   */
  readonly pendingItemsMax: number;
  readonly pendingBytesMax: number;
  /** What arrived and waits to be delivered; one subscription may hold half of it. */
  readonly inboundItemsMax: number;
  readonly inboundBytesMax: number;
  /** A server not heard of for this long is left for another, milliseconds. */
  readonly staleMs: number;
  /** Longest wait for a server to greet, and then to let us in, milliseconds. */
  readonly dialMs: number;
}

export const DEFAULT_NATS: NatsBusOptions = {
  servers: ['nats://127.0.0.1:4222'],
  name: 'barrage',
  user: '',
  password: '',
  token: '',
  credentials: '',
  tls: { enabled: false, ca: '', cert: '', key: '' },
  pendingItemsMax: 50_000,
  pendingBytesMax: 16 << 20,
  inboundItemsMax: 100_000,
  inboundBytesMax: 64 << 20,
  staleMs: 2000,
  dialMs: 1500,
};

export interface NatsTarget {
  readonly host: string;
  readonly port: number;
  /** The name its certificate must show; the host itself for an address. */
  readonly tlsName: string;
}

export const NATS_SERVER_RULE = 'a server (nats://host:port, tls://host:port or host:port)';
const SERVER = /^(?:(?:nats|tls):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/;

/** Undefined when the text names no server. */
export function parseNatsServer(text: string): NatsTarget | undefined {
  const found = SERVER.exec(text);
  if (found === null) return undefined;
  const host = found[1]!.replace(/^\[|\]$/g, '');
  const port = Number(found[2] ?? DEFAULT_PORT);
  return port < 1 || port > 65_535 ? undefined : { host, port, tlsName: host };
}
