/** Owns the routes about whom publications are meant for: users' tags, broadcasts, deliveries. */
import type { Static } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import type { Draft } from '../calls/calls.js';
import type { BroadcastScope, ScopeCalls } from '../calls/scopes.js';
import { invalid } from './errors.js';
import { ofUsersKey } from './forward/reach.js';
import { checkDraft, fingerprintOf } from './input.js';
import { route, type Route } from './route.js';
import * as B from './scope-schemas.js';
import * as S from './schemas.js';

export function scopeRoutes(calls: ScopeCalls): Route[] {
  return [...tagRoutes(calls), broadcastRoute(calls), ...deliveryRoutes(calls)];
}

function tagRoutes(calls: ScopeCalls): Route[] {
  const group = 'tags';
  const url = '/v1/rooms/:room/tags';
  const user = { group, url: `${url}/:user`, params: S.UserParams };
  return [
    route({
      ...{ method: 'GET', url, group, summary: 'List users with tags of the room, page by page' },
      params: S.RoomParams,
      query: S.UsersQuery,
      status: 200,
      answer: B.TaggedUsersAnswer,
      run: ({ params, query }) =>
        calls.listTags(params.room, query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      ...{ ...user, method: 'GET', summary: 'The tags a user has in the room' },
      status: 200,
      answer: B.TaggedUserAnswer,
      run: ({ params }) => calls.readTags(params.room, params.user),
    }),
    route({
      ...{ ...user, method: 'PUT', summary: 'Give a user tags beside those of its token' },
      body: B.TagsBody,
      status: 200,
      answer: B.TaggedUserAnswer,
      run: ({ params, body }) => calls.setTags(params.room, params.user, body.tags),
    }),
    route({
      ...{ ...user, method: 'DELETE', summary: 'Take away the tags a user has in the room' },
      status: 204,
      run: async ({ params }) => {
        const { tags } = await calls.readTags(params.room, params.user);
        if (tags.length === 0) {
          throw new BarrageError('not_found', 'the user has no tags here', { field: 'user' });
        }
        await calls.setTags(params.room, params.user, []);
      },
    }),
  ];
}

function broadcastRoute(calls: ScopeCalls): Route {
  return route({
    method: 'POST',
    url: '/v1/broadcasts',
    reach: ofUsersKey,
    group: 'broadcasts',
    summary: 'Publish in every room of a zone, in all rooms, or to users wherever they are',
    headers: S.IdempotencyHeaders,
    body: B.BroadcastBody,
    status: 200,
    answer: B.BroadcastAnswer,
    run: ({ body, headers }) => {
      const { to, ...said } = body;
      const scope = scopeOf(to);
      const narrowed = to.tags === undefined ? said : { ...said, to: { tags: to.tags } };
      const draft = narrowed as Draft;
      checkDraft(draft);
      const key = headers['idempotency-key'] as string | undefined;
      const repeat = key && { key: { key, fingerprint: fingerprintOf({ ...draft, data: body }) } };
      return calls.broadcast({ scope, draft, ...(repeat || {}) });
    },
  });
}

/** The one scope named; throws `invalid` for none or several. */
function scopeOf(to: Static<typeof B.BroadcastBody>['to']): BroadcastScope {
  const { zone, all, users, tags } = to;
  const named = [zone, all, users].filter((each) => each !== undefined).length;
  if (named !== 1) throw invalid('to', 'one of zone, all and users');
  if (users !== undefined) {
    if (tags !== undefined) throw invalid('to.tags', 'not together with to.users');
    return { users };
  }
  return zone === undefined ? { all: true } : { zone };
}

function deliveryRoutes(calls: ScopeCalls): Route[] {
  const summary = 'How far a publication meant for some has got';
  return [
    route({
      ...{ method: 'GET', group: 'publications', summary },
      url: '/v1/rooms/:room/publications/:id/delivery',
      params: S.PublicationParams,
      status: 200,
      answer: B.DeliveryAnswer,
      run: ({ params }) => calls.delivery(params.room, params.id),
    }),
    route({
      ...{ method: 'GET', group: 'broadcasts', summary: 'How far a broadcast to users has got' },
      url: '/v1/broadcasts/:id/delivery',
      reach: 'all',
      params: B.DeliveryParams,
      status: 200,
      answer: B.DeliveryAnswer,
      run: ({ params }) => calls.delivery(undefined, params.id),
    }),
  ];
}
