/**
 * Owns the bytes room services exchange about calls: a line of JSON, then the body's bytes as they
 * are. Decoding never throws; what is none of ours is undefined.
 */
import type { RoomId } from '../../../src/ids.js';
import type { Broadcast } from '../../calls/scopes.js';
import type { ErrorBody } from '../errors.js';

/** Bytes of a body in one part: with its head it stays under the 1 MiB a broker carries. */
export const PART_BYTES_MAX = 512 << 10;

export type Ask =
  /** A call of the studio API; `more`: the body is a stream, of which these are the first bytes. */
  | {
      readonly ask: 'call';
      readonly shard: number;
      readonly method: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly more: boolean;
    }
  /** The next bytes of a body. */
  | { readonly ask: 'send'; readonly ticket: string; readonly more: boolean }
  /** The next bytes of an answer. */
  | { readonly ask: 'take'; readonly ticket: string }
  /** Whoever asked has gone. */
  | { readonly ask: 'drop'; readonly ticket: string }
  /** What a service owns and knows. */
  | { readonly ask: 'owned' }
  | { readonly ask: 'online'; readonly rooms: readonly RoomId[] }
  | { readonly ask: 'broadcast'; readonly broadcast: Broadcast; readonly shards: readonly number[] }
  | { readonly ask: 'delivery'; readonly id: string };

export type Told =
  /** The whole answer, or its first bytes and the ticket for the rest. */
  | {
      readonly told: 'reply';
      readonly status: number;
      readonly headers: Readonly<Record<string, string | readonly string[]>>;
      /** The owner lost the shard while it worked on the call. */
      readonly moved: boolean;
      readonly ticket?: string;
      readonly member: string;
    }
  | { readonly told: 'send'; readonly ticket: string; readonly member: string }
  | { readonly told: 'part'; readonly more: boolean }
  /** Nothing was begun: another owns the shard. */
  | { readonly told: 'not_mine' }
  /** Nothing was begun: too much is under way. */
  | { readonly told: 'busy' }
  /** No such ticket, or no such question. */
  | { readonly told: 'gone' }
  | { readonly told: 'value'; readonly value: unknown }
  | { readonly told: 'error'; readonly error: ErrorBody };

export interface Parcel<T> {
  readonly head: T;
  readonly bytes: Buffer;
}

const NOTHING = Buffer.alloc(0);
const LINE_FEED = 10;

export function pack(head: Ask | Told, bytes: Uint8Array = NOTHING): Buffer {
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  return bytes.byteLength === 0 ? line : Buffer.concat([line, bytes]);
}

export function unpackAsk(bytes: Uint8Array): Parcel<Ask> | undefined {
  const parcel = unpack<Ask>(bytes);
  return parcel !== undefined && isAsk(parcel.head) ? parcel : undefined;
}

export function unpackTold(bytes: Uint8Array): Parcel<Told> | undefined {
  const parcel = unpack<Told>(bytes);
  return typeof parcel?.head.told === 'string' ? parcel : undefined;
}

function unpack<T>(bytes: Uint8Array): Parcel<T> | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = all.indexOf(LINE_FEED);
  if (end < 0) return undefined;
  try {
    const head = JSON.parse(all.toString('utf8', 0, end)) as T | null;
    if (typeof head !== 'object' || head === null) return undefined;
    return { head, bytes: all.subarray(end + 1) };
  } catch {
    return undefined;
  }
}

/** The bus is trusted, its bytes may still be of another version. */
function isAsk(head: Partial<Record<string, unknown>>): boolean {
  switch (head['ask']) {
    case 'call':
      return (
        Number.isSafeInteger(head['shard']) &&
        typeof head['method'] === 'string' &&
        typeof head['url'] === 'string' &&
        head['url'].startsWith('/') &&
        typeof head['headers'] === 'object' &&
        head['headers'] !== null
      );
    case 'send':
    case 'take':
    case 'drop':
      return typeof head['ticket'] === 'string';
    case 'owned':
      return true;
    case 'online':
      return Array.isArray(head['rooms']);
    case 'broadcast':
      return Array.isArray(head['shards']) && typeof head['broadcast'] === 'object';
    case 'delivery':
      return typeof head['id'] === 'string';
    default:
      return false;
  }
}
