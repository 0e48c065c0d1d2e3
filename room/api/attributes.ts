/** Owns the routes of a room's attributes. */
import { Type } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import { RoomIdSchema, UserIdSchema } from '../../src/wire/schema.js';
import type { RoomId } from '../../src/ids.js';
import type { AttributeCalls, AttributePut, AttributesPatch } from '../calls/attributes.js';
import { ATTRIBUTE_KEY_PATTERN, ATTRIBUTES_MAX } from '../core/attributes.js';
import { asGiven } from './input.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const strict = { additionalProperties: false } as const;
const Version = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });
const Key = Type.String({ pattern: ATTRIBUTE_KEY_PATTERN });
const Value = Type.Unknown({ description: 'Any JSON, at most 4 KiB' });
const ifVersion = Type.Optional(
  Version('Refused `conflict` when another version holds; of a key, 0: it must not be there'),
);
const terms = {
  owner: Type.Optional(Type.Unsafe<UserId>(UserIdSchema)),
  expireOnLeave: Type.Optional(Type.Boolean({ description: 'Goes when the owner leaves' })),
  ttlMs: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 30 * 24 * 3_600_000, description: 'Goes after this' }),
  ),
};
const room = Type.Unsafe<RoomId>(RoomIdSchema);
const KeyParams = Type.Object({ room, key: Key }, strict);
const ReadQuery = Type.Object(
  { since: Type.Optional(Version('Only what changed after this version')) },
  strict,
);
const VersionQuery = Type.Object({ ifVersion }, strict);
const PatchBody = Type.Object(
  {
    set: Type.Optional(
      Type.Record(Type.String(), Value, { maxProperties: ATTRIBUTES_MAX, minProperties: 1 }),
    ),
    delete: Type.Optional(Type.Array(Key, { maxItems: ATTRIBUTES_MAX, minItems: 1 })),
    ifVersion,
    ...terms,
  },
  { ...strict, minProperties: 1 },
);
const PutBody = Type.Object({ value: Value, ifVersion, ...terms }, strict);
const AttributeAnswer = Type.Object({
  key: Type.String(),
  value: Value,
  version: Version('The change that set it'),
  owner: Type.Optional(Type.String()),
  expireOnLeave: Type.Optional(Type.Boolean()),
  until: Type.Optional(Type.Integer({ description: 'Unix milliseconds of its end' })),
});
const PageAnswer = Type.Object({
  room: Type.String(),
  version: Version('The newest change'),
  full: Type.Boolean({ description: 'False: only what changed after `since`' }),
  attributes: Type.Array(AttributeAnswer),
  deleted: Type.Array(Type.String()),
});
const ChangeAnswer = Type.Object({ version: Version('Of this change') });

const url = '/v1/rooms/:room/attributes';
const group = 'attributes';

export function attributeRoutes(calls: AttributeCalls): Route[] {
  return [...wholeRoutes(calls), ...keyRoutes(calls)];
}

function wholeRoutes(calls: AttributeCalls): Route[] {
  return [
    route({
      ...{ method: 'GET' as const, url, group, status: 200 },
      summary: 'Read all attributes, or what changed since a version',
      params: S.RoomParams,
      query: ReadQuery,
      answer: PageAnswer,
      run: ({ params, query }) => calls.read(params.room, query.since),
    }),
    route({
      ...{ method: 'PATCH' as const, url, group, status: 200 },
      summary: 'Delete and set attributes as one change',
      params: S.RoomParams,
      body: PatchBody,
      answer: ChangeAnswer,
      run: ({ params, body }) => calls.patch(params.room, asGiven<AttributesPatch>(body)),
    }),
    route({
      ...{ method: 'DELETE' as const, url, group, status: 200 },
      summary: 'Delete all attributes',
      params: S.RoomParams,
      query: VersionQuery,
      answer: ChangeAnswer,
      run: ({ params, query }) => calls.clear(params.room, query.ifVersion),
    }),
  ];
}

function keyRoutes(calls: AttributeCalls): Route[] {
  const one = { url: `${url}/:key`, group, params: KeyParams };
  return [
    route({
      ...{ method: 'GET' as const, ...one, status: 200 },
      summary: 'Read an attribute',
      answer: AttributeAnswer,
      run: ({ params }) => calls.readOne(params.room, params.key),
    }),
    route({
      ...{ method: 'PUT' as const, ...one, status: 200 },
      summary: 'Set an attribute',
      body: PutBody,
      answer: AttributeAnswer,
      run: ({ params, body }) => calls.put(params.room, params.key, asGiven<AttributePut>(body)),
    }),
    route({
      ...{ method: 'DELETE' as const, ...one, status: 204 },
      summary: 'Delete an attribute',
      query: VersionQuery,
      run: async ({ params, query }) => {
        if (await calls.remove(params.room, params.key, query.ifVersion)) return;
        throw new BarrageError('not_found', 'no such attribute', { field: 'key' });
      },
    }),
  ];
}
