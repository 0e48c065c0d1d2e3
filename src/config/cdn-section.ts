/** Owns the `cdn:` section of the file (the pusher and where it writes to) and its form in the code. */
import { CDN_ID_PATTERN, CDN_URL_PATTERN, CDNS_MAX, type CdnSpec } from '../wire/cdn-state.js';
import { REGION_PATTERN } from '../wire/edge-report.js';
import * as leaf from './leaves.js';

const RESTART = { restart: true } as const;
const PATH = { pattern: /^[^\p{Cc}]{1,1000}$/u, rule: 'a path' };
const FOLDER_URL = {
  pattern: /^(https?:\/\/[^\s@#?]{1,2000}\/)?$/,
  rule: 'an address (http or https) that ends in /',
};
const SERVER_URL = {
  pattern: /^(https?:\/\/[^\s@#?]{1,2000})?$/,
  rule: 'an address (http or https)',
};
const SECRET = { pattern: /^[\x20-\x7e]{0,2000}$/, rule: 'up to 2000 printable characters' };
const NAME = { pattern: /^[A-Za-z0-9._-]{0,255}$/, rule: 'up to 255 of A-Z a-z 0-9 . _ -' };
const PREFIX = { pattern: /^([A-Za-z0-9._/-]{1,500}\/)?$/, rule: 'a path that ends in /' };
const KINDS = /^[a-z][a-z0-9_.-]{0,31}$/;
const PRIORITIES = ['first', 'second', 'third'] as const;
type PriorityWord = (typeof PRIORITIES)[number];

const MBPS = leaf.leafField(leaf.number(0, [0, 1e8], 'Mbit/s'));
const REGION = { pattern: new RegExp(REGION_PATTERN), rule: '1-32 of A-Z a-z 0-9 _ -' };

export const CDN_SECTION = {
  pusher: leaf.flag(false, 'barrage all writes files too; needed for `cdn` of rooms', RESTART),
  poll: leaf.duration('1s', ['200ms', '1m'], 'how often viewers ask for the manifest', RESTART),
  sources: leaf.entries<CdnSpec>(
    [],
    {
      id: leaf.textField(new RegExp(CDN_ID_PATTERN), '1-32 of A-Z a-z 0-9 _ -'),
      url: leaf.textField(new RegExp(CDN_URL_PATTERN), 'an address (http or https), ends in /'),
      weight: leaf.leafField(leaf.whole(1, [0, 100], 'share')),
      guaranteedMbps: MBPS,
      maxMbps: MBPS,
      regions: leaf.leafField(leaf.texts([], '', REGION)),
      notRegions: leaf.leafField(leaf.texts([], '', REGION)),
    },
    'CDNs viewers read from, until others are set by PUT /v1/cdns; none: no room is on a CDN',
    { optional: ['guaranteedMbps', 'maxMbps', 'regions', 'notRegions'], most: CDNS_MAX },
  ),
  quality: {
    delay: leaf.duration(
      '500ms',
      ['100ms', '30s'],
      'the slowest tenth of a CDN may be so much later than that of the best; beyond it loses viewers',
    ),
    missed: leaf.number(0.02, [0, 1], 'share of segments missed beyond that of the best, likewise'),
    least: leaf.number(0.25, [0.05, 1], 'share of its weight the worst keeps; 1: neither counts'),
  },
  origin: leaf.choice(
    'directory',
    ['directory', 'http', 's3'],
    'where the pusher writes: a folder, a server that takes PUT, or a bucket',
    RESTART,
  ),
  directory: {
    folder: leaf.text('./data/cdn', 'folder that a web server serves', PATH, RESTART),
  },
  http: {
    url: leaf.text('', 'where files are put; needed with origin http', FOLDER_URL, RESTART),
    authorization: leaf.secret('value of the Authorization header; empty: none', SECRET),
  },
  s3: {
    bucket: leaf.text('', 'needed with origin s3', NAME, RESTART),
    region: leaf.text('us-east-1', 'region of the bucket', NAME, RESTART),
    endpoint: leaf.text('', 'empty: AWS', SERVER_URL, RESTART),
    prefix: leaf.text('', 'before every name', PREFIX, RESTART),
    accessKey: leaf.secret("empty: the environment's or the machine's own", SECRET),
    secretKey: leaf.secret('of the access key', SECRET),
    pathStyle: leaf.flag(false, 'bucket in the path instead of the host name', RESTART),
    encoding: leaf.choice(
      'gzip',
      ['gzip', 'br', 'plain'],
      'the one form that is stored and all get; plain where the CDN compresses',
      RESTART,
    ),
  },
  segment: {
    age: leaf.duration('1s', ['200ms', '30s'], 'a segment ends at multiples of this', RESTART),
    lead: leaf.duration(
      '150ms',
      ['0ms', '1s'],
      'and closes this long before, to be there',
      RESTART,
    ),
    count: leaf.whole(2000, [1, 100_000], 'or with so many publications', RESTART),
    bytes: leaf.size('1MiB', ['1KiB', '8MiB'], 'or with so many bytes', RESTART),
  },
  window: leaf.duration('10s', ['2s', '5m'], 'the manifest names a segment this long', RESTART),
  retention: leaf.duration('60s', ['5s', '1h'], 'then it is deleted after this', RESTART),
  priorities: leaf.wordMap<PriorityWord>(
    { combo: 'first', like: 'first', emoji: 'first', poll: 'first', enter: 'first' },
    PRIORITIES,
    KINDS,
    'where kinds stand in a segment; others: the lane normal second, the lane low third',
  ),
  backlog: {
    count: leaf.whole(60, [1, 10_000], 'segments of a room that wait for the origin', RESTART),
    bytes: leaf.size('16MiB', ['64KiB', '1GiB'], 'their bytes', RESTART),
    totalBytes: leaf.size('256MiB', ['1MiB', '16GiB'], 'bytes that wait, of all rooms', RESTART),
  },
  deadline: leaf.duration('5s', ['100ms', '1m'], 'for one operation at the origin', RESTART),
  retries: leaf.whole(2, [0, 10], 'repeats of an operation within that', RESTART),
  concurrency: leaf.whole(32, [1, 1000], 'operations at the origin at once', RESTART),
  lease: leaf.duration('2s', ['500ms', '1m'], 'a lost pusher is replaced after this', RESTART),
} as const;

interface CdnValues {
  readonly pusher: boolean;
  readonly poll: number;
  readonly sources: readonly CdnSpec[];
  readonly quality: { readonly delay: number; readonly missed: number; readonly least: number };
  readonly origin: CdnConfig['origin'];
  readonly directory: { readonly folder: string };
  readonly http: { readonly url: string; readonly authorization: string };
  readonly s3: CdnConfig['s3'];
  readonly segment: {
    readonly age: number;
    readonly lead: number;
    readonly count: number;
    readonly bytes: number;
  };
  readonly window: number;
  readonly retention: number;
  readonly priorities: Readonly<Record<string, PriorityWord>>;
  readonly backlog: CdnConfig['backlog'];
  readonly deadline: number;
  readonly retries: number;
  readonly concurrency: number;
  readonly lease: number;
}

export interface CdnConfig {
  /** Whether the whole service in one process has a pusher. */
  readonly pusher: boolean;
  readonly pollMs: number;
  readonly sources: readonly CdnSpec[];
  /** How much worse than the best a CDN may be, and what it keeps of its weight. */
  readonly quality: {
    readonly delayMs: number;
    readonly missed: number;
    readonly least: number;
  };
  readonly origin: 'directory' | 'http' | 's3';
  readonly directory: { readonly folder: string };
  readonly http: { readonly url: string; readonly authorization: string };
  readonly s3: {
    readonly bucket: string;
    readonly region: string;
    readonly endpoint: string;
    readonly prefix: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly pathStyle: boolean;
    readonly encoding: 'gzip' | 'br' | 'plain';
  };
  readonly segmentMs: number;
  readonly leadMs: number;
  readonly segmentCount: number;
  readonly segmentBytes: number;
  readonly windowMs: number;
  readonly retentionMs: number;
  /** Place of a kind: 0 comes first. */
  readonly kinds: Readonly<Record<string, 0 | 1 | 2>>;
  readonly backlog: {
    readonly count: number;
    readonly bytes: number;
    readonly totalBytes: number;
  };
  readonly deadlineMs: number;
  readonly retries: number;
  readonly concurrency: number;
  readonly leaseMs: number;
}

const PLACES = { first: 0, second: 1, third: 2 } as const satisfies Record<PriorityWord, 0 | 1 | 2>;

export function toCdnConfig(section: CdnValues): CdnConfig {
  const { origin, directory, http, s3, backlog, retries, concurrency } = section;
  const { delay: delayMs, missed, least } = section.quality;
  const kinds = Object.entries(section.priorities).map(([kind, word]) => [kind, PLACES[word]]);
  return {
    ...{ origin, directory, http, s3, backlog, retries, concurrency },
    ...{ pusher: section.pusher, pollMs: section.poll, sources: section.sources },
    quality: { delayMs, missed, least },
    segmentMs: section.segment.age,
    leadMs: section.segment.lead,
    segmentCount: section.segment.count,
    segmentBytes: section.segment.bytes,
    windowMs: section.window,
    retentionMs: section.retention,
    kinds: Object.fromEntries(kinds) as CdnConfig['kinds'],
    deadlineMs: section.deadline,
    leaseMs: section.lease,
  };
}
