/**
 * Owns the one table of settings: name, default, bounds and reason of each key of the file, its
 * environment variable and its flag. Relations between keys are in relations.ts.
 */
import { TOKEN_SECRET_BYTES_MIN } from '../tokens.js';
import type { TokenKey } from '../tokens.js';
import * as leaf from './leaves.js';
import type { Leaf } from './leaves.js';
import { CALLBACK_SECTION, WORDS_SECTION } from './callback-section.js';
import { DISPATCH_SECTION, EDGE_REPORT_LEAVES } from './dispatch-section.js';
import { EDGE_LOAD_LEAVES } from './edge-load-section.js';
import { CDN_SECTION } from './cdn-section.js';
import { NATS_SECTION } from './nats-section.js';
import { REDIS_SECTION } from './redis-section.js';
import { ROOM_SECTION } from './room-section.js';

const RESTART = { restart: true } as const;
const HOST = { pattern: /^[A-Za-z0-9.:_-]{1,255}$/, rule: 'an address or host name' };
const ORIGIN = {
  pattern: /^(https?:\/\/[^/\s]+|\*)$/,
  rule: 'an origin (https://example.com, without a path) or *',
};
const ID = /^[A-Za-z0-9_.-]{1,64}$/;
const ID_RULE = '1-64 of A-Z a-z 0-9 _ . -';
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** A key that opens the studio API. */
export interface StudioKey {
  readonly id: string;
  readonly secret: string;
}

/** A room that is made when it does not exist. */
export interface RoomEntry {
  readonly room: string;
  readonly title?: string;
}

