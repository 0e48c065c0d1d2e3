/** Owns the routes of the studio's orders: mute all, roles, pins, drafts, announcements. */
import type { Static } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import { VERDICT_STATUS } from '../../src/verdict.js';
import type { OrderCalls } from '../calls/orders.js';
import type { Draft } from '../calls/calls.js';
import type { Schedule } from '../core/announcements.js';
import { MUTE_ALL_ROLES, type MuteAll } from '../core/mute-all.js';
import { invalid, VerdictError } from './errors.js';
import { checkDraft } from './input.js';
import * as O from './order-schemas.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

export function orderRoutes(calls: OrderCalls, clock: Clock): Route[] {
  return [
    ...muteAllRoutes(calls, clock),
    ...roleRoutes(calls),
    ...pinRoutes(calls),
    ...stagedRoutes(calls),
    ...announcementRoutes(calls, clock),
  ];
}

function muteAllRoutes(calls: OrderCalls, clock: Clock): Route[] {
  const one = { url: '/v1/rooms/:room/mute-all', group: 'mutes', params: S.RoomParams };
  return [
    route({
      ...one,
      method: 'PUT',
      summary: 'Mute everyone but the roles and users named',
      body: O.MuteAllBody,
      bodyOptional: true,
      status: 200,
      answer: O.MuteAllAnswer,
      run: ({ params, body }) => calls.muteAll(params.room, muteAllOf(body, clock.now())),
    }),
    route({
      ...one,
      method: 'GET',
      summary: 'Read whether everyone is muted, until when, and who is not',
      status: 200,
      answer: O.MuteAllAnswer,
      run: ({ params }) => calls.mutedAll(params.room),
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Let everyone speak again',
      status: 204,
      run: async ({ params }) => found(await calls.unmuteAll(params.room), 'mute-all'),
    }),
  ];
}

