/**
 * Owns the shapes of the studio's orders (mute all, roles, pins, drafts, announcements) and of a
 * room's past (recent, export, import).
 */
import { Type } from '@sinclair/typebox';
import type { UserId } from '../../src/ids.js';
import { ROLES } from '../../src/permissions.js';
import type { Role } from '../../src/words.js';
import { KindSchema, PublicationSchema, UserIdSchema } from '../../src/wire/schema.js';
import { ANNOUNCE_EVERY_MS_MIN } from '../core/announcements.js';
import { MUTE_ALL_USERS_MAX } from '../core/mute-all.js';
import { STAGED_STATES } from '../core/staged.js';
import { IMPORT_FORMATS } from '../studio/importing.js';
import * as S from './schemas.js';
import { TargetUsers } from './target-schema.js';

const strict = { additionalProperties: false } as const;
const Millis = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });
const YEARS_10_MS = 10 * 365 * 86_400_000;
const Span = (description: string, minimum = 1) =>
  Type.Integer({ minimum, maximum: YEARS_10_MS, description });
const User = Type.Unsafe<UserId>(UserIdSchema);
const RoleWord = Type.Unsafe<Role>({ type: 'string', enum: [...ROLES], description: 'Role' });
const Id = Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$', description: 'Id' });
const Kind = Type.Unsafe<string>(KindSchema);
const Draft = S.DraftBody;

export const IdParams = Type.Object({ room: S.RoomParams.properties.room, id: Id }, strict);

const except = Type.Object(
  {
    roles: Type.Optional(
      Type.Array(RoleWord, { maxItems: 4, uniqueItems: true, description: 'Heard all the same' }),
    ),
    users: Type.Optional(
      Type.Array(User, {
        maxItems: MUTE_ALL_USERS_MAX,
        uniqueItems: true,
        description: 'Heard too',
      }),
    ),
  },
  strict,
);
export const MuteAllBody = Type.Object(
  {
    forMs: Type.Optional(Span('From now on, milliseconds')),
    until: Type.Optional(Millis('Its end, Unix milliseconds; 0 is until lifted')),
    except: Type.Optional({
      ...except,
      description: 'Without `roles` moderators and hosts; allowed users always',
    }),
  },
  strict,
);
export const MuteAllAnswer = Type.Object({
  until: Millis('Unix milliseconds; 0 is until lifted'),
  except: Type.Object({ roles: Type.Array(Type.String()), users: Type.Array(Type.String()) }),
});

export const RoleBody = Type.Object({ role: RoleWord }, strict);
export const RoleAnswer = Type.Object({ user: Type.String(), role: RoleWord });
export const RolesAnswer = Type.Object({
  items: Type.Array(RoleAnswer),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});

export const RecallUserQuery = Type.Object({ user: User }, strict);
export const RecallUserAnswer = Type.Object({
  recalled: Type.Integer(),
  more: Type.Boolean({ description: 'True: call again for older ones' }),
});

const { id, kind, at, user, text, style, data } = PublicationSchema.properties;
export const PinAnswer = Type.Object({
  ...{ id, kind, at, user, text, style, data },
  pinnedAt: Millis('Unix milliseconds'),
});
export const PinsAnswer = Type.Object({ pins: Type.Array(PinAnswer) });
export const PinDraftBody = Type.Object({ draft: Draft }, strict);

export const StageBody = Type.Object(
  {
    draft: Draft,
    preview: Type.Optional({
      ...TargetUsers,
      description: 'Who is shown it before it is published',
    }),
  },
  strict,
);
export const EditStagedBody = Type.Object(
  { draft: { ...Type.Partial(Draft), minProperties: 1 } },
  strict,
);
const DraftAnswer = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  properties: { kind: Kind },
  description: 'As it was posted',
});
export const StagedAnswer = Type.Object({
  id: Type.String(),
  state: Type.Unsafe<(typeof STAGED_STATES)[number]>({ type: 'string', enum: [...STAGED_STATES] }),
  draft: DraftAnswer,
  preview: Type.Optional(Type.Array(Type.String(), { description: 'Who is shown it' })),
  createdAt: Millis('Unix milliseconds'),
  updatedAt: Millis('Unix milliseconds'),
  publication: Type.Optional(Type.String({ description: 'Id of what was published' })),
});
export const StagedListAnswer = Type.Object({ drafts: Type.Array(StagedAnswer) });

export const AnnouncementBody = Type.Object(
  {
    at: Type.Optional(Millis('First time, Unix milliseconds; now without it')),
    everyMs: Type.Optional(Span('Again after each of these', ANNOUNCE_EVERY_MS_MIN)),
    until: Type.Optional(Millis('Last time, Unix milliseconds; only with everyMs')),
    draft: Draft,
  },
  strict,
);
export const AnnouncementAnswer = Type.Object({
  id: Type.String(),
  at: Millis('First time, Unix milliseconds'),
  everyMs: Type.Optional(Type.Integer()),
  until: Type.Optional(Type.Integer()),
  nextAt: Type.Optional(Millis('Absent when there is none any more')),
  firedAt: Type.Optional(Millis('The time last told')),
  fired: Type.Integer({ description: 'Times it was told' }),
  missed: Type.Integer({ description: 'Times that passed untold, over a minute late' }),
  draft: DraftAnswer,
});
export const AnnouncementsAnswer = Type.Object({ announcements: Type.Array(AnnouncementAnswer) });

export const RecentAnswer = Type.Object({
  room: Type.String(),
  epoch: Type.Integer(),
  offset: Type.Integer({ description: 'Of the newest keepable publication' }),
  publications: Type.Array(PublicationSchema),
});

export const EXPORT_FORMATS = ['xml', 'ass', 'jsonl'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
const Start = Type.Optional(
  Millis("The stream's start, Unix milliseconds; without it the room's own `streamStart`"),
);
export const ExportQuery = Type.Object(
  {
    format: Type.Unsafe<ExportFormat>({ type: 'string', enum: [...EXPORT_FORMATS] }),
    from: Type.Optional(Millis('Earliest time, Unix milliseconds')),
    to: Type.Optional(Millis('Before this time, Unix milliseconds')),
    start: Start,
  },
  strict,
);
export const ImportQuery = Type.Object(
  {
    format: Type.Unsafe<(typeof IMPORT_FORMATS)[number]>({
      type: 'string',
      enum: [...IMPORT_FORMATS],
    }),
    start: Start,
  },
  strict,
);
export const ImportAnswer = Type.Object({
  room: Type.String(),
  imported: Type.Integer(),
  skipped: Type.Integer({ description: 'What could not be read' }),
  flaws: Type.Array(Type.Object({ line: Type.Integer(), rule: Type.String() }), {
    description: 'The first of what could not be read, by line',
  }),
  start: Millis('Unix milliseconds'),
});