export const TABLE = {
  edge: {
    host: leaf.text('0.0.0.0', 'address viewers connect to', HOST, RESTART),
    port: leaf.whole(8080, [0, 65_535], 'port viewers connect to, 0 takes a free one', RESTART),
    origins: leaf.texts(
      [],
      'pages (origins) that may connect besides those of this host; * for all',
      ORIGIN,
    ),
    connectionsPerAddress: leaf.whole(1000, [1, 10_000_000], 'connections of one address'),
    connectionsPerUser: leaf.whole(5, [1, 10_000], 'connections of one user, the oldest goes'),
    connectionsMax: leaf.whole(18_000, [1, 10_000_000], 'connections of this process'),
    heartbeat: leaf.duration('25s', ['1s', '5m'], 'how often a viewer is to be heard of'),
    idle: leaf.duration('60s', ['8s', '15m'], 'a viewer silent for this long is closed'),
    softMark: leaf.size('64KiB', ['4KiB', '64MiB'], 'bytes waiting from which frames are skipped'),
    hardMark: leaf.size('1MiB', ['256KiB', '256MiB'], 'bytes waiting at which a viewer is closed'),
    busyShare: leaf.number(0.7, [0.05, 1], 'share of a core that fan-out may take'),
    paceMax: leaf.duration('1s', ['20ms', '10s'], 'longest time between two flushes'),
    linger: leaf.duration('30s', ['0s', '1h'], 'a room without viewers is still listened to'),
    reconnectJitter: leaf.duration('2s', ['0s', '5m'], 'viewers come back spread over this time'),
    trustProxy: leaf.flag(false, 'take the address of a viewer from X-Forwarded-For'),
    ...EDGE_LOAD_LEAVES,
    ...EDGE_REPORT_LEAVES,
  },
  studio: {
    host: leaf.text('0.0.0.0', 'address of API, pages and metrics', HOST, RESTART),
    port: leaf.whole(
      8081,
      [0, 65_535],
      'port of API, pages and metrics, 0 for a free one',
      RESTART,
    ),
    keys: leaf.entries<StudioKey>(
      [],
      {
        id: leaf.textField(ID, ID_RULE),
        secret: leaf.textField(/^[\x21-\x7e]{16,512}$/, '16-512 characters without spaces', true),
      },
      'keys of the API; an empty list means one made at first start and kept in the data folder',
    ),
    requestsPerSecond: leaf.whole(2000, [1, 1_000_000], 'API calls of one key per second', RESTART),
  },
  tokens: {
    audience: leaf.text('barrage', 'who viewer tokens are for (claim aud)', {
      pattern: /^[\x21-\x7e]{1,200}$/,
      rule: '1-200 characters without spaces',
    }),
    keys: leaf.entries<TokenKey>(
      [],
      {
        kid: leaf.textField(ID, ID_RULE),
        secret: leaf.textField(
          new RegExp(`^[\\x21-\\x7e]{${TOKEN_SECRET_BYTES_MIN},1024}$`),
          `${TOKEN_SECRET_BYTES_MIN}-1024 characters without spaces`,
          true,
        ),
      },
      'keys of viewer tokens, the first signs; an empty list means one made at first start',
    ),
    ttl: leaf.duration('12h', ['1m', '30d'], 'how long a new token is good for', RESTART),
  },
  room: ROOM_SECTION,
  rooms: {
    create: leaf.entries<RoomEntry>(
      [{ room: 'lobby', title: 'Lobby' }],
      {
        room: leaf.textField(/^[A-Za-z0-9_-]{1,64}$/, 'a room id, 1-64 of A-Z a-z 0-9 _ -'),
        title: leaf.textField(/^[^\p{Cc}]{1,200}$/u, '1-200 printable characters'),
      },
      'rooms made at start when they do not exist',
      { optional: ['title'], mark: RESTART },
    ),
    lease: leaf.duration('2s', ['500ms', '1m'], 'a lost owner is replaced after this', RESTART),
    parkAfter: leaf.duration('10m', ['1s', '7d'], 'a room unused for this leaves memory', RESTART),
  },
  callbacks: CALLBACK_SECTION,
  words: WORDS_SECTION,
  dispatch: DISPATCH_SECTION,
  data: {
    folder: leaf.text(
      './data',
      'where the embedded store and the keys made at first start are kept',
      { pattern: /^[^\p{Cc}]{1,1000}$/u, rule: 'a path' },
      RESTART,
    ),
  },
  store: leaf.choice(
    'embedded',
    ['embedded', 'memory', 'redis'],
    'embedded: files in the data folder; memory: gone at exit; redis: shared by many processes',
    RESTART,
  ),
  redis: REDIS_SECTION,
  bus: leaf.choice(
    'memory',
    ['memory', 'nats'],
    'what carries between rooms and edges; memory: within one process; nats: between many',
    RESTART,
  ),
  nats: NATS_SECTION,
  cdn: CDN_SECTION,
  log: {
    level: leaf.choice('info', LEVELS, 'least important line that is written'),
  },
  drain: {
    window: leaf.duration('5s', ['0s', '1h'], 'viewers are sent away over this time at the end'),
  },
} as const;

export interface Section {
  readonly [name: string]: Leaf<never> | Section;
}

type Values<T> = T extends Leaf<infer V> ? V : { readonly [K in keyof T]: Values<T[K]> };

/** Every setting under its name of the file; durations in milliseconds, sizes in bytes. */
export type Settings = Values<typeof TABLE>;

export function isLeaf(entry: Leaf<never> | Section): entry is Leaf<never> {
  return entry['leaf'] === true;
}

export interface NamedLeaf {
  /** Dotted, as in the file: `edge.port`. */
  readonly path: string;
  readonly leaf: Leaf<unknown>;
}

function leavesOf(section: Section, prefix: string): NamedLeaf[] {
  return Object.entries(section).flatMap(([name, entry]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return isLeaf(entry)
      ? [{ path, leaf: entry as unknown as Leaf<unknown> }]
      : leavesOf(entry, path);
  });
}

/** Every key, in the order of the table. */
export const LEAVES: readonly NamedLeaf[] = leavesOf(TABLE as unknown as Section, '');
