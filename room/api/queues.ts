/** Owns the routes of a room's queues. */
import { Type } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { NameSchema, RoomIdSchema, UserIdSchema } from '../../src/wire/schema.js';
import type { QueueAsk, QueueCalls, QueueOp, QueuePut } from '../calls/queues.js';
import { QUEUE_ENTRIES_MAX, QUEUE_NAME_PATTERN } from '../core/queues.js';
import { asGiven } from './input.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const strict = { additionalProperties: false } as const;
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Places = (minimum: number, description: string) =>
  Type.Integer({ minimum, maximum: QUEUE_ENTRIES_MAX, description });
const QueueParams = Type.Object(
  {
    room: Type.Unsafe<RoomId>(RoomIdSchema),
    queue: Type.String({ pattern: QUEUE_NAME_PATTERN, description: 'Name of the queue' }),
  },
  strict,
);
const PutBody = Type.Object(
  {
    open: Type.Optional(Type.Boolean({ description: 'Whether more may come in' })),
    seats: Type.Optional(Places(0, 'Places that are taken by who grabs first; 0: no grabbing')),
    max: Type.Optional(Places(1, 'Most entries')),
    leaveWithRoom: Type.Optional(Type.Boolean({ description: 'Who leaves the room leaves it' })),
  },
  strict,
);
const OPS: readonly QueueOp[] = ['join', 'grab', 'leave', 'skip', 'move', 'clear'];
const ActBody = Type.Object(
  {
    op: Type.Unsafe<QueueOp>({
      type: 'string',
      enum: [...OPS],
      description: '`skip`: the first goes; `grab`: only while a seat is free',
    }),
    user: Type.Optional(Type.Unsafe<UserId>(UserIdSchema)),
    name: Type.Optional(NameSchema),
    to: Type.Optional(Places(0, 'Of `move`: place from 0')),
  },
  strict,
);
const fields = {
  queue: Type.String(),
  version: Whole,
  open: Type.Boolean(),
  seats: Whole,
  max: Whole,
  leaveWithRoom: Type.Boolean(),
  count: Whole,
};
const Entry = Type.Object({ id: Type.String(), name: Type.Optional(Type.String()), at: Whole });
const ListAnswer = Type.Object({ queues: Type.Array(Type.Object(fields)) });
const PageAnswer = Type.Object({ ...fields, entries: Type.Array(Entry) });

export function queueRoutes(calls: QueueCalls): Route[] {
  const group = 'queues';
  const one = { url: '/v1/rooms/:room/queues/:queue', group, params: QueueParams };
  return [
    route({
      ...{ method: 'GET' as const, url: '/v1/rooms/:room/queues', group, status: 200 },
      summary: 'List the queues',
      params: S.RoomParams,
      answer: ListAnswer,
      run: ({ params }) => calls.list(params.room),
    }),
    route({
      ...{ method: 'GET' as const, ...one, status: 200 },
      summary: 'Read a queue with its entries',
      answer: PageAnswer,
      run: ({ params }) => calls.read(params.room, params.queue),
    }),
    route({
      ...{ method: 'PUT' as const, ...one, status: 200 },
      summary: 'Make a queue or change its terms',
      body: PutBody,
      bodyOptional: true,
      answer: PageAnswer,
      run: ({ params, body }) => calls.put(params.room, params.queue, asGiven<QueuePut>(body)),
    }),
    route({
      ...{ method: 'DELETE' as const, ...one, status: 204 },
      summary: 'Delete a queue',
      run: async ({ params }) => {
        if (await calls.remove(params.room, params.queue)) return;
        throw new BarrageError('not_found', 'no such queue', { field: 'queue' });
      },
    }),
    route({
      ...{ method: 'POST' as const, ...one, url: `${one.url}/acts`, status: 200 },
      summary: 'Join, grab, leave, skip, move or clear',
      body: ActBody,
      answer: PageAnswer,
      run: ({ params, body }) => calls.act(params.room, params.queue, asGiven<QueueAsk>(body)),
    }),
  ];
}
