/** Owns the routes about users of a room: mutes, bans, the allow-list, and kicks. */
import type { Static } from '@sinclair/typebox';
import type { Clock } from '../../src/ports/clock.js';
import { BarrageError } from '../../src/errors.js';
import type { Kick, RoomCalls, Sanction, SanctionKind } from '../calls/calls.js';
import type { UserId } from '../../src/ids.js';
import { invalid } from './errors.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const ABOUT: Readonly<Record<SanctionKind, readonly [one: string, list: string]>> = {
  mutes: ['Mute a user', 'muted users'],
  bans: ['Ban a user; its connections to the room end', 'banned users'],
  allowed: ['Allow a user: high lane, no slow mode, never kicked', 'allowed users'],
};

export function sanctionRoutes(calls: RoomCalls, clock: Clock): Route[] {
  const kinds: readonly SanctionKind[] = ['mutes', 'bans', 'allowed'];
  return [...kinds.flatMap((kind) => routesOf(kind, calls, clock)), kickRoute(calls)];
}

function routesOf(kind: SanctionKind, calls: RoomCalls, clock: Clock): Route[] {
  const [one, list] = ABOUT[kind];
  const url = `/v1/rooms/:room/${kind}`;
  return [
    route({
      method: 'GET',
      url,
      group: kind,
      summary: `List ${list}, page by page`,
      params: S.RoomParams,
      query: S.UsersQuery,
      status: 200,
      answer: S.SanctionsAnswer,
      run: ({ params, query }) =>
        calls.sanctions(params.room, kind, query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      method: 'PUT',
      url: `${url}/:user`,
      group: kind,
      summary: one,
      params: S.UserParams,
      body: S.SanctionBody,
      bodyOptional: true,
      status: 200,
      answer: S.SanctionAnswer,
      run: ({ params, body }) =>
        calls.impose(params.room, kind, sanctionOf(params.user, body, clock.now())),
    }),
    route({
      method: 'DELETE',
      url: `${url}/:user`,
      group: kind,
      summary: `Take a user out of the ${list}`,
      params: S.UserParams,
      status: 204,
      run: async ({ params }) => {
        if (await calls.lift(params.room, kind, params.user)) return;
        throw new BarrageError('not_found', `the user is not among the ${list}`, { field: 'user' });
      },
    }),
  ];
}

function kickRoute(calls: RoomCalls): Route {
  return route({
    method: 'POST',
    url: '/v1/rooms/:room/kicks',
    group: 'kicks',
    summary: "End a user's connections to the room; with forMs the user is banned so long",
    params: S.RoomParams,
    body: S.KickBody,
    status: 204,
    run: ({ params, body }) => calls.kick(params.room, body.user, kickOf(body)),
  });
}

function kickOf({ reason = '', forMs }: Static<typeof S.KickBody>): Kick {
  return forMs === undefined ? { reason } : { reason, forMs };
}

/** The sanction a body asks for; throws `invalid` for two ends or one that has passed. */
export function sanctionOf(
  user: UserId,
  body: {
    readonly forMs?: number | undefined;
    readonly until?: number | undefined;
    readonly reason?: string | undefined;
  },
  now: number,
): Sanction {
  const { forMs, until, reason } = body;
  if (forMs !== undefined && until !== undefined) throw invalid('until', 'not together with forMs');
  if (until !== undefined && until !== 0 && until <= now) throw invalid('until', 'in the future');
  const end = forMs === undefined ? (until ?? 0) : Math.ceil(now + forMs);
  return { user, until: end, ...(reason === undefined ? {} : { reason }) };
}
