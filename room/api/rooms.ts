/** Owns the routes of rooms themselves: create, list, read, change, close, their limits and stats. */
import type { RoomCalls } from '../calls/calls.js';
import { ofNewRoom } from './forward/reach.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

export function roomRoutes(calls: RoomCalls): Route[] {
  return [...wholeRoomRoutes(calls), ...limitRoutes(calls)];
}

function wholeRoomRoutes(calls: RoomCalls): Route[] {
  const group = 'rooms';
  const one = { group, url: '/v1/rooms/:room', params: S.RoomParams, answer: S.RoomAnswer };
  return [
    route({
      method: 'POST',
      url: '/v1/rooms',
      group,
      summary: 'Create a room',
      reach: ofNewRoom,
      body: S.RoomSpecBody,
      status: 201,
      answer: S.RoomAnswer,
      run: async ({ body, reply }) => {
        const made = await calls.create(body);
        void reply.header('location', `/v1/rooms/${made.room}`);
        return made;
      },
    }),
    route({
      method: 'GET',
      url: '/v1/rooms',
      group,
      summary: 'List rooms, page by page',
      reach: 'all',
      query: S.RoomsQuery,
      status: 200,
      answer: S.RoomsAnswer,
      run: ({ query }) => calls.list(query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Read a room',
      status: 200,
      run: ({ params }) => calls.read(params.room),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change title, labels or status',
      body: S.RoomChangeBody,
      status: 200,
      run: ({ params, body }) => calls.change(params.room, body),
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Close a room; its viewers are told and leave',
      status: 200,
      run: ({ params }) => calls.close(params.room),
    }),
  ];
}

function limitRoutes(calls: RoomCalls): Route[] {
  const params = S.RoomParams;
  const url = '/v1/rooms/:room/limits';
  return [
    route({
      method: 'GET',
      url,
      group: 'limits',
      summary: 'Read the limits that hold and those of the room itself',
      params,
      status: 200,
      answer: S.LimitsAnswer,
      run: ({ params }) => calls.limits(params.room),
    }),
    route({
      method: 'PATCH',
      url,
      group: 'limits',
      summary: 'Change limits while the room runs; with dryRun only say what would change',
      params,
      query: S.DryRunQuery,
      body: S.LimitsBody,
      status: 200,
      answer: S.LimitsChangeAnswer,
      run: ({ params, query, body }) =>
        calls.changeLimits(params.room, body, query.dryRun === true),
    }),
    route({
      method: 'GET',
      url: '/v1/rooms/:room/stats',
      group: 'stats',
      summary: 'Read audience, queues and the ends of all danmaku',
      params,
      status: 200,
      answer: S.StatsAnswer,
      run: ({ params }) => calls.stats(params.room),
    }),
  ];
}
