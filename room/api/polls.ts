/** Owns the routes of a room's polls. */
import { Type } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { RoomIdSchema } from '../../src/wire/schema.js';
import type { PollCalls, PollPut } from '../calls/polls.js';
import {
  POLL_MS_MAX,
  POLL_NAME_PATTERN,
  POLL_OPTIONS_MAX,
  POLL_OPTIONS_MIN,
  POLL_VOTERS_MAX,
  type PollStatus,
} from '../core/polls.js';
import { asGiven } from './input.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const strict = { additionalProperties: false } as const;
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Words = (maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' });
const PollParams = Type.Object(
  {
    room: Type.Unsafe<RoomId>(RoomIdSchema),
    poll: Type.String({ pattern: POLL_NAME_PATTERN, description: 'Name of the poll' }),
  },
  strict,
);
const PollBody = Type.Object(
  {
    question: Words(200),
    options: Type.Array(Words(100), { minItems: POLL_OPTIONS_MIN, maxItems: POLL_OPTIONS_MAX }),
    changeable: Type.Optional(Type.Boolean({ description: 'A user may vote again' })),
    votersMax: Type.Optional(Type.Integer({ minimum: 1, maximum: POLL_VOTERS_MAX })),
    opensAt: Type.Optional({ ...Whole, description: 'Unix milliseconds; absent: now' }),
    endsAt: Type.Optional({ ...Whole, description: 'Unix milliseconds; absent: by hand' }),
    forMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: POLL_MS_MAX, description: 'In place of endsAt' }),
    ),
  },
  strict,
);
const PollAnswer = Type.Object({
  poll: Type.String(),
  question: Type.String(),
  options: Type.Array(Type.String()),
  changeable: Type.Boolean(),
  status: Type.Unsafe<PollStatus>({ type: 'string', enum: ['waiting', 'open', 'ended'] }),
  opensAt: Whole,
  endsAt: Type.Optional(Whole),
  counts: Type.Array(Whole, { description: 'Votes of each option' }),
  voters: Whole,
});
const ListAnswer = Type.Object({ polls: Type.Array(PollAnswer) });

export function pollRoutes(calls: PollCalls): Route[] {
  const group = 'polls';
  const one = { url: '/v1/rooms/:room/polls/:poll', group, params: PollParams };
  return [
    route({
      ...{ method: 'GET' as const, url: '/v1/rooms/:room/polls', group, status: 200 },
      summary: 'List the polls with their counts',
      params: S.RoomParams,
      answer: ListAnswer,
      run: ({ params }) => calls.list(params.room),
    }),
    route({
      ...{ method: 'GET' as const, ...one, status: 200 },
      summary: 'Read a poll with its counts',
      answer: PollAnswer,
      run: ({ params }) => calls.read(params.room, params.poll),
    }),
    route({
      ...{ method: 'PUT' as const, ...one, status: 201 },
      summary: 'Make a poll; it opens and ends at its times',
      body: PollBody,
      answer: PollAnswer,
      run: ({ params, body }) => calls.create(params.room, params.poll, asGiven<PollPut>(body)),
    }),
    route({
      ...{ method: 'POST' as const, ...one, url: `${one.url}/end`, status: 200 },
      summary: 'End a poll now; its counts stay',
      answer: PollAnswer,
      run: ({ params }) => calls.end(params.room, params.poll),
    }),
    route({
      ...{ method: 'DELETE' as const, ...one, status: 204 },
      summary: 'Delete a poll and its counts',
      run: async ({ params }) => {
        if (await calls.remove(params.room, params.poll)) return;
        throw new BarrageError('not_found', 'no such poll', { field: 'poll' });
      },
    }),
  ];
}
