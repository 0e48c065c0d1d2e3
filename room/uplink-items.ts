/**
 * Owns the checks on what edges bring: a batch is JSON of ours, yet nothing in it is believed that
 * could break a serializer, a bus subject or a record name. Never throws.
 */
import { parseRoomId, parseUserId, type RoomId } from '../src/ids.js';
import {
  COMMAND_BYTES_MAX,
  TEXT_BYTES_HARD_MAX,
  UPLINK_BATCH_BYTES_MAX,
  UPLINK_BATCH_ITEMS_MAX,
} from '../src/limits.js';
import { decodeJson, type UplinkItem } from '../src/wire/internal.js';
import type { Speaker, Style } from '../src/words.js';
import type { Arrival } from './core/types.js';
import type { EdgeSender } from './senders.js';

export interface ReadBatch {
  readonly edge: string;
  readonly seq: number;
  /** Unix milliseconds at the edge when the batch left. */
  readonly at: number;
  readonly items: readonly unknown[];
}

export interface ReadItem {
  readonly room: RoomId;
  readonly arrival: Arrival & { readonly ref: EdgeSender };
}

/** A batch of full size whose last danmaku was the largest possible. */
const BATCH_BYTES_MAX = UPLINK_BATCH_BYTES_MAX + 2 * COMMAND_BYTES_MAX;
/** Edge ids become part of a bus subject. */
const edgePattern = /^[A-Za-z0-9_-]{1,64}$/;
const colorPattern = /^#[0-9a-fA-F]{6}$/;
const kindPattern = /^[a-z][a-z0-9_.-]{0,31}$/;
const ROLES: readonly unknown[] = ['guest', 'member', 'moderator', 'host'];
const MODES: readonly unknown[] = ['scroll', 'top', 'bottom'];

/** The batch in these bytes, its items still unread; undefined when there is none. */
export function readBatch(bytes: Uint8Array): ReadBatch | undefined {
  if (bytes.byteLength > BATCH_BYTES_MAX) return undefined;
  let value: Partial<ReadBatch> | null;
  try {
    value = decodeJson<Partial<ReadBatch> | null>(bytes);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { edge, seq, at, items } = value;
  if (typeof edge !== 'string' || !edgePattern.test(edge)) return undefined;
  if (!Number.isSafeInteger(seq) || !Array.isArray(items)) return undefined;
  if (items.length > UPLINK_BATCH_ITEMS_MAX) return undefined;
  return { edge, seq: seq as number, at: typeof at === 'number' ? at : NaN, items };
}

/** The ref of an item that is otherwise broken, so that its sender can be told. */
export function refOf(item: unknown): number | undefined {
  const ref = (item as Partial<UplinkItem> | null)?.ref;
  return Number.isSafeInteger(ref) ? ref : undefined;
}

/** The danmaku of an item, or undefined when it is not sound. */
export function readItem(item: unknown, edge: string, waitedMs?: number): ReadItem | undefined {
  const ref = refOf(item);
  if (ref === undefined) return undefined;
  const { room, user, role, kind, text, style, data } = item as UplinkItem;
  const roomId = parseRoomId(room);
  if (roomId === undefined || !isSpeaker(user) || !ROLES.includes(role)) return undefined;
  if (typeof kind !== 'string' || !kindPattern.test(kind)) return undefined;
  if (text !== undefined && !isText(text, TEXT_BYTES_HARD_MAX)) return undefined;
  if (style !== undefined && !isStyle(style)) return undefined;
  const sender: EdgeSender = { by: 'edge', edge, ref };
  const arrival = {
    ref: sender,
    user,
    role: role as Arrival['role'],
    kind,
    ...(text === undefined ? {} : { text }),
    ...(style === undefined ? {} : { style }),
    ...(data === undefined ? {} : { data }),
    ...(waitedMs === undefined ? {} : { waitedMs }),
  };
  return { room: roomId, arrival };
}

function isSpeaker(value: unknown): value is Speaker {
  const user = value as Partial<Speaker> | null;
  if (typeof user !== 'object' || user === null) return false;
  if (parseUserId(user.id) === undefined) return false;
  if (user.name !== undefined && !isText(user.name, 256)) return false;
  if (user.badge !== undefined && !isText(user.badge, 256)) return false;
  return user.level === undefined || Number.isSafeInteger(user.level);
}

function isStyle(value: unknown): value is Style {
  const style = value as Partial<Style> | null;
  if (typeof style !== 'object' || style === null) return false;
  if (style.mode !== undefined && !MODES.includes(style.mode)) return false;
  if (style.size !== undefined && !Number.isSafeInteger(style.size)) return false;
  const { color } = style;
  return color === undefined || (typeof color === 'string' && colorPattern.test(color));
}

function isText(value: unknown, charactersMax: number): value is string {
  return typeof value === 'string' && value.length <= charactersMax && value.isWellFormed();
}
