/**
 * Owns the one definition of everything viewers and studios exchange: validators, serializers,
 * OpenAPI and types are all made from these schemas. Knows no transport.
 */
import { Type, type Static } from '@sinclair/typebox';
import { ROOM_ID_PATTERN, USER_ID_PATTERN } from '../ids.js';
import { TEXT_CHARACTERS_HARD_MAX } from '../limits.js';
import { CLASSES, LANES, type Lane } from '../words.js';

const strict = { additionalProperties: false } as const;

export const RoomIdSchema = Type.String({
  pattern: ROOM_ID_PATTERN,
  description: 'Room id: 1-64 of A-Z a-z 0-9 _ -',
});
export const UserIdSchema = Type.String({
  pattern: USER_ID_PATTERN,
  description: 'User id: 1-64 characters without white space',
});
/** A danmaku's own id, chosen by its sender to match the verdict. */
export const SendIdSchema = Type.Union([
  Type.String({ minLength: 1, maxLength: 64 }),
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
]);
export const KindSchema = Type.String({ pattern: '^[a-z][a-z0-9_.-]{0,31}$' });
export const LaneSchema = Type.Unsafe<Lane>({
  type: 'string',
  enum: [...LANES],
  description: 'Lane, from the most to the least important',
});
export const TextSchema = Type.String({ minLength: 1, maxLength: TEXT_CHARACTERS_HARD_MAX });
export const StyleSchema = Type.Object(
  {
    mode: Type.Optional(
      Type.Unsafe<'scroll' | 'top' | 'bottom'>({
        type: 'string',
        enum: ['scroll', 'top', 'bottom'],
      }),
    ),
    color: Type.Optional(Type.String({ pattern: '^#[0-9a-fA-F]{6}$' })),
    size: Type.Optional(Type.Integer({ minimum: 12, maximum: 64 })),
  },
  strict,
);
/** No control characters: names end up in terminals and logs. */
const PRINTABLE_PATTERN = '^[^\\u0000-\\u001f\\u007f-\\u009f]*$';
export const NameSchema = Type.String({ minLength: 1, maxLength: 64, pattern: PRINTABLE_PATTERN });
export const LevelSchema = Type.Integer({ minimum: 0, maximum: 1000 });
export const BadgeSchema = Type.String({ maxLength: 64, pattern: PRINTABLE_PATTERN });
export const SpeakerSchema = Type.Object(
  {
    id: UserIdSchema,
    name: Type.Optional(NameSchema),
    level: Type.Optional(LevelSchema),
    badge: Type.Optional(BadgeSchema),
  },
  strict,
);
export const DataSchema = Type.Unknown({ description: 'Opaque to the service, at most 1 KiB' });
const Offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const PositionSchema = Type.Object({ epoch: Offset, offset: Offset }, strict);

/** What viewers receive. Field order is the order on the wire: `id` is always first. */
export const PublicationSchema = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  lane: LaneSchema,
  offset: Type.Optional(Type.Integer()),
  at: Type.Integer(),
  user: Type.Optional(
    Type.Object({
      id: Type.String(),
      name: Type.Optional(Type.String()),
      level: Type.Optional(Type.Integer()),
      badge: Type.Optional(Type.String()),
    }),
  ),
  text: Type.Optional(Type.String()),
  style: Type.Optional(StyleSchema),
  count: Type.Optional(Type.Integer()),
  data: Type.Optional(DataSchema),
  ack: Type.Optional(Type.Boolean({ description: 'Its receivers acknowledge it by its id' })),
});

/** Commands of a viewer, one JSON object a line, told apart by `type`. */
export const JoinSchema = Type.Object(
  {
    type: Type.Literal('join'),
    room: RoomIdSchema,
    token: Type.Optional(Type.String({ maxLength: 4096 })),
    since: Type.Optional(PositionSchema),
  },
  strict,
);
export const LeaveSchema = Type.Object({ type: Type.Literal('leave'), room: RoomIdSchema }, strict);
export const SendSchema = Type.Object(
  {
    type: Type.Literal('send'),
    room: RoomIdSchema,
    id: SendIdSchema,
    kind: Type.Optional(KindSchema),
    text: Type.Optional(TextSchema),
    style: Type.Optional(StyleSchema),
    data: Type.Optional(DataSchema),
  },
  strict,
);
/** Ids a viewer acknowledges at once. */
export const ACK_IDS_MAX = 100;
/** Without `room`: of what came without a room. */
export const AckSchema = Type.Object(
  {
    type: Type.Literal('ack'),
    room: Type.Optional(RoomIdSchema),
    ids: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      minItems: 1,
      maxItems: ACK_IDS_MAX,
    }),
  },
  strict,
);
export const ReceiveSchema = Type.Object(
  {
    type: Type.Literal('receive'),
    room: RoomIdSchema,
    classes: Type.Union(CLASSES.map((name) => Type.Literal(name))),
  },
  strict,
);
/** How a viewer fared with one CDN since it told last (docs/cdn.md). */
const CdnReportSchema = Type.Object(
  {
    source: Type.String({ pattern: '^[A-Za-z0-9_-]{1,32}$' }),
    ok: Type.Integer({ minimum: 0, maximum: 100_000 }),
    failed: Type.Integer({ minimum: 0, maximum: 100_000 }),
    missed: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
    delayMs: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
    bytes: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9 })),
  },
  strict,
);
export const ReportSchema = Type.Object(
  { type: Type.Literal('report'), room: RoomIdSchema, cdn: CdnReportSchema },
  strict,
);
/** Body of `POST /v1/rooms/{room}/reports`. */
export const ReportBodySchema = Type.Object({ cdn: CdnReportSchema }, strict);
export const PingSchema = Type.Object({ type: Type.Literal('ping') }, strict);

/** Body of `POST /v1/rooms/{room}/danmaku`. */
export const DanmakuBodySchema = Type.Object(
  {
    id: Type.Optional(SendIdSchema),
    kind: Type.Optional(KindSchema),
    text: Type.Optional(TextSchema),
    style: Type.Optional(StyleSchema),
    data: Type.Optional(DataSchema),
  },
  strict,
);

export type JoinCommand = Static<typeof JoinSchema>;
export type LeaveCommand = Static<typeof LeaveSchema>;
export type SendCommand = Static<typeof SendSchema>;
export type AckCommand = Static<typeof AckSchema>;
export type ReceiveCommand = Static<typeof ReceiveSchema>;
export type ReportCommand = Static<typeof ReportSchema>;
export type PingCommand = Static<typeof PingSchema>;
export type ReportBody = Static<typeof ReportBodySchema>;
export type DanmakuBody = Static<typeof DanmakuBodySchema>;
export type Command =
  | JoinCommand
  | LeaveCommand
  | SendCommand
  | AckCommand
  | ReceiveCommand
  | ReportCommand
  | PingCommand;
