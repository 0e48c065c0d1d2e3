/**
 * Owns what a route of the studio API is: data with schemas and a function from checked input to an
 * answer. Installs it in Fastify; holds no rule of any route.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Static, TSchema, TUnknown } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { compileQuerySchema, compileSchema } from '../../src/wire/validator.js';
import { invalid } from './errors.js';
import { reachOf, type Reach } from './forward/reach.js';
import { illFormedPath } from './input.js';
import { ErrorAnswer } from './schemas.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whose call it is; of none of ours undefined. */
    readonly reach?: Reach | undefined;
  }
}

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Checked input of one call. */
export interface RouteCall<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly headers: IncomingHttpHeaders;
  /** For a status or header of its own; the answer is what `run` returns. */
  readonly reply: FastifyReply;
}

export interface RouteSpec<
  P extends TSchema = TUnknown,
  Q extends TSchema = TUnknown,
  B extends TSchema = TUnknown,
  A extends TSchema = TUnknown,
> {
  readonly method: HTTPMethods;
  /** In Fastify's form: `:room`, and `::` for a colon. */
  readonly url: string;
  readonly group: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: TSchema;
  readonly body?: B;
  /** Validated instead of `body` by a route that checks the parts of its body one by one. */
  readonly bodyFrame?: TSchema;
  /** An absent body counts as `{}`. */
  readonly bodyOptional?: boolean;
  /** Status of success; without `answer` it has no body. */
  readonly status: number;
  readonly answer?: A;
  readonly otherAnswers?: Readonly<Record<number, TSchema>>;
  /** Content type of the answer when it is not JSON. */
  readonly produces?: string;
  /** How long a call may take, when longer than others. */
  readonly callMs?: number;
  /** Whose call it is; absent: of the owner of its `:room`. */
  readonly reach?: Reach;
  /** Answered without a key. */
  readonly open?: boolean;
  run(
    call: RouteCall<Static<P>, Static<Q>, Static<B>>,
  ): Promise<A extends TUnknown ? unknown : DeepReadonly<Static<A>>>;
}

/** A route whose input and answer types have been checked and are no longer of interest. */
export type Route = RouteSpec<TSchema, TSchema, TSchema, TUnknown>;

export function route<
  P extends TSchema = TUnknown,
  Q extends TSchema = TUnknown,
  B extends TSchema = TUnknown,
  A extends TSchema = TUnknown,
>(spec: RouteSpec<P, Q, B, A>): Route {
  return spec as unknown as Route;
}

/** Has a call done by another service; undefined when it is to be done here. */
export type Carry = (
  spec: Route,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply> | undefined;

/** What stands between a call and its route. */
export interface Door {
  guard(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Absent: every call is done here. */
  readonly carry?: Carry;
}

/** Serves the route; the guard runs before the body is read, unless the route is open. */
export function installRoute(app: FastifyInstance, spec: Route, door: Door): void {
  app.route({
    method: spec.method,
    url: spec.url,
    config: { reach: reachOf(spec) },
    ...(spec.callMs === undefined ? {} : { handlerTimeout: spec.callMs }),
    schema: schemaOf(spec),
    validatorCompiler: ({ schema, httpPart }) => {
      if (httpPart === 'body' && spec.bodyFrame !== undefined) return compileSchema(spec.bodyFrame);
      const compile = httpPart === 'querystring' ? compileQuerySchema : compileSchema;
      return compile(schema as TSchema);
    },
    ...(spec.open === true ? {} : { onRequest: door.guard }),
    preValidation: async (request) => {
      if (spec.bodyOptional === true && (request.body === undefined || request.body === null)) {
        request.body = {};
      }
    },
    preHandler: async (request) => {
      const path = spec.bodyFrame === undefined ? illFormedPath(request.body) : undefined;
      if (path !== undefined) throw invalid(path, 'well-formed Unicode');
    },
    handler: async (request, reply) => {
      const carried = door.carry?.(spec, request, reply);
      if (carried !== undefined) return carried;
      void reply.status(spec.status);
      const { params, query, body, headers } = request;
      const answer = await spec.run({ params, query, body, headers, reply });
      if (spec.answer === undefined) return reply.send();
      return answer;
    },
  });
}

function schemaOf(spec: Route): Record<string, unknown> {
  const { params, query, headers, body, answer, status, otherAnswers, produces } = spec;
  return {
    summary: spec.summary,
    tags: [spec.group],
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
    ...(produces === undefined ? {} : { produces: [produces] }),
    ...(spec.open === true ? { security: [] } : {}),
    response: {
      [status]: answer ?? { type: 'null', description: 'Done' },
      ...otherAnswers,
      ...(spec.open === true ? {} : { '4xx': ErrorAnswer }),
      '5xx': ErrorAnswer,
    },
  };
}
