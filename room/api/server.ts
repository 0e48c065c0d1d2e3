/**
 * Owns the HTTP server of the studio API: how bodies are read, how errors are told, what every
 * answer carries. Knows no route; `main.ts` hands them over.
 */
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { BarrageError } from '../../src/errors.js';
import { API_BODY_BYTES_MAX } from '../../src/limits.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import { randomId } from '../../src/random.js';
import { decodeText, isBroken } from '../../src/wire/commands.js';
import { invalid, problemOf, sendProblem } from './errors.js';
import type { ApiMeters } from './meters.js';

/** Head and body of a call must have arrived within this. */
const REQUEST_MS_MAX = 30_000;
/** Longer ones are told so as `invalid`, by the schema of the parameter. */
const PARAMETER_CHARACTERS_MAX = 4096;

export interface ServerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: ApiMeters;
  /** A call that takes longer is answered `timeout`. */
  readonly callMs: number;
  /** Whether the call came from another service, which counts it. */
  readonly isInside: (request: FastifyRequest) => boolean;
  /** Is handed bodies as they came. */
  readonly keepBody?: (request: FastifyRequest, bytes: Buffer) => void;
}

export function createServer(parts: ServerParts): FastifyInstance {
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerError(parts, error, request, reply);
  const app = Fastify({
    logger: false,
    bodyLimit: API_BODY_BYTES_MAX,
    handlerTimeout: parts.callMs,
    requestTimeout: REQUEST_MS_MAX,
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAMETER_CHARACTERS_MAX },
    genReqId: (raw) => requestIdOf(raw.headers['x-request-id']),
    frameworkErrors: (error, request, reply) => {
      void reply.header('x-request-id', request.id);
      return fail(error, request, reply);
    },
    clientErrorHandler: answerBrokenHttp,
  });
  readBodies(app, parts);
  addHooks(app, parts);
  app.setErrorHandler(fail);
  app.setNotFoundHandler(async (request, reply) => {
    const error = new BarrageError('not_found', `nothing is served at this path and method`);
    return fail(error, request, reply);
  });
  return app;
}

/** JSON in UTF-8 only; an empty body counts as none. */
function readBodies(app: FastifyInstance, { keepBody }: ServerParts): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    const text = decodeText(bytes as Buffer);
    if (isBroken(text)) return done(invalid('', text.rule));
    if (text === '') return done(null, undefined);
    keepBody?.(request, bytes as Buffer);
    return parseJson(request, text, (error, value) =>
      error === null ? done(null, value) : done(invalid('', 'JSON')),
    );
  });
}

function addHooks(app: FastifyInstance, { clock, meters, isInside }: ServerParts): void {
  const began = new WeakMap<FastifyRequest, number>();
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onSend', async (_request, reply) => {
    // A connection kept alive past its last answer would hold the end up until its time is over.
    if (closing) void reply.header('connection', 'close');
  });
  app.addHook('onRequest', async (request, reply) => {
    began.set(request, clock.now());
    void reply.header('x-request-id', request.id);
    void reply.header('x-content-type-options', 'nosniff');
    if (request.url.startsWith('/v1/')) void reply.header('cache-control', 'no-store');
  });
  app.addHook('onResponse', async (request, reply) => {
    if (isInside(request)) return;
    const took = (clock.now() - (began.get(request) ?? clock.now())) / 1000;
    meters.count(groupOf(request), reply.statusCode, took);
  });
}

function groupOf(request: FastifyRequest): string {
  const group = (request.routeOptions.schema as { tags?: string[] } | undefined)?.tags?.[0];
  if (group !== undefined) return group;
  return request.is404 ? 'unknown' : 'pages';
}

function answerError(
  { log, meters }: ServerParts,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const problem = problemOf(error);
  meters.errors.add(problem.code);
  if (problem.status === 500) {
    const route = request.routeOptions.url ?? 'unknown';
    log.error('a studio call failed', {
      requestId: request.id,
      method: request.method,
      route,
      error,
    });
  }
  return sendProblem(reply, problem);
}

/** The caller's own id when it is 1-64 visible characters, so that its log and ours can meet. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\x21-\x7e]{1,64}$/.test(given) ? given : randomId();
}

/** What is no HTTP, or too late or too long a head: answered on the bare socket. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, rule] = BROKEN_HTTP[error.code ?? ''] ?? ['400 Bad Request', 'HTTP/1.1'];
  const requestId = randomId();
  const message = `the request must be: ${rule}`;
  const body = JSON.stringify({ error: { code: 'invalid', message, rule, requestId } });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `x-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

const BROKEN_HTTP: Readonly<Record<string, readonly [status: string, rule: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'a head of at most 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'whole within 30 s'],
};
