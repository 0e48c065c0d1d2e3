/**
 * Owns the routes that hand out edges and list them. Who gets which is decided in room/dispatch/;
 * the plain question comes here only when `dispatch-first.ts` left it. Rules: SPEC D-DISP-8 to 11, 14.
 */
import { Type, type Static } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BarrageError } from '../../src/errors.js';
import type { RoomId, UserId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import { isAddress } from '../../src/address-ranges.js';
import { TAG_PATTERN } from '../../src/tags/tag-parser.js';
import { TOKEN_TTL_MS_MAX, TOKEN_TTL_MS_MIN } from './schemas.js';
import type { Tokens } from '../../src/tokens.js';
import { REGION_PATTERN } from '../../src/wire/edge-report.js';
import {
  BadgeSchema,
  LevelSchema,
  NameSchema,
  RoomIdSchema,
  UserIdSchema,
} from '../../src/wire/schema.js';
import type { Role } from '../../src/words.js';
import type { EdgeEntry } from '../dispatch/core/edge-entry.js';
import { COUNT_DEFAULT, COUNT_MAX, type OnCdn } from '../dispatch/desk.js';
import type { RunningDispatch } from '../dispatch/main.js';
import { headerOf, viewerAddress } from './dispatch-first.js';
import { invalid } from './errors.js';
import { secretOf } from './keys.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';
import { DeviceSchema } from './target-schema.js';
import { issueToken } from './tokens.js';

export interface DispatchRouteParts {
  readonly dispatch?: RunningDispatch;
  readonly tokens: () => Tokens;
  readonly clock: Clock;
  readonly guard: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Life of a token whose caller named none. */
  readonly ttlMs: number;
}

const strict = { additionalProperties: false } as const;
const group = 'dispatch';
const tag = TAG_PATTERN.replace(/^\^|\$$/g, '');
const Region = Type.String({ pattern: REGION_PATTERN, description: 'Where the viewer is' });
const keyed = 'needs a key';

const DispatchQuery = Type.Object(
  {
    room: Type.Optional({ ...Type.Unsafe<RoomId>(RoomIdSchema), description: 'Room to be joined' }),
    region: Type.Optional(Region),
    count: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: COUNT_MAX,
        description: `Most edges, ${COUNT_DEFAULT} by default`,
      }),
    ),
    address: Type.Optional(
      Type.String({ maxLength: 64, description: `Address of the viewer asked for; ${keyed}` }),
    ),
    user: Type.Optional({
      ...Type.Unsafe<UserId>(UserIdSchema),
      description: `With it the answer has a viewer token for the room; ${keyed}`,
    }),
    name: Type.Optional(NameSchema),
    level: Type.Optional(LevelSchema),
    badge: Type.Optional(BadgeSchema),
    role: Type.Optional(
      Type.Unsafe<Role>({ type: 'string', enum: ['member', 'moderator', 'host'] }),
    ),
    tags: Type.Optional(
      Type.String({
        pattern: `^${tag}(,${tag}){0,15}$`,
        maxLength: 1100,
        description: 'Up to 16 tags of the user, separated by commas',
      }),
    ),
    device: Type.Optional(DeviceSchema),
    ttlMs: Type.Optional(
      Type.Integer({
        minimum: TOKEN_TTL_MS_MIN,
        maximum: TOKEN_TTL_MS_MAX,
        description: 'Life of the token',
      }),
    ),
  },
  strict,
);
type Query = Static<typeof DispatchQuery>;

const Place = Type.Object({
  id: Type.String(),
  url: Type.String({ description: 'Base of HTTP addresses' }),
  ws: Type.String({ description: 'Address of the WebSocket' }),
  region: Type.String({ description: 'Empty: of no region' }),
  weight: Type.Integer({ description: 'Place it has left, 1-100 percent' }),
});
const onCdn = {
  now: Type.Optional(Type.Integer({ description: "The room's clock, with `cdn`" })),
  cdn: Type.Optional(
    Type.Object(
      {
        mode: Type.Literal('on'),
        pollMs: Type.Integer(),
        segmentMs: Type.Integer(),
        manifest: Type.String({ description: 'Below the address of each source' }),
        sources: Type.Array(
          Type.Object({ id: Type.String(), url: Type.String(), weight: Type.Number() }),
        ),
      },
      { description: 'Where to read the room, which is on the CDN, while no edge lets in' },
    ),
  ),
};
const NoEdgeAnswer = Type.Object(
  { ...S.ErrorAnswer.properties, ...onCdn },
  { description: 'No edge to give, or failed' },
);
const DispatchAnswer = Type.Object({
  region: Type.String({ description: 'Where the viewer was taken to be' }),
  edges: Type.Array(Place, {
    description: 'The first is to be taken, the next ones are for when it fails',
  }),
  cdns: Type.Array(Type.Object({ id: Type.String(), url: Type.String(), weight: Type.Number() }), {
    description: 'Where droppable publications are to be had, with shares of the viewers',
  }),
  ...onCdn,
  token: Type.Optional(Type.String()),
  expiresAt: Type.Optional(Type.Integer({ description: 'Of the token, Unix milliseconds' })),
});

