/** Owns the routes about a room's word filter and the danmaku it holds for review. */
import { Type } from '@sinclair/typebox';
import { SpeakerSchema, StyleSchema } from '../../src/wire/schema.js';
import { WORD_ACTIONS, type WordAction } from '../../src/words-filter/word-filter.js';
import { WORD_CHARACTERS_MAX } from '../../src/words-filter/word-list.js';
import type { OwnWords, WordCalls } from '../calls/words.js';
import type { ReviewCalls } from '../calls/reviews.js';
import { OWN_WORDS_MAX } from '../powers/words-power.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const strict = { additionalProperties: false } as const;
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Action = Type.Unsafe<WordAction>({ type: 'string', enum: [...WORD_ACTIONS] });
const Word = Type.Object(
  {
    word: Type.String({
      minLength: 1,
      maxLength: WORD_CHARACTERS_MAX,
      description: 'Found whatever its width, case, look-alikes and separators',
    }),
    action: Action,
  },
  strict,
);
const Enabled = Type.Optional(
  Type.Boolean({ description: 'Whether the room is filtered; absent: as the configuration says' }),
);
const WordsBody = Type.Object(
  { enabled: Enabled, words: Type.Optional(Type.Array(Word, { maxItems: OWN_WORDS_MAX })) },
  strict,
);
const WordsAnswer = Type.Object({
  enabled: Type.Boolean({ description: 'Whether the room is filtered now' }),
  listed: { ...Whole, description: "Words of the configuration's lists" },
  own: Type.Object({ enabled: Enabled, words: Type.Array(Word) }),
});
const ReviewParams = Type.Object(
  { room: S.RoomParams.properties.room, id: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }) },
  strict,
);
const ReviewBody = Type.Object(
  {
    action: Type.Unsafe<'approve' | 'reject'>({
      type: 'string',
      enum: ['approve', 'reject'],
      description: 'Approved, it is published; rejected, nobody sees it',
    }),
  },
  strict,
);
const ReviewAnswer = Type.Object({
  id: Type.String(),
  user: SpeakerSchema,
  kind: Type.String(),
  text: Type.Optional(Type.String()),
  style: Type.Optional(StyleSchema),
  data: Type.Optional(Type.Unknown()),
  heldAt: Whole,
  expiresAt: Whole,
  by: Type.Unsafe<'words' | 'callback'>({ type: 'string', enum: ['words', 'callback'] }),
  reason: Type.Optional(Type.String({ description: 'The word, or what the back end said' })),
});
const ReviewsAnswer = Type.Object({
  items: Type.Array(ReviewAnswer),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});
const ReviewEndAnswer = Type.Object({
  id: Type.String(),
  action: ReviewBody.properties.action,
  publication: Type.Optional(S.FatedAnswer),
});

export function wordRoutes(calls: WordCalls): Route[] {
  const url = '/v1/rooms/:room/words';
  const of = { url, group: 'words', params: S.RoomParams, status: 200, answer: WordsAnswer };
  return [
    route({
      ...of,
      method: 'GET',
      summary: "Read a room's word filter",
      run: ({ params }) => calls.read(params.room),
    }),
    route({
      ...of,
      method: 'PUT',
      summary: "Set a room's own words and whether it is filtered",
      body: WordsBody,
      run: ({ params, body }) =>
        calls.set(params.room, { words: [], ...body } as unknown as OwnWords),
    }),
    route({
      ...of,
      method: 'DELETE',
      summary: 'Be filtered as the configuration says again',
      run: ({ params }) => calls.clear(params.room),
    }),
  ];
}

export function reviewRoutes(calls: ReviewCalls): Route[] {
  const url = '/v1/rooms/:room/reviews';
  const group = 'reviews';
  return [
    route({
      method: 'GET',
      url,
      group,
      summary: 'List danmaku held for review, the oldest first, page by page',
      params: S.RoomParams,
      query: S.UsersQuery,
      status: 200,
      answer: ReviewsAnswer,
      run: ({ params, query }) =>
        calls.list(params.room, query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      method: 'POST',
      url: `${url}/:id`,
      group,
      summary: 'Approve or reject a held danmaku',
      params: ReviewParams,
      body: ReviewBody,
      status: 200,
      answer: ReviewEndAnswer,
      run: ({ params, body }) =>
        body.action === 'approve'
          ? calls.approve(params.room, params.id)
          : calls.reject(params.room, params.id),
    }),
  ];
}
