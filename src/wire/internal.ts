/**
 * Owns what edges and rooms say to each other besides frames: danmaku going up, verdicts coming
 * down, room snapshots, replays, audience reports and notes. JSON, since both ends are ours; the
 * mass of bytes (frames) goes by src/wire/envelope.ts.
 */
import fastJson from 'fast-json-stringify';
import { Type, type Static } from '@sinclair/typebox';
import type { RoomId, UserId } from '../ids.js';
import type { EdgeRules } from '../room-settings.js';
import type { Verdict } from '../verdict.js';
import type { EpochStart, RoomStatus } from '../words.js';
import { DataSchema, StyleSchema } from './schema.js';

const UplinkItemSchema = Type.Object({
  /** Number unique within the edge's run; the verdict names it. */
  ref: Type.Integer(),
  room: Type.String(),
  user: Type.Object({
    id: Type.String(),
    name: Type.Optional(Type.String()),
    level: Type.Optional(Type.Integer()),
    badge: Type.Optional(Type.String()),
  }),
  role: Type.String(),
  kind: Type.String(),
  text: Type.Optional(Type.String()),
  style: Type.Optional(StyleSchema),
  data: Type.Optional(DataSchema),
});
const UplinkBatchSchema = Type.Object({
  edge: Type.String(),
  /** Running number of the edge's batches to this shard; a hole is a loss on the bus. */
  seq: Type.Integer(),
  /** Unix milliseconds at the edge. */
  at: Type.Number(),
  items: Type.Array(UplinkItemSchema),
});
const VerdictBatchSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      ref: Type.Integer(),
      verdict: Type.String(),
      id: Type.Optional(Type.String()),
      retryAfterMs: Type.Optional(Type.Integer()),
      reason: Type.Optional(Type.String()),
    }),
  ),
});

export type UplinkItem = Static<typeof UplinkItemSchema>;
export type UplinkBatch = Static<typeof UplinkBatchSchema>;
export interface VerdictItem {
  readonly ref: number;
  readonly verdict: Verdict;
  /** Id of the publication that carries the danmaku. */
  readonly id?: string;
  readonly retryAfterMs?: number;
  /** For the sender, from who refused it. */
  readonly reason?: string;
}
export interface VerdictBatch {
  readonly items: readonly VerdictItem[];
}

const stringifyUplink = fastJson(UplinkBatchSchema as unknown as fastJson.Schema);
const stringifyVerdicts = fastJson(VerdictBatchSchema as unknown as fastJson.Schema);

export function encodeUplink(batch: UplinkBatch): Buffer {
  return Buffer.from(stringifyUplink(batch));
}

export function encodeVerdicts(batch: VerdictBatch): Buffer {
  return Buffer.from(stringifyVerdicts(batch));
}

/** One edge's viewers by room; an edge unheard of for `AUDIENCE_FORGET_MS` counts nothing. */
export interface AudienceReport {
  readonly edge: string;
  readonly rooms: readonly (readonly [room: RoomId, viewers: number])[];
}
/** Well under a second, so that what is told of a second ago is in every sum. */
export const AUDIENCE_EVERY_MS = 750;
export const AUDIENCE_FORGET_MS = 3000;

/** Requests to the owner of a shard (src/subjects.ts `callSubject`). */
export type EdgeCall =
  | { readonly call: 'snapshot'; readonly room: RoomId }
  | {
      readonly call: 'replay';
      readonly room: RoomId;
      readonly from: number;
      readonly limit: number;
    };

export type EdgeAnswer<T> =
  | ({ readonly ok: true } & T)
  | { readonly ok: false; readonly code: 'unknown_room' | 'unavailable'; readonly message: string };

/**
 * Something about the room that who joins is shown under `name` in the `joined` line: one JSON text,
 * or, with keys, an object of them.
 */
export type Fact = readonly [name: string, key: string | null, json: string];
/** A fact that changed; `json` null: it is gone. Without key the whole name is meant. */
export type FactChange = readonly [name: string, key: string | null, json: string | null];

/** Tags a studio gave a user in one room. */
export type UserTags = readonly [user: UserId, tags: readonly string[]];

/** A room as an edge mirrors it: taken once when the edge's first viewer arrives. */
export interface RoomSnapshot {
  readonly room: RoomId;
  readonly status: RoomStatus;
  readonly epoch: number;
  /** Offset of the newest keepable publication; 0 when there is none. */
  readonly offset: number;
  readonly epochs: readonly EpochStart[];
  /** Number of the newest tick. */
  readonly tick: number;
  readonly online: number;
  readonly rules: EdgeRules;
  /** Users who may not be in the room, with the end in unix milliseconds (0: for good). */
  readonly banned: readonly (readonly [user: UserId, until: number])[];
  /** Users the admission level does not hold back, as `banned`; absent means none. */
  readonly allowed?: readonly (readonly [user: UserId, until: number])[];
  /** Newest publications of both classes, oldest first, as JSON texts; offset 0 on droppable ones. */
  readonly recent: readonly (readonly [offset: number, json: string])[];
  /** Users' tags in this room beside those of their tokens; absent means none. */
  readonly tags?: readonly UserTags[];
  /** Absent means none. */
  readonly facts?: readonly Fact[];
}

/** Keepable publications from the log, contiguous from the offset asked for. */
export interface RoomReplay {
  readonly entries: readonly (readonly [offset: number, json: string])[];
}

/**
 * Room to edges, inside a note envelope, in order with the frames. Every note is a change the edge
 * applies to its mirror; a snapshot taken later already contains it.
 */
export type RoomNote =
  | { readonly note: 'rules'; readonly rules: EdgeRules }
  | { readonly note: 'status'; readonly status: RoomStatus }
  | { readonly note: 'ban'; readonly user: UserId; readonly until: number }
  | { readonly note: 'unban'; readonly user: UserId }
  | { readonly note: 'allow'; readonly user: UserId; readonly until: number }
  | { readonly note: 'disallow'; readonly user: UserId }
  | { readonly note: 'kick'; readonly user: UserId; readonly reason: string }
  /** `json` replaces the text of a keepable publication; a droppable one is dropped from recent. */
  | { readonly note: 'recall'; readonly id: string; readonly offset: number; readonly json: string }
  /** No tags: the user's are taken away. */
  | { readonly note: 'tags'; readonly user: UserId; readonly tags: readonly string[] }
  | { readonly note: 'facts'; readonly changes: readonly FactChange[] }
  /** A new owner took the room: mirrors are refreshed by a new snapshot. */
  | { readonly note: 'owner' };

/** What one edge did with a publication that was meant for some, since it came; absolute numbers. */
export interface DeliveryCount {
  /** Viewers it was handed to. */
  readonly delivered: number;
  readonly acked: number;
  readonly resent: number;
  /** Viewers that never acknowledged it in its time. */
  readonly givenUp: number;
}
export interface DeliveryReport {
  readonly edge: string;
  /** `room` is '' for publications to users wherever they are. */
  readonly items: readonly (readonly [room: string, id: string, counts: DeliveryCount])[];
}
/** An edge tells changed numbers this often, and at most so many at a time. */
export const DELIVERY_EVERY_MS = 500;
export const DELIVERY_ITEMS_MAX = 500;

/** To all edges, on `everyoneSubject`: a publication for users in whatever room they are. */
export interface EveryoneNote {
  readonly id: string;
  readonly users: readonly UserId[];
  readonly validMs?: number;
  /** The publication's JSON text. */
  readonly json: string;
}

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as T;
}
