/** Owns the description of what the service asks and tells a studio's back end, for /openapi.json. */
import { Type, type TSchema } from '@sinclair/typebox';
import { JUDGEMENT_ACTIONS, REASON_CHARACTERS_MAX } from '../../src/callbacks/judgement.js';
import { CALLBACK_EVENTS } from '../../src/callbacks/settings.js';
import {
  PublicationSchema,
  SpeakerSchema,
  StyleSchema,
  TextSchema,
} from '../../src/wire/schema.js';

const Whole = Type.Integer({ minimum: 0 });
const At = Type.Integer({ description: 'Unix milliseconds' });
const Delivery = Type.String({ description: 'As the header; the same when a call is repeated' });

const Question = Type.Object({
  event: Type.Literal('before_publish'),
  delivery: Delivery,
  room: Type.String(),
  at: At,
  danmaku: Type.Object({
    user: SpeakerSchema,
    role: Type.String(),
    kind: Type.String(),
    text: Type.Optional(Type.String()),
    style: Type.Optional(StyleSchema),
    data: Type.Optional(Type.Unknown()),
  }),
});
const Judgement = Type.Object({
  action: Type.Unsafe({
    type: 'string',
    enum: [...JUDGEMENT_ACTIONS],
    description: 'refuse: verdict `blocked`; review: held until a studio decides',
  }),
  text: Type.Optional({ ...TextSchema, description: 'With `replace`' }),
  reason: Type.Optional(
    Type.String({
      maxLength: REASON_CHARACTERS_MAX,
      description: 'With `refuse` told to the sender, with `review` to the studio',
    }),
  ),
});
const Events = Type.Object({
  delivery: Delivery,
  dropped: { ...Whole, description: 'Events lost before these, since the last call that came' },
  events: Type.Array(
    Type.Object({
      event: Type.Unsafe({ type: 'string', enum: CALLBACK_EVENTS.slice(1) }),
      room: Type.String(),
      at: Type.Optional(At),
      user: Type.Optional(Type.String({ description: 'With `join` and `leave`' })),
      publication: Type.Optional({ ...PublicationSchema, description: 'With `after_publish`' }),
    }),
  ),
});

const headers = [
  ['X-Barrage-Event', '`before_publish` or `events`'],
  ['X-Barrage-Delivery', 'Id of the call'],
  ['X-Barrage-Signature', '`t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body" by the secret>`'],
].map(([name, description]) => ({
  ...{ name, description, in: 'header', required: true },
  schema: { type: 'string' },
}));

function call(summary: string, body: TSchema, answers: object) {
  const requestBody = { required: true, content: { 'application/json': { schema: body } } };
  return {
    post: { tags: ['callbacks'], summary, parameters: headers, requestBody, responses: answers },
  };
}

/** By name, in the form of OpenAPI 3.1 `webhooks`. */
export const WEBHOOKS = {
  beforePublish: call('Asked before a danmaku is let in; waits `beforeTimeout`', Question, {
    200: { description: 'A judgement', content: { 'application/json': { schema: Judgement } } },
    204: { description: 'Let in' },
    default: { description: 'No judgement: `onFailure` decides' },
  }),
  events: call('Told what happened, in order, in batches; repeated until taken', Events, {
    '2XX': { description: 'Taken' },
    default: { description: '408, 429 and 5xx are repeated, others are not' },
  }),
};
