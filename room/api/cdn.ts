/** Owns the routes of CDNs: how it stands with a room, and the table of all rooms. */
import { Type } from '@sinclair/typebox';
import { CDN_CHOICES } from '../../src/room-settings.js';
import { CDNS_MAX, CdnSpecSchema, type CdnSpec } from '../../src/wire/cdn-state.js';
import type { CdnCalls } from '../calls/cdn.js';
import { CDN_WHYS, type CdnWhy } from '../core/cdn-switch.js';
import { CDNS_SHARD } from '../cdn/desk.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const strict = { additionalProperties: false } as const;
const Word = <const T extends string>(...words: T[]) =>
  Type.Unsafe<T>({ type: 'string', enum: words });
const RoomAnswer = Type.Object({
  choice: Word(...CDN_CHOICES),
  mode: Word('off', 'on'),
  since: Type.Integer({ description: 'Unix milliseconds of the last change; 0: never' }),
  why: Type.Unsafe<CdnWhy>({
    ...{ type: 'string', enum: CDN_WHYS },
    description:
      'Of the last change; audience, egress: the mark that it went over, or fell below last',
  }),
  online: Type.Integer(),
  egressBytesPerSecond: Type.Integer({
    description:
      'Droppable bytes that the audience asks for, by whichever way, before compression, over about 10 s',
  }),
  written: Type.Boolean({ description: "A pusher writes the files of the room's shard" }),
  sources: Type.Array(
    Type.Object({ id: Type.String(), url: Type.String(), weight: Type.Integer() }),
    { description: 'As viewers are told them' },
  ),
  regions: Type.Record(Type.String(), Type.Array(Type.Union([Type.Integer(), Type.Null()])), {
    description: 'Weights of viewers of some regions, in the order of sources; null: not for them',
  }),
});
const Spec = Type.Unsafe<CdnSpec>(CdnSpecSchema);
const TableBody = Type.Object(
  {
    cdns: Type.Array(Spec, { maxItems: CDNS_MAX, description: 'None: no room is on a CDN' }),
  },
  strict,
);
const TableAnswer = Type.Object({
  isOwn: Type.Boolean({ description: 'Set by a call; false: as the configuration file has it' }),
  cdns: Type.Array(
    Type.Object({
      spec: Spec,
      weight: Type.Integer({ description: 'Share of the viewers now, of the greatest 100' }),
      regions: Type.Record(Type.String(), Type.Integer(), {
        description: 'Weights of regions that differ or were heard of',
      }),
      seen: Type.Object(
        {
          requests: Type.Integer(),
          ok: Type.Number(),
          delayMs: Type.Number(),
          mbps: Type.Number(),
          slowMs: Type.Optional(
            Type.Number({ description: 'Delay that nine tenths of the last minute keep' }),
          ),
          missed: Type.Optional(Type.Number({ description: 'Share of segments missed in it' })),
        },
        { description: 'What viewers reported of the last 10 s; bandwidth: of 30 s, uncompressed' },
      ),
      state: Type.String({ description: 'unseen, fine, down, probing, or mixed by region' }),
    }),
  ),
});
/** One service keeps the table. */
const reach = () => CDNS_SHARD;
const table = { url: '/v1/cdns', group: 'cdn', reach, status: 200, answer: TableAnswer };

export function cdnRoutes(calls: CdnCalls): Route[] {
  return [
    route({
      ...{ method: 'GET' as const, url: '/v1/rooms/:room/cdn', group: 'cdn', status: 200 },
      summary: 'Whether the room is on the CDN, since when and why',
      params: S.RoomParams,
      answer: RoomAnswer,
      run: ({ params }) => calls.room(params.room),
    }),
    route({
      ...{ method: 'GET' as const, ...table },
      summary: 'The CDNs viewers read from, how they fare and their shares',
      run: () => calls.cdns(),
    }),
    route({
      ...{ method: 'PUT' as const, ...table },
      summary: 'Set the CDNs, in place of those of the configuration file',
      body: TableBody,
      run: ({ body }) => calls.setCdns(body.cdns),
    }),
    route({
      ...{ method: 'DELETE' as const, ...table },
      summary: 'Give the CDNs back to the configuration file',
      run: () => calls.setCdns(undefined),
    }),
  ];
}
