/**
 * Owns the shapes of the studio API's input and answers. The same schemas validate, serialize and
 * make /openapi.json; what is shared with viewers comes from src/wire/schema.ts.
 */
import { Type, type TSchema } from '@sinclair/typebox';
import { ROOM_ID_PATTERN, type RoomId, type UserId } from '../../src/ids.js';
import {
  BATCH_PUBLICATIONS_MAX,
  IDEMPOTENCY_KEY_CHARACTERS_MAX,
  PAGE_MAX,
} from '../../src/limits.js';
import { LANES, type Lane, type Role, type RoomStatus } from '../../src/words.js';
import { VERDICTS, type Verdict } from '../../src/verdict.js';
import {
  BadgeSchema,
  DataSchema,
  KindSchema,
  LaneSchema,
  LevelSchema,
  NameSchema,
  PublicationSchema,
  RoomIdSchema,
  SpeakerSchema,
  StyleSchema,
  TextSchema,
  UserIdSchema,
} from '../../src/wire/schema.js';
import { ERROR_CODES } from './errors.js';
import {
  DeviceSchema,
  TagSchema,
  TargetObject,
  TargetSchema,
  reliableFields,
} from './target-schema.js';
import { NullablePatchSchema, SettingsPatchSchema, SettingsSchema } from './settings-schema.js';

const strict = { additionalProperties: false } as const;
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Millis = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });
const words = <const T extends string>(list: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...list], description });
const Printable = (maxLength: number, description: string) =>
  Type.String({ maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$', description });

const Room = Type.Unsafe<RoomId>(RoomIdSchema);
const User = Type.Unsafe<UserId>(UserIdSchema);
const Title = Printable(200, 'Title, up to 200 characters');
const Labels = Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$' }), {
  maxItems: 16,
  uniqueItems: true,
  description: 'Up to 16 labels by which rooms are grouped',
});
const Reason = Printable(200, 'Why; told to nobody but studios');

export const RoomParams = Type.Object({ room: Room }, strict);
export const UserParams = Type.Object({ room: Room, user: User }, strict);
export const PublicationParams = Type.Object(
  { room: Room, id: Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$', description: 'Id' }) },
  strict,
);

export const PAGE_DEFAULT = 50;
const Limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: PAGE_MAX,
    description: `Most entries, ${PAGE_DEFAULT} by default`,
  }),
);
export const RoomsQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        pattern: ROOM_ID_PATTERN.replace('{1,', '{0,'),
        description: '`next` of the page before',
      }),
    ),
    limit: Limit,
  },
  strict,
);
export const UsersQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the page before' })),
    limit: Limit,
  },
  strict,
);
export const HistoryQuery = Type.Object(
  {
    from: Type.Optional({ ...Whole, description: 'Offset to begin at; the newest without it' }),
    limit: Limit,
  },
  strict,
);
export const DryRunQuery = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ description: 'Answer, but change nothing' })) },
  strict,
);
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: `^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_CHARACTERS_MAX}}$`,
      description: 'A repeat with the same key gets the first answer and publishes nothing',
    }),
  ),
});

export const RoomSpecBody = Type.Object(
  {
    room: Room,
    title: Type.Optional(Title),
    labels: Type.Optional(Labels),
    limits: Type.Optional(SettingsPatchSchema),
  },
  strict,
);
export const RoomChangeBody = Type.Object(
  {
    title: Type.Optional(Title),
    labels: Type.Optional(Labels),
    status: Type.Optional(words(['open', 'frozen'], '`frozen`: watched, not spoken in')),
    streamStart: Type.Optional(Millis('When the stream began; exports count from it')),
  },
  { ...strict, minProperties: 1 },
);
export const RoomAnswer = Type.Object({
  room: Type.String(),
  title: Type.String(),
  labels: Type.Array(Type.String()),
  status: words<RoomStatus>(['open', 'frozen', 'closed'], 'State of the room'),
  createdAt: Millis('Unix milliseconds'),
  streamStart: Type.Optional(Millis('Unix milliseconds; absent until it is set')),
  online: Whole,
});
const ListedRoom = Type.Object({
  ...RoomAnswer.properties,
  online: Type.Optional({ ...Whole, description: 'Absent when its owner did not say' }),
});
export const RoomsAnswer = Type.Object({
  rooms: Type.Array(ListedRoom),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});

export const openDraftFields = {
  kind: KindSchema,
  lane: Type.Optional(LaneSchema),
  user: Type.Optional(SpeakerSchema),
  text: Type.Optional(TextSchema),
  style: Type.Optional(StyleSchema),
  data: Type.Optional(DataSchema),
  ...reliableFields,
};
const draftFields = { ...openDraftFields, to: Type.Optional(TargetSchema) };
export const DraftBody = Type.Object(draftFields, strict);
export const BatchItem = Type.Object(
  {
    room: Room,
    key: Type.Optional(
      Type.String({
        pattern: `^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_CHARACTERS_MAX}}$`,
        description: 'As the header Idempotency-Key',
      }),
    ),
    ...draftFields,
  },
  strict,
);
const batchOf = <T extends TSchema>(item: T) =>
  Type.Object(
    { publications: Type.Array(item, { minItems: 1, maxItems: BATCH_PUBLICATIONS_MAX }) },
    strict,
  );
export const BatchBody = batchOf(BatchItem);
/** The batch as a whole; its items are validated one by one, each answered in its own place. */
export const BatchFrame = batchOf(Type.Unknown());