function roleRoutes(calls: OrderCalls): Route[] {
  const url = '/v1/rooms/:room/roles';
  return [
    route({
      ...{ method: 'GET', url, group: 'roles', params: S.RoomParams, query: S.UsersQuery },
      summary: 'List the roles granted in the room, page by page',
      status: 200,
      answer: O.RolesAnswer,
      run: ({ params, query }) =>
        calls.roles(params.room, query.after ?? '', query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      ...{ method: 'PUT', url: `${url}/:user`, group: 'roles', params: S.UserParams },
      summary: "Give a user a role in the room, whatever its token's",
      body: O.RoleBody,
      status: 200,
      answer: O.RoleAnswer,
      run: ({ params, body }) => calls.grantRole(params.room, params.user, body.role),
    }),
    route({
      ...{ method: 'DELETE', url: `${url}/:user`, group: 'roles', params: S.UserParams },
      summary: "Take a granted role back; the token's holds again",
      status: 204,
      run: async ({ params }) => found(await calls.revokeRole(params.room, params.user), 'user'),
    }),
    route({
      ...{ method: 'DELETE', url: '/v1/rooms/:room/publications', group: 'publications' },
      summary: 'Take back what a user said, the newest first',
      params: S.RoomParams,
      query: O.RecallUserQuery,
      status: 200,
      answer: O.RecallUserAnswer,
      run: ({ params, query }) => calls.recallUser(params.room, query.user),
    }),
  ];
}

function pinRoutes(calls: OrderCalls): Route[] {
  const group = 'pins';
  const url = '/v1/rooms/:room/pins';
  return [
    route({
      ...{ method: 'GET', url, group, params: S.RoomParams },
      summary: 'List what is pinned, oldest first',
      status: 200,
      answer: O.PinsAnswer,
      run: async ({ params }) => ({ pins: [...(await calls.pins(params.room))] }),
    }),
    route({
      ...{ method: 'POST', url, group, params: S.RoomParams, body: O.PinDraftBody },
      summary: 'Publish and pin',
      status: 201,
      answer: O.PinAnswer,
      run: ({ params, body }) => calls.pinDraft(params.room, draftOf(body.draft)),
    }),
    route({
      ...{ method: 'PUT', url: `${url}/:id`, group, params: O.IdParams },
      summary: 'Pin a publication; the oldest pin goes when there are too many',
      status: 200,
      answer: O.PinAnswer,
      run: ({ params }) => calls.pin(params.room, params.id),
    }),
    route({
      ...{ method: 'DELETE', url: `${url}/:id`, group, params: O.IdParams },
      summary: 'Unpin a publication',
      status: 204,
      run: async ({ params }) => found(await calls.unpin(params.room, params.id), 'id'),
    }),
  ];
}

function stagedRoutes(calls: OrderCalls): Route[] {
  const group = 'drafts';
  const url = '/v1/rooms/:room/drafts';
  const one = { url: `${url}/:id`, group, params: O.IdParams, status: 200, answer: O.StagedAnswer };
  return [
    route({
      ...{ method: 'POST', url, group, params: S.RoomParams, body: O.StageBody },
      summary: 'Stage a publication without sending it',
      status: 201,
      answer: O.StagedAnswer,
      run: async ({ params, body }) =>
        shown(await calls.stage(params.room, draftOf(body.draft), body.preview)),
    }),
    route({
      ...{ method: 'GET', url, group, params: S.RoomParams },
      summary: 'List staged publications, oldest first',
      status: 200,
      answer: O.StagedListAnswer,
      run: async ({ params }) => ({ drafts: (await calls.drafts(params.room)).map(shown) }),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change a draft',
      body: O.EditStagedBody,
      run: async ({ params, body }) => {
        const change = body.draft as Partial<Draft>;
        if (change.kind !== undefined) checkDraft(change as Draft);
        return shown(await calls.editStaged(params.room, params.id, change));
      },
    }),
    route({
      ...{ method: 'POST', url: `${url}/:id/publish`, group, params: O.IdParams },
      summary: 'Publish a draft, once',
      status: 200,
      answer: S.FatedAnswer,
      run: async ({ params }) => {
        const fated = await calls.publishStaged(params.room, params.id);
        if (VERDICT_STATUS[fated.verdict] === 200) return fated;
        throw new VerdictError(fated.verdict, fated.retryAfterMs);
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Withdraw: a draft is given up, a published one recalled',
      run: async ({ params }) => shown(await calls.withdrawStaged(params.room, params.id)),
    }),
  ];
}

function announcementRoutes(calls: OrderCalls, clock: Clock): Route[] {
  const group = 'announcements';
  const url = '/v1/rooms/:room/announcements';
  return [
    route({
      ...{ method: 'POST', url, group, params: S.RoomParams, body: O.AnnouncementBody },
      summary: 'Announce at a time, once or again and again',
      status: 201,
      answer: O.AnnouncementAnswer,
      run: async ({ params, body }) => {
        const schedule = scheduleOf(body, clock.now());
        return shown(await calls.announce(params.room, schedule, draftOf(body.draft)));
      },
    }),
    route({
      ...{ method: 'GET', url, group, params: S.RoomParams },
      summary: 'List announcements by their next time',
      status: 200,
      answer: O.AnnouncementsAnswer,
      run: async ({ params }) => ({
        announcements: (await calls.announcements(params.room)).map(shown),
      }),
    }),
    route({
      ...{ method: 'DELETE', url: `${url}/:id`, group, params: O.IdParams },
      summary: 'Take an announcement out',
      status: 204,
      run: async ({ params }) =>
        found(await calls.removeAnnouncement(params.room, params.id), 'id'),
    }),
  ];
}

/** Throws `invalid` for two ends or one that has passed. */
function muteAllOf(body: Static<typeof O.MuteAllBody>, now: number): MuteAll {
  const { forMs, until, except } = body;
  if (forMs !== undefined && until !== undefined) throw invalid('until', 'not together with forMs');
  return {
    until: forMs === undefined ? (until ?? 0) : Math.ceil(now + forMs),
    except: { roles: except?.roles ?? MUTE_ALL_ROLES, users: except?.users ?? [] },
  };
}

/** Throws `invalid` for times that do not fit each other. */
function scheduleOf(body: Static<typeof O.AnnouncementBody>, now: number): Schedule {
  const { everyMs, until } = body;
  const at = body.at ?? Math.floor(now);
  if (everyMs === undefined && until !== undefined) throw invalid('until', 'only with everyMs');
  if (at < now - 1000) throw invalid('at', 'not in the past');
  if (until !== undefined && until < at) throw invalid('until', 'not before at');
  if (until !== undefined && until < now) throw invalid('until', 'in the future');
  return {
    at,
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(until === undefined ? {} : { until }),
  };
}

function draftOf(draft: Static<typeof S.DraftBody>): Draft {
  checkDraft(draft as Draft);
  return draft as Draft;
}

/** A draft is answered as it was posted; its schema would only repeat that of the input. */
function shown<T extends { readonly draft: Draft }>(view: T) {
  return { ...view, draft: { ...view.draft } as Record<string, unknown> };
}

function found(was: boolean, field: string): void {
  if (!was) throw new BarrageError('not_found', 'there was none', { field });
}
