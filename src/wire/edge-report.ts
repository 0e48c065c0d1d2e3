/**
 * Owns what an edge tells of itself on `edgesSubject`: where viewers reach it, how much it carries
 * and whether it takes more. JSON; what is over a bound or no report at all is refused whole.
 */
import { parseRoomId, type EdgeId, type RoomId } from '../ids.js';

export interface EdgeReport {
  readonly edge: EdgeId;
  /** Base of every address viewers use: `https://edge-1.example:443`, without a path. */
  readonly url: string;
  /** Empty: of no region. */
  readonly region: string;
  /** Open connections and requests. */
  readonly viewers: number;
  /** How many of them it takes at most. */
  readonly capacity: number;
  readonly egressBytesPerSecond: number;
  /** CPU time of the process as a share of one core; over 1 where threads help. */
  readonly busy: number;
  /** How late its event loop is. */
  readonly lagMs: number;
  /** Takes no newcomers. */
  readonly draining: boolean;
  /** The last report of an edge that ends. */
  readonly gone?: true;
  /** Unix milliseconds at the edge. */
  readonly at: number;
  /** Its biggest rooms, when they were counted anew; absent: as told before. */
  readonly rooms?: readonly RoomCount[];
}
export type RoomCount = readonly [room: RoomId, viewers: number];

/** An edge not heard of for this long is no longer handed out. */
export const EDGE_FORGET_MS = 3000;
/** Rooms of one report; only these many, and only as big, matter to who spreads viewers. */
export const REPORT_ROOMS_MAX = 32;
export const REPORT_ROOM_VIEWERS_MIN = 50;
/** 32 rooms of 64 characters, an address of 200, and numbers. */
export const REPORT_BYTES_MAX = 8 << 10;

export const REGION_PATTERN = '^[A-Za-z0-9_-]{1,32}$';
/** Scheme, host and port; a path would be ours to choose. */
export const EDGE_URL_PATTERN = '^https?://[A-Za-z0-9._~:\\[\\]-]{1,200}$';
const region = new RegExp(REGION_PATTERN);
const url = new RegExp(EDGE_URL_PATTERN);
const edgeId = /^[A-Za-z0-9_-]{1,64}$/;

const COUNT_MAX = 1e7;
const EGRESS_MAX = 1e13;
const BUSY_MAX = 1024;
const LAG_MS_MAX = 3.6e6;

export function encodeReport(report: EdgeReport): Buffer {
  return Buffer.from(JSON.stringify(report));
}

/** The report, or undefined when the bytes hold none or one out of bounds. Never throws. */
export function decodeReport(bytes: Uint8Array): EdgeReport | undefined {
  if (bytes.byteLength > REPORT_BYTES_MAX) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return undefined;
  }
  return isReport(value) ? value : undefined;
}

function isReport(value: unknown): value is EdgeReport {
  if (typeof value !== 'object' || value === null) return false;
  const given = value as Readonly<Record<keyof EdgeReport, unknown>>;
  return (
    typeof given.edge === 'string' &&
    edgeId.test(given.edge) &&
    isEdgeUrl(given.url) &&
    typeof given.region === 'string' &&
    (given.region === '' || region.test(given.region)) &&
    isWithin(given.viewers, 0, COUNT_MAX) &&
    isWithin(given.capacity, 1, COUNT_MAX) &&
    isWithin(given.egressBytesPerSecond, 0, EGRESS_MAX) &&
    isWithin(given.busy, 0, BUSY_MAX) &&
    isWithin(given.lagMs, 0, LAG_MS_MAX) &&
    typeof given.draining === 'boolean' &&
    (given.gone === undefined || given.gone === true) &&
    isWithin(given.at, 0, Number.MAX_SAFE_INTEGER) &&
    (given.rooms === undefined || isRooms(given.rooms))
  );
}

export function isEdgeUrl(value: unknown): value is string {
  return typeof value === 'string' && url.test(value) && URL.canParse(value);
}

function isRooms(value: unknown): value is readonly RoomCount[] {
  if (!Array.isArray(value) || value.length > REPORT_ROOMS_MAX) return false;
  return (value as unknown[]).every(
    (row) =>
      Array.isArray(row) &&
      row.length === 2 &&
      parseRoomId(row[0]) !== undefined &&
      isWithin(row[1], 1, COUNT_MAX),
  );
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}
