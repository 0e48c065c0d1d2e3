/**
 * Owns what rooms, pushers and viewers say about the CDN: which rooms are in CDN mode (rooms to
 * pushers), the fact `cdn` (rooms to viewers) and the manifest. The words are explained in docs/cdn.md.
 */
import { Type, type Static } from '@sinclair/typebox';
import { BarrageError } from '../errors.js';
import type { RoomId } from '../ids.js';
import { RoomIdSchema } from './schema.js';
import { compileSchema, schemaFlaw, type ValidateFunction } from './validator.js';

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Mode = Type.Unsafe<'on' | 'off'>({ type: 'string', enum: ['on', 'off'] });

/**
 * On `cdnSubject(shard)`, from the shard's owner: at once when a room's mode becomes `on`, every
 * `CDN_ANNOUNCE_MS` while it is, and for `CDN_OFF_MS` after it became `off`: first still as `on` for
 * `CDN_LINGER_MS`, until its viewers have turned to the edges again, then as `off`. A room
 * that is not named is as it was; one unheard of for `CDN_FORGET_MS` counts as `off`. At most
 * `CDN_NOTE_ROOMS_MAX` rooms a note; an owner with more sends several.
 */
const CdnNoteSchema = Type.Object({
  /** The owner's lease epoch; a note of an older one than heard before is passed over. */
  epoch: Count,
  rooms: Type.Array(Type.Tuple([RoomIdSchema, Mode]), { maxItems: 2000 }),
});
export const CDN_ANNOUNCE_MS = 1000;
export const CDN_OFF_MS = 8000;
export const CDN_LINGER_MS = 3000;
export const CDN_FORGET_MS = 15_000;
export const CDN_NOTE_ROOMS_MAX = 2000;

export interface CdnNote {
  readonly epoch: number;
  readonly rooms: readonly (readonly [room: RoomId, mode: 'on' | 'off'])[];
}

/** Where a viewer may fetch from; `url` ends in `/`. */
export interface CdnSource {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
}

/**
 * By region: the weights of its viewers, one for each of `sources` in their order; null: not for them.
 * Who is of a region not named goes by the sources' own. At most `CDN_REGIONS_MAX`.
 */
export type CdnRegions = Readonly<Record<string, readonly (number | null)[]>>;
/** With 8 sources about 4 KB, told at each change to each viewer. */
export const CDN_REGIONS_MAX = 64;

/** The fact and the data of publications of kind `cdn`. */
export { CDN_KIND } from './cdn-words.js';
export type CdnFact =
  | { readonly mode: 'off' }
  | {
      readonly mode: 'on';
      readonly pollMs: number;
      readonly segmentMs: number;
      readonly manifest: string;
      readonly sources: readonly CdnSource[];
      /** Absent: all go by the sources' own weights. */
      readonly regions?: CdnRegions;
    };

export const MANIFEST_VERSION = 1;

/** The manifest's path under a source's url; also its name at the origin. */
export function manifestName(room: RoomId): string {
  return `${room}/manifest.json`;
}

const SegmentSchema = Type.Object({
  sequence: Count,
  name: Type.String({ pattern: '^\\d{13}-\\d{1,16}-\\d{1,16}-[A-Za-z0-9_-]{1,32}\\.jsonl$' }),
  tick: Count,
  from: Count,
  to: Count,
  online: Count,
  count: Count,
  bytes: Count,
  parts: Type.Array(
    Type.Object({ priority: Type.Integer({ minimum: 0, maximum: 9 }), count: Count, end: Count }),
  ),
  shed: Count,
  gap: Type.Optional(Type.Object({ from: Count, to: Count })),
  hash: Type.String({ pattern: '^sha256-[A-Za-z0-9+/]{43}=$' }),
});
const ManifestSchema = Type.Object({
  version: Type.Literal(MANIFEST_VERSION),
  room: RoomIdSchema,
  epoch: Count,
  run: Type.String({ minLength: 1, maxLength: 32 }),
  at: Count,
  mode: Mode,
  segmentMs: Count,
  ranges: Type.Boolean(),
  first: Count,
  next: Count,
  shed: Count,
  through: Type.Optional(Type.Object({ epoch: Count, tick: Count, frames: Count })),
  until: Count,
  segments: Type.Array(SegmentSchema, { maxItems: 1000 }),
});

export type SegmentEntry = Static<typeof SegmentSchema>;
export type Manifest = Omit<Static<typeof ManifestSchema>, 'room'> & { readonly room: RoomId };
/** The room's last droppable frame in a segment: its epoch, tick and number within the tick. */
export type Through = NonNullable<Manifest['through']>;

const validateManifest = compileSchema(ManifestSchema);
const validateNote = compileSchema(CdnNoteSchema);

/** Throws BarrageError `invalid` on bytes that are no manifest of this version. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  return decode<Manifest>(bytes, validateManifest, 'manifest');
}

/** Throws BarrageError `invalid` on bytes that are no note. */
export function decodeCdnNote(bytes: Uint8Array): CdnNote {
  return decode<CdnNote>(bytes, validateNote, 'note');
}

function decode<T>(bytes: Uint8Array, validate: ValidateFunction, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch (cause) {
    const detail = { field: what, rule: 'JSON', cause };
    throw new BarrageError('invalid', `the ${what} is not JSON`, detail);
  }
  if (validate(value)) return value as T;
  const { field, rule } = schemaFlaw(validate.errors);
  throw new BarrageError('invalid', `the ${what} breaks ${field}: ${rule}`, { field, rule });
}
