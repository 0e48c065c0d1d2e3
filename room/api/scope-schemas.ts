/** Owns the shapes of the routes about tags, broadcasts and deliveries. */
import { Type } from '@sinclair/typebox';
import { ROOM_ID_PATTERN } from '../../src/ids.js';
import { TAGS_PER_USER_MAX } from '../core/tag-book.js';
import * as S from './schemas.js';
import { TagSchema, TagsExpression, TargetUsers } from './target-schema.js';

const strict = { additionalProperties: false } as const;
const Whole = Type.Integer({ minimum: 0 });

export const TagsBody = Type.Object(
  {
    tags: Type.Array(TagSchema, {
      maxItems: TAGS_PER_USER_MAX,
      description: 'In the place of those it had; none takes them away',
    }),
  },
  strict,
);
export const TaggedUserAnswer = Type.Object({
  user: Type.String(),
  tags: Type.Array(Type.String()),
});
export const TaggedUsersAnswer = Type.Object({
  items: Type.Array(TaggedUserAnswer),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});

/** Tags narrow a broadcast in every room; users are reached wherever they are. */
export const BroadcastBody = Type.Object(
  {
    to: Type.Object(
      {
        zone: Type.Optional(
          Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$', description: 'Rooms with this label' }),
        ),
        all: Type.Optional(Type.Literal(true, { description: 'Every room' })),
        users: Type.Optional(TargetUsers),
        tags: Type.Optional(TagsExpression),
      },
      { ...strict, minProperties: 1, description: 'One of `zone`, `all` and `users`' },
    ),
    ...S.openDraftFields,
  },
  strict,
);
export const BroadcastAnswer = Type.Object({
  rooms: { ...Whole, description: 'Rooms it was meant for' },
  verdicts: Type.Record(Type.String(), Whole, { description: 'Ends, by verdict' }),
  empty: { ...Whole, description: 'Rooms passed over: droppable, and nobody is there' },
  closed: { ...Whole, description: 'Closed rooms' },
  failed: Whole,
  fates: Type.Array(
    Type.Object({
      room: Type.String(),
      verdict: Type.String(),
      id: Type.String(),
      offset: Type.Optional(Whole),
    }),
    { description: 'Keepable ones, the first 1000 rooms' },
  ),
  failures: Type.Array(
    Type.Object({ room: Type.String({ pattern: ROOM_ID_PATTERN }), code: Type.String() }),
    { description: 'The first 100' },
  ),
  id: Type.Optional(Type.String({ description: 'Of a broadcast to users' })),
  unreached: Type.Optional(
    Type.Array(
      Type.Object({
        member: Type.Optional(Type.String({ description: 'Absent: nobody owned them' })),
        shards: Type.Array(Whole),
        code: Type.String(),
      }),
      { description: 'Services that did not answer for their rooms; repeat with the same key' },
    ),
  ),
});

export const DeliveryParams = Type.Object({ id: S.PublicationParams.properties.id }, strict);
export const DeliveryAnswer = Type.Object(
  {
    id: Type.String(),
    targets: { ...Whole, description: 'Users and devices named; 0 when only tags were' },
    delivered: { ...Whole, description: 'Viewers it was handed to' },
    acked: { ...Whole, description: 'Viewers that acknowledged it' },
    resent: Whole,
    givenUp: { ...Whole, description: 'Viewers that did not acknowledge it in its time' },
  },
  { description: 'As the edges told last, about a second behind' },
);