const Whole = Type.Integer({ minimum: 0 });
const EdgesAnswer = Type.Object({
  edges: Type.Array(
    Type.Object({
      id: Type.String(),
      url: Type.String(),
      region: Type.String(),
      viewers: Whole,
      capacity: Whole,
      expected: { ...Whole, description: 'Handed out and not reported yet' },
      egressBytesPerSecond: Whole,
      busy: Type.Number({ description: 'Share of a core' }),
      lagMs: Type.Number(),
      draining: Type.Boolean(),
      silentMs: { ...Whole, description: 'Since it was heard of' },
    }),
  ),
  next: Type.Optional(Type.String({ description: 'Absent on the last page' })),
});

/** No edge to give: come again after so long, and not all at once. */
const RETRY_MS = 1000;
const RETRY_SPREAD_MS = 2000;
/** What only a caller with a key may say. */
const KEYED = ['address', 'user'] as const;
const OF_USER = ['name', 'level', 'badge', 'role', 'tags', 'device', 'ttlMs'] as const;

export function dispatchRoutes(parts: DispatchRouteParts): Route[] {
  const { dispatch } = parts;
  return dispatch === undefined ? [] : [askRoute(parts, dispatch), listRoute(parts, dispatch)];
}

function askRoute(parts: DispatchRouteParts, dispatch: RunningDispatch): Route {
  return route({
    method: 'GET',
    url: '/v1/dispatch',
    reach: 'here',
    group,
    open: true,
    summary: 'Edges for a viewer, the best first; with a key and a user a viewer token too',
    query: DispatchQuery,
    status: 200,
    answer: DispatchAnswer,
    otherAnswers: { 503: NoEdgeAnswer },
    run: async ({ query, reply, headers }) => {
      const { desk, meters } = dispatch;
      const needsKey = !desk.config.public || KEYED.some((name) => query[name] !== undefined);
      if (needsKey || secretOf(headers) !== undefined) await parts.guard(reply.request, reply);
      else void reply.header('access-control-allow-origin', '*');
      checkQuery(query);
      const { room, region, count = COUNT_DEFAULT } = query;
      const header = headerOf(headers, desk.config);
      const address = query.address ?? viewerAddress(reply.request.raw, desk.config);
      const question = { room, region, count, header, address };
      const now = parts.clock.now();
      const text = desk.answer(question, now);
      if (text === undefined) {
        meters.answers.add('none');
        throw noEdge(dispatch, desk.onCdn(question, now));
      }
      meters.answers.add(query.user === undefined ? 'edges' : 'token');
      void reply.type('application/json; charset=utf-8');
      // Text is sent as it is.
      return withToken(text, query, parts) as unknown as Static<typeof DispatchAnswer>;
    },
  });
}

function checkQuery(query: Query): void {
  const { address, user, room } = query;
  if (address !== undefined && !isAddress(address)) throw invalid('address', 'an IP address');
  if (user === undefined) {
    const extra = OF_USER.find((name) => query[name] !== undefined);
    if (extra !== undefined) throw invalid(extra, 'absent without a user');
  } else if (room === undefined) throw invalid('room', 'given with a user');
}

function withToken(text: string, query: Query, parts: DispatchRouteParts): string {
  const { user, room, name, level, badge, role, tags, device, ttlMs } = query;
  if (user === undefined || room === undefined) return text;
  const { token, expiresAt } = issueToken(
    {
      ...{ user, rooms: [room] },
      ...(name !== undefined && { name }),
      ...(level !== undefined && { level }),
      ...(badge !== undefined && { badge }),
      ...(role !== undefined && { role }),
      ...(tags !== undefined && { tags: tags.split(',') }),
      ...(device !== undefined && { device }),
      ...(ttlMs !== undefined && { ttlMs }),
    },
    parts,
  );
  return `${text.slice(0, -1)},"token":"${token}","expiresAt":${expiresAt}}`;
}

function noEdge({ desk }: RunningDispatch, onCdn: OnCdn | undefined): BarrageError {
  const why = desk.table.size === 0 ? 'no edge is known' : 'no edge takes another viewer';
  const retryAfterMs = RETRY_MS + desk.random.below(RETRY_SPREAD_MS);
  return new BarrageError('unavailable', why, { retryAfterMs, ...(onCdn && { beside: onCdn }) });
}

function listRoute({ clock }: DispatchRouteParts, { desk }: RunningDispatch): Route {
  return route({
    method: 'GET',
    url: '/v1/edges',
    reach: 'here',
    group,
    summary: 'List the edges as they reported last, by id, page by page',
    query: S.UsersQuery,
    status: 200,
    answer: EdgesAnswer,
    run: async ({ query }) => {
      const limit = query.limit ?? S.PAGE_DEFAULT;
      const page = desk.table.list(query.after ?? '', limit + 1);
      const edges = page.slice(0, limit).map((entry) => shown(entry, clock.now()));
      return { edges, ...(page.length > limit && { next: page[limit - 1]!.id }) };
    },
  });
}

function shown({ id, report, handed, heardAt }: EdgeEntry, now: number) {
  const { url, region, viewers, capacity, egressBytesPerSecond, busy, lagMs, draining } = report;
  const expected = Math.round(handed);
  const silentMs = Math.max(0, Math.round(now - heardAt));
  return {
    ...{ id, url, region, viewers, capacity, expected, egressBytesPerSecond, busy, lagMs },
    ...{ draining, silentMs },
  };
}
