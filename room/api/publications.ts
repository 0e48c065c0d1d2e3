/** Owns the routes of publications: post one or a batch, read the history, take one back. */
import type { Static } from '@sinclair/typebox';
import { BarrageError } from '../../src/errors.js';
import { VERDICT_STATUS } from '../../src/verdict.js';
import { compileSchema, schemaFlaw } from '../../src/wire/validator.js';
import type { Log } from '../../src/ports/log.js';
import type { Draft, Fated, RoomCalls } from '../calls/calls.js';
import type { RoomId } from '../../src/ids.js';
import type { BatchSpread } from './forward/batch.js';
import { bodyOf, invalid, problemOf, VerdictError, type ErrorBody } from './errors.js';
import { checkDraft, fingerprintOf } from './input.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

export interface PublicationParts {
  readonly calls: RoomCalls;
  readonly log: Log;
  /** Counts an error told inside a batch's answer. */
  readonly countError: (code: string) => void;
  /** Has others publish what is theirs; absent: all is published here. */
  readonly spread?: BatchSpread;
}

type Item = Static<typeof S.BatchItem>;
type BatchResult = ({ readonly ok: true } & Fated) | { readonly ok: false; error: ErrorBody };

const validItem = compileSchema(S.BatchItem);

export function publicationRoutes(parts: PublicationParts): Route[] {
  const { calls } = parts;
  const group = 'publications';
  const url = '/v1/rooms/:room/publications';
  return [
    route({
      method: 'POST',
      url,
      group,
      summary: 'Publish; answers with the fate once it is known and, if keepable, logged',
      params: S.RoomParams,
      headers: S.IdempotencyHeaders,
      body: S.DraftBody,
      status: 200,
      answer: S.FatedAnswer,
      run: ({ params, headers, body }) =>
        publish(calls, params.room, body as Draft, headers['idempotency-key'] as string),
    }),
    route({
      method: 'GET',
      url,
      group,
      summary: 'Read keepable publications, oldest first, page by page',
      params: S.RoomParams,
      query: S.HistoryQuery,
      status: 200,
      answer: S.HistoryAnswer,
      run: ({ params, query }) =>
        calls.history(params.room, query.from, query.limit ?? S.PAGE_DEFAULT),
    }),
    route({
      method: 'DELETE',
      url: `${url}/:id`,
      group,
      summary: 'Take a publication back; a tombstone stays in its place',
      params: S.PublicationParams,
      status: 204,
      run: ({ params }) => calls.recall(params.room, params.id),
    }),
    route({
      method: 'POST',
      url: '/v1/publications::batch',
      reach: 'all',
      group,
      summary: 'Publish up to 100; each is answered in its own place, in order for each room',
      body: S.BatchBody,
      bodyFrame: S.BatchFrame,
      status: 200,
      answer: S.BatchAnswer,
      run: async ({ body, reply: { request } }) => {
        const here = (item: unknown) => publishItem(parts, item as Item, request.id);
        const { publications } = body;
        // All are handed over at once in their order; a room keeps the order it is called in.
        const done =
          parts.spread?.publish(publications, request, here) ?? Promise.all(publications.map(here));
        return { results: (await done) as BatchResult[] };
      },
    }),
  ];
}

/** Publishes a checked draft; a verdict that is a refusal is thrown as VerdictError. */
async function publish(
  calls: RoomCalls,
  room: RoomId,
  draft: Draft,
  key: string | undefined,
): Promise<Fated> {
  checkDraft(draft);
  const repeat = key === undefined ? undefined : { key, fingerprint: fingerprintOf(draft) };
  const fated = await calls.publish(room, draft, repeat);
  if (VERDICT_STATUS[fated.verdict] === 200) return fated;
  throw new VerdictError(fated.verdict, fated.retryAfterMs);
}

/** The result of one publication of a batch; never rejects. */
async function publishItem(
  parts: PublicationParts,
  item: Item,
  requestId: string,
): Promise<BatchResult> {
  try {
    if (!validItem(item)) {
      const { field, rule } = schemaFlaw(validItem.errors);
      throw invalid(field, rule);
    }
    const { room, key, ...draft } = item;
    return { ok: true, ...(await publish(parts.calls, room, draft as Draft, key)) };
  } catch (error) {
    const problem = problemOf(error);
    parts.countError(problem.code);
    if (problem.status === 500) {
      const text = error instanceof BarrageError ? error.code : 'unexpected';
      parts.log.error('a publication of a batch failed', { requestId, text, error });
    }
    return { ok: false, error: bodyOf(problem) };
  }
}