const fatedFields = {
  id: Type.String(),
  verdict: words<Verdict>(VERDICTS, 'What became of it'),
  lane: words<Lane>(LANES, 'Lane it took'),
  class: words(['keep', 'drop'], '`keep`: logged and replayed'),
  epoch: Type.Optional(Whole),
  offset: Type.Optional(Whole),
  retryAfterMs: Type.Optional(Whole),
  repeated: Type.Optional(Type.Boolean({ description: 'True when this answer was given before' })),
};
export const FatedAnswer = Type.Object(fatedFields);
const errorFields = {
  code: words(ERROR_CODES, 'What went wrong, stable'),
  message: Type.String({ description: 'For people; may change' }),
  field: Type.Optional(Type.String({ description: 'Path of the input the rule is about' })),
  rule: Type.Optional(Type.String({ description: 'The rule it breaks' })),
  retryAfterMs: Type.Optional(Type.Integer({ description: 'When a repeat can succeed' })),
};
export const ErrorAnswer = Type.Object(
  { error: Type.Object({ ...errorFields, requestId: Type.String() }) },
  { description: 'Refused or failed' },
);
export const BatchAnswer = Type.Object({
  results: Type.Array(
    Type.Object({
      ok: Type.Boolean({ description: 'True: a fate follows; false: `error`' }),
      ...Type.Partial(FatedAnswer).properties,
      error: Type.Optional(Type.Object(errorFields)),
    }),
  ),
});
const LoggedTarget = Type.Object({ ...TargetObject.properties, validMs: Type.Optional(Whole) });
export const HistoryAnswer = Type.Object({
  room: Type.String(),
  epoch: Whole,
  publications: Type.Array(
    Type.Object({ ...PublicationSchema.properties, to: Type.Optional(LoggedTarget) }),
  ),
  next: Type.Optional({ ...Whole, description: 'Ask `from` here next; absent at the end' }),
  oldest: { ...Whole, description: 'Oldest offset still kept' },
});

const YEARS_10_MS = 10 * 365 * 86_400_000;
export const SanctionBody = Type.Object(
  {
    forMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: YEARS_10_MS, description: 'From now on, milliseconds' }),
    ),
    until: Type.Optional(Millis('Its end, Unix milliseconds; 0 is until lifted')),
    reason: Type.Optional(Reason),
  },
  { ...strict, description: 'Neither `forMs` nor `until`: until lifted' },
);
export const SanctionAnswer = Type.Object({
  user: Type.String(),
  until: Millis('Unix milliseconds; 0 is until lifted'),
  reason: Type.Optional(Type.String()),
});
export const SanctionsAnswer = Type.Object({
  items: Type.Array(SanctionAnswer),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});
export const KickBody = Type.Object(
  {
    user: User,
    reason: Type.Optional(Printable(200, 'Why; told to the user')),
    forMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: YEARS_10_MS, description: 'The user stays out so long' }),
    ),
  },
  strict,
);

export const LimitsBody = NullablePatchSchema;
const limitsFields = { effective: SettingsSchema, own: SettingsPatchSchema };
export const LimitsAnswer = Type.Object(limitsFields);
export const LimitsChangeAnswer = Type.Object({
  ...limitsFields,
  changed: Type.Array(
    Type.Object({
      path: Type.String(),
      before: Type.Optional(Type.Unknown()),
      after: Type.Optional(Type.Unknown()),
    }),
  ),
  dryRun: Type.Boolean(),
});
export const StatsAnswer = Type.Object({
  room: Type.String(),
  online: Whole,
  epoch: Whole,
  offset: Whole,
  tick: Whole,
  queued: Type.Record(Type.String(), Whole, { description: 'Entries waiting, by lane' }),
  verdicts: Type.Record(Type.String(), Whole, { description: 'Ends of danmaku, by verdict' }),
  received: Whole,
  likes: Whole,
  admission: Type.Number({ description: 'Share of ordinary danmaku let through, 0-1' }),
  presence: words(['list', 'counts'], 'Whether a list of users is kept, or only numbers'),
  connections: { ...Whole, description: 'Viewers, guests too' },
  users: { ...Whole, description: 'Users present; without a list one on two edges counts twice' },
  uniqueUsers: { ...Whole, description: 'Different users since uniqueSince, within about 2 %' },
  uniqueSince: Millis('Unix milliseconds'),
});

export const TOKEN_TTL_MS_MIN = 60_000;
export const TOKEN_TTL_MS_MAX = 30 * 86_400_000;
export const TokenBody = Type.Object(
  {
    user: Type.Optional({ ...User, description: 'Without it the token is a guest’s' }),
    name: Type.Optional(NameSchema),
    level: Type.Optional(LevelSchema),
    badge: Type.Optional(BadgeSchema),
    rooms: Type.Array(Type.String({ pattern: '^([A-Za-z0-9_-]{1,64}|\\*)$' }), {
      minItems: 1,
      maxItems: 100,
      description: 'Rooms it opens; `*` opens all',
    }),
    role: Type.Optional(
      words<Role>(['guest', 'member', 'moderator', 'host'], 'member for a user by default'),
    ),
    tags: Type.Optional(Type.Array(TagSchema, { maxItems: 16 })),
    device: Type.Optional(DeviceSchema),
    ttlMs: Type.Optional(
      Type.Integer({ minimum: TOKEN_TTL_MS_MIN, maximum: TOKEN_TTL_MS_MAX, description: 'Life' }),
    ),
  },
  strict,
);
export const TokenAnswer = Type.Object({
  token: Type.String(),
  expiresAt: Millis('Unix milliseconds'),
});

export const HealthAnswer = Type.Object({ status: words(['ok'], 'The process answers') });
export const ReadyAnswer = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Array(Type.String(), { description: 'What is missing' }),
});
export const PageAnswer = Type.Object({
  viewerPort: Type.Integer({ description: 'Port of the edge that viewers connect to' }),
});
