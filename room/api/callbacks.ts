/** Owns the routes about a room's callbacks to the studio's back end. */
import { Type } from '@sinclair/typebox';
import {
  CALLBACK_EVENTS,
  CALLBACK_SECRET_PATTERN,
  CALLBACK_URL_CHARACTERS_MAX,
  CALLBACK_URL_RULE,
  isCallbackUrl,
  ON_FAILURES,
  type CallbackEvent,
  type OnFailure,
} from '../../src/callbacks/settings.js';
import { KindSchema } from '../../src/wire/schema.js';
import type { CallbackCalls, OwnCallbacks } from '../calls/callbacks.js';
import { invalid } from './errors.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

const words = <const T extends string>(list: readonly T[]) =>
  Type.Unsafe<T>({ type: 'string', enum: [...list] });
const KINDS_MAX = 100;

const settings = {
  url: Type.Optional(
    Type.String({
      maxLength: CALLBACK_URL_CHARACTERS_MAX,
      description: `${CALLBACK_URL_RULE}; empty: nobody is called`,
    }),
  ),
  events: Type.Optional(
    Type.Array(words<CallbackEvent>(CALLBACK_EVENTS), {
      uniqueItems: true,
      description: '`before_publish` asks for a judgement, the others tell',
    }),
  ),
  kinds: Type.Optional(
    Type.Array(KindSchema, { maxItems: KINDS_MAX, description: 'Kinds that are asked about' }),
  ),
  beforeTimeoutMs: Type.Optional(
    Type.Integer({ minimum: 10, maximum: 5000, description: 'A judgement is waited for' }),
  ),
  onFailure: Type.Optional(
    Type.Unsafe<Record<string, OnFailure>>({
      type: 'object',
      description: 'By kind: without a judgement it is let in (open, the default) or not (closed)',
      maxProperties: KINDS_MAX,
      propertyNames: { pattern: KindSchema.pattern },
      additionalProperties: { type: 'string', enum: [...ON_FAILURES] },
    }),
  ),
};
const CallbacksBody = Type.Object(
  {
    ...settings,
    secret: Type.Optional(
      Type.String({
        pattern: CALLBACK_SECRET_PATTERN,
        description: 'Signs every call; never told again. Without it the one set before stays',
      }),
    ),
  },
  { additionalProperties: false, description: 'What is absent follows the configuration' },
);
const Shown = Type.Object({ ...settings, hasSecret: Type.Boolean() });
const CallbacksAnswer = Type.Object({ effective: Shown, own: Shown });

export function callbackRoutes(calls: CallbackCalls): Route[] {
  const url = '/v1/rooms/:room/callbacks';
  const group = 'callbacks';
  return [
    route({
      method: 'GET',
      url,
      group,
      summary: "Read how a room calls the studio's back end",
      params: S.RoomParams,
      status: 200,
      answer: CallbacksAnswer,
      run: ({ params }) => calls.read(params.room),
    }),
    route({
      method: 'PUT',
      url,
      group,
      summary: 'Set what a room has of its own; the protocol is in docs/callbacks.md',
      params: S.RoomParams,
      body: CallbacksBody,
      status: 200,
      answer: CallbacksAnswer,
      run: ({ params, body }) => {
        if (body.url !== undefined && body.url !== '' && !isCallbackUrl(body.url)) {
          throw invalid('url', CALLBACK_URL_RULE);
        }
        return calls.set(params.room, body as OwnCallbacks);
      },
    }),
    route({
      method: 'DELETE',
      url,
      group,
      summary: 'Follow the configuration again',
      params: S.RoomParams,
      status: 200,
      answer: CallbacksAnswer,
      run: ({ params }) => calls.clear(params.room),
    }),
  ];
}
