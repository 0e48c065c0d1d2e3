/** Owns the `nats:` section of the file: the bus that many processes share. */
import {
  DEFAULT_NATS,
  NATS_SERVER_RULE,
  parseNatsServer,
  type NatsBusOptions,
  type NatsTls,
} from '../nats-settings.js';
import * as leaf from './leaves.js';
import { formatDuration, formatSize } from './units.js';

const RESTART = { restart: true } as const;
const SERVER = { pattern: /^[\x21-\x7e]{1,300}$/, rule: NATS_SERVER_RULE };
const NAME = { pattern: /^[\x20-\x7e]{1,100}$/, rule: '1-100 printable characters' };
const USER = { pattern: /^[\x21-\x7e]{0,200}$/, rule: 'up to 200 characters without spaces' };
const SECRET = { pattern: /^[^\p{Cc}]{0,512}$/u, rule: 'up to 512 characters' };
const PATH = { pattern: /^[^\p{Cc}]{0,1000}$/u, rule: 'a path, or empty' };
const own = DEFAULT_NATS;
const ms = formatDuration;

/** What waits in one direction. */
const bounds = (
  [count, bytes]: readonly [number, number],
  [countAbout, bytesAbout]: readonly [string, string],
) => ({
  count: leaf.whole(count, [100, 10_000_000], countAbout, RESTART),
  bytes: leaf.size(formatSize(bytes), ['1MiB', '4GiB'], bytesAbout, RESTART),
});

export const NATS_SECTION = {
  servers: leaf.texts(own.servers, 'one or more servers of one cluster', SERVER, RESTART),
  name: leaf.text(own.name, "shown in the servers' own monitoring", NAME, RESTART),
  user: leaf.text(own.user, 'empty: none is told', USER, RESTART),
  password: leaf.secret('needs a user', SECRET, RESTART),
  token: leaf.secret('instead of user and password', SECRET, RESTART),
  credentials: leaf.text(
    own.credentials,
    'a .creds file or a file with an nkey seed, instead of user, password and token',
    PATH,
    RESTART,
  ),
  tls: {
    enabled: leaf.flag(own.tls.enabled, 'servers without TLS are refused', RESTART),
    ca: leaf.text(
      own.tls.ca,
      "file with the authorities that signed the servers' certificates; empty: those of the system",
      PATH,
      RESTART,
    ),
    cert: leaf.text(own.tls.cert, 'file with our own certificate', PATH, RESTART),
    key: leaf.text(own.tls.key, 'file with its key', PATH, RESTART),
  },
  pending: bounds(
    [own.pendingItemsMax, own.pendingBytesMax],
    [
      'publishes the server has not confirmed, requests and answers likewise; more are refused',
      'their bytes; no more than the network carries in a second',
    ],
  ),
  inbound: bounds(
    [own.inboundItemsMax, own.inboundBytesMax],
    ['what arrived and waits for its subscriber; more is dropped and counted', 'its bytes'],
  ),
  stale: leaf.duration(
    ms(own.staleMs),
    ['500ms', '1m'],
    'a server not heard of for this long is left for another',
    RESTART,
  ),
  connectTimeout: leaf.duration(
    ms(own.dialMs),
    ['100ms', '30s'],
    'a server has this long to let us in',
    RESTART,
  ),
} as const;

interface BoundValues {
  readonly count: number;
  readonly bytes: number;
}

interface NatsValues {
  readonly servers: readonly string[];
  readonly name: string;
  readonly user: string;
  readonly password: string;
  readonly token: string;
  readonly credentials: string;
  readonly tls: NatsTls;
  readonly pending: BoundValues;
  readonly inbound: BoundValues;
  readonly stale: number;
  readonly connectTimeout: number;
}

export function toNatsConfig(section: NatsValues): NatsBusOptions {
  const { pending, inbound, stale, connectTimeout, ...plain } = section;
  return {
    ...plain,
    pendingItemsMax: pending.count,
    pendingBytesMax: pending.bytes,
    inboundItemsMax: inbound.count,
    inboundBytesMax: inbound.bytes,
    staleMs: stale,
    dialMs: connectTimeout,
  };
}

interface Flaw {
  readonly path: string;
  readonly message: string;
  readonly against?: string;
}

/** What must hold between its keys, told at one of them. */
export function natsFlaws(section: NatsValues): Flaw[] {
  const { servers, user, password, token, credentials, tls } = section;
  const flaws: Flaw[] = [];
  const unless = (holds: boolean, path: string, message: string, against: string) => {
    if (!holds) flaws.push({ path: `nats.${path}`, message, against: `nats.${against}` });
  };
  if (servers.length === 0) {
    flaws.push({ path: 'nats.servers', message: 'must name at least one server' });
  }
  servers.forEach((server, i) => {
    if (parseNatsServer(server) !== undefined) return;
    flaws.push({ path: `nats.servers.${i}`, message: `must be ${NATS_SERVER_RULE}` });
  });
  unless(password === '' || user !== '', 'password', 'needs nats.user', 'user');
  unless(token === '' || user === '', 'token', 'cannot be used with nats.user', 'user');
  for (const [name, other] of Object.entries({ user, token })) {
    const isAlone = credentials === '' || other === '';
    unless(isAlone, 'credentials', `cannot be used with nats.${name}`, name);
  }
  const { enabled, ca, cert, key } = tls;
  for (const [name, file] of Object.entries({ ca, cert, key })) {
    unless(file === '' || enabled, `tls.${name}`, 'is of no use without nats.tls', 'tls.enabled');
  }
  unless((cert === '') === (key === ''), 'tls.cert', 'needs nats.tls.key, and it this', 'tls.key');
  return flaws;
}
