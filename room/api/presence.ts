/** Owns the routes about who is in a room. */
import { Type } from '@sinclair/typebox';
import type { PresenceCalls } from '../calls/presence.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const memberFields = {
  user: Type.String(),
  name: Type.Optional(Type.String()),
  level: Type.Optional(Whole),
  badge: Type.Optional(Type.String()),
};
const connections = {
  ...Whole,
  description: 'On all edges; 0 while it may still come back within presenceLingerMs',
};
const since = { ...Whole, description: 'When it came, Unix milliseconds' };
const MembersAnswer = Type.Object({
  members: Type.Array(Type.Object({ ...memberFields, since, connections })),
  users: { ...Whole, description: 'Users in the room' },
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});
const MemberAnswer = Type.Object({
  present: Type.Boolean(),
  ...memberFields,
  since: Type.Optional(since),
  connections,
});

export function presenceRoutes(calls: PresenceCalls): Route[] {
  const url = '/v1/rooms/:room/members';
  return [
    route({
      method: 'GET',
      url,
      group: 'members',
      summary: 'List the users in a room by id, page by page; 409 where only numbers are kept',
      params: S.RoomParams,
      query: S.UsersQuery,
      status: 200,
      answer: MembersAnswer,
      run: ({ params, query }) =>
        calls.members(params.room, query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      method: 'GET',
      url: `${url}/:user`,
      group: 'members',
      summary: 'Read whether a user is in a room, since when, over how many connections',
      params: S.UserParams,
      status: 200,
      answer: MemberAnswer,
      run: ({ params }) => calls.member(params.room, params.user),
    }),
  ];
}
