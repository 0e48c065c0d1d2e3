/**
 * Owns what pushers, edges and room services tell each other about CDNs besides files: which shards
 * are being written, how viewers fare with each CDN, and the table of CDNs in force. JSON; what is
 * over a bound or malformed is refused whole.
 */
import { Type, type Static } from '@sinclair/typebox';
import { DELAY_STEPS } from './cdn-delays.js';
import { REGION_PATTERN } from './edge-report.js';
import { compileSchema, type ValidateFunction } from './validator.js';

/** CDNs at once; their URLs are told to each viewer. */
export const CDNS_MAX = 8;
export const CDN_ID_PATTERN = '^[A-Za-z0-9_-]{1,32}$';
export const CDN_URL_PATTERN = '^https?://[^\\s@#?]{1,180}/$';
const MBPS_MAX = 1e8;

/** A CDN as an operator configures it. */
export const CdnSpecSchema = Type.Object(
  {
    id: Type.String({ pattern: CDN_ID_PATTERN }),
    url: Type.String({ pattern: CDN_URL_PATTERN, description: 'Ends in /' }),
    weight: Type.Integer({
      minimum: 0,
      maximum: 100,
      description: 'Share wished for among all; 0: only when all others fail',
    }),
    guaranteedMbps: Type.Optional(
      Type.Number({ minimum: 0, maximum: MBPS_MAX, description: 'Paid for anyway; 0: not told' }),
    ),
    maxMbps: Type.Optional(
      Type.Number({ minimum: 0, maximum: MBPS_MAX, description: 'Carried at most; 0: not told' }),
    ),
    regions: Type.Optional(
      Type.Array(Type.String({ pattern: REGION_PATTERN }), {
        maxItems: 64,
        uniqueItems: true,
        description: 'Only viewers of these read from it; none: all',
      }),
    ),
    notRegions: Type.Optional(
      Type.Array(Type.String({ pattern: REGION_PATTERN }), {
        maxItems: 64,
        uniqueItems: true,
        description: 'Viewers of these never read from it',
      }),
    ),
  },
  { additionalProperties: false },
);
export interface CdnSpec {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  readonly guaranteedMbps?: number;
  readonly maxMbps?: number;
  readonly regions?: readonly string[];
  readonly notRegions?: readonly string[];
}

/** Whether an operator lets viewers of a region read from it; of no region: ''. */
export function isOpenTo({ regions = [], notRegions = [] }: CdnSpec, region: string): boolean {
  return (regions.length === 0 || regions.includes(region)) && !notRegions.includes(region);
}

/**
 * From each pusher every `CDN_BEAT_MS`: the shards it has the lease of and whose origin takes what it
 * writes. A shard unheard of for `CDN_BEAT_FORGET_MS` is written by nobody. One that is about to end with
 * nobody to take over says so at once (`isLast`), and writes on until the rooms have turned away from it,
 * at most `CDN_LEAVE_MS`: rooms look once a second, and have their viewers' time (`CDN_LINGER_MS`) after.
 */
export const CDN_BEAT_MS = 1000;
export const CDN_BEAT_FORGET_MS = 3500;
export const CDN_LEAVE_MS = 8000;
const BeatSchema = Type.Object({
  member: Type.String({ maxLength: 128 }),
  shards: Type.Array(Type.Integer({ minimum: 0, maximum: 1023 }), { maxItems: 1024 }),
  isLast: Type.Optional(Type.Boolean()),
});
export type CdnBeat = Static<typeof BeatSchema>;

const Count = Type.Integer({ minimum: 0, maximum: 1e12 });
/** What viewers of one edge reported of one CDN since the edge told it last. */
const SumSchema = Type.Object({
  source: Type.String({ pattern: CDN_ID_PATTERN }),
  /** Reports in the sums. */
  reports: Count,
  ok: Count,
  failed: Count,
  missed: Count,
  /** Bytes of files before compression. */
  bytes: Count,
  /** Sum of the delays of reports that had one, and their number. */
  delayMs: Count,
  delays: Count,
  /** How many of them by step (cdn-delays.ts). */
  delaySteps: Type.Optional(Type.Array(Count, { minItems: DELAY_STEPS, maxItems: DELAY_STEPS })),
});
export type CdnSum = Static<typeof SumSchema>;
const SumsSchema = Type.Object({
  edge: Type.String({ maxLength: 64 }),
  region: Type.String({ maxLength: 32 }),
  sums: Type.Array(SumSchema, { maxItems: 64 }),
});
/** From each edge every `CDN_SUMS_MS` in which anything was reported. */
export type CdnSums = Static<typeof SumsSchema>;
export const CDN_SUMS_MS = 1000;

const Share = Type.Number({ minimum: 0, maximum: 1 });
const EntrySchema = Type.Object({
  spec: Type.Unsafe<CdnSpec>(CdnSpecSchema),
  /** 0-100, for viewers of no particular region. */
  weight: Type.Integer({ minimum: 0, maximum: 100 }),
  /** Regions with a weight of their own. */
  regions: Type.Record(Type.String({ maxLength: 32 }), Type.Integer({ minimum: 0, maximum: 100 })),
  /** How viewers fared lately: requests that worked, delay, bandwidth; of none `requests` is 0. */
  seen: Type.Object({
    requests: Count,
    ok: Share,
    delayMs: Type.Number({ minimum: 0 }),
    mbps: Type.Number({ minimum: 0 }),
    /** Of the last minute: delay of the slowest tenth, share of segments missed; absent: too few reports. */
    slowMs: Type.Optional(Type.Number({ minimum: 0 })),
    missed: Type.Optional(Share),
  }),
  state: Type.String({ maxLength: 16 }),
});
export type CdnEntry = Static<typeof EntrySchema>;
/**
 * From the owner of the table to all room services, every `CDN_TABLE_MS` and at each change. One of a
 * lower `epoch`, or of the same with a lower `version`, is old.
 */
const TableSchema = Type.Object({
  epoch: Count,
  version: Count,
  /** Whether the table was set by an operator at run time; else it is the configuration's. */
  isOwn: Type.Boolean(),
  entries: Type.Array(EntrySchema, { maxItems: CDNS_MAX }),
});
export type CdnTable = Static<typeof TableSchema>;
export const CDN_TABLE_MS = 1000;

const validBeat = compileSchema(BeatSchema);
const validSums = compileSchema(SumsSchema);
const validTable = compileSchema(TableSchema);

/** Each answers undefined for what is none. */
export const decodeBeat = (bytes: Uint8Array) => decode<CdnBeat>(bytes, validBeat);
export const decodeSums = (bytes: Uint8Array) => decode<CdnSums>(bytes, validSums);
export const decodeTable = (bytes: Uint8Array) => decode<CdnTable>(bytes, validTable);

function decode<T>(bytes: Uint8Array, validate: ValidateFunction): T | undefined {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
    );
    return validate(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
