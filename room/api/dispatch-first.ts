/**
 * Owns the short way of the one question everybody asks at once: a plain `GET /v1/dispatch` without a
 * key is answered before the framework sees it, for less than half the CPU. Whatever is not
 * plain is left to the framework, whose route (`dispatch.ts`) asks the same desk. Rule: SPEC D-DISP-12.
 */
import type { IncomingHttpHeaders, IncomingMessage, RequestListener, Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { DispatchConfig } from '../../src/dispatch-settings.js';
import { parseRoomId, type RoomId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import { randomId } from '../../src/random.js';
import { REGION_PATTERN } from '../../src/wire/edge-report.js';
import { COUNT_DEFAULT, COUNT_MAX } from '../dispatch/desk.js';
import type { RunningDispatch } from '../dispatch/main.js';
import type { ApiMeters } from './meters.js';
import { requestIdOf } from './server.js';

const PATH = '/v1/dispatch';
const region = new RegExp(REGION_PATTERN);

export interface PlainQuery {
  room?: RoomId;
  region?: string;
  count: number;
}

/** Puts the short way before the framework's on its listening server. */
export function serveDispatchFirst(
  app: FastifyInstance,
  { desk, meters: counts }: RunningDispatch,
  { clock, meters }: { readonly clock: Clock; readonly meters: ApiMeters },
): void {
  const server = app.server as Server;
  const [framework] = server.listeners('request') as RequestListener[];
  if (framework === undefined) throw new Error('the server has no listener');
  server.off('request', framework);
  // Drawn once: an id for each of so many calls would be a tenth of their cost.
  const run = randomId();
  let answered = 0;
  server.on('request', (request, reply) => {
    const { headers, url = '' } = request;
    // A server that ends must close its connections; the framework knows how.
    const query = isPlain(request) && server.listening ? plainQuery(url) : undefined;
    if (query === undefined || !desk.config.public) return framework(request, reply);
    const began = clock.now();
    const header = headerOf(headers, desk.config);
    const address = viewerAddress(request, desk.config);
    const text = desk.answer({ ...query, header, address }, began);
    if (text === undefined) return framework(request, reply);
    const given = headers['x-request-id'];
    const id = given === undefined ? `${run}-${(++answered).toString(36)}` : requestIdOf(given);
    reply.writeHead(200, headOf(text, id));
    reply.end(text);
    counts.answers.add('edges');
    meters.count('dispatch', 200, (clock.now() - began) / 1000);
  });
}

/** Names and values in turn; `text` is ASCII but for what a CDN's address may hold. */
function headOf(text: string, requestId: string): string[] {
  return [
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(text)),
    'x-request-id',
    requestId,
    'x-content-type-options',
    'nosniff',
    'cache-control',
    'no-store',
    'access-control-allow-origin',
    '*',
  ];
}

function isPlain({ method, url, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    url!.startsWith(PATH) &&
    headers.authorization === undefined &&
    headers['x-api-key'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] ?? '0') === '0' &&
    headers.expect === undefined
  );
}

/** Room, region and count of an address that has nothing else and needs no decoding. */
export function plainQuery(url: string): PlainQuery | undefined {
  const query: PlainQuery = { count: COUNT_DEFAULT };
  if (url.length === PATH.length) return query;
  if (url[PATH.length] !== '?') return undefined;
  const seen = new Set<string>();
  for (const pair of url.slice(PATH.length + 1).split('&')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals);
    const value = pair.slice(equals + 1);
    if (equals < 0 || seen.has(name)) return undefined;
    seen.add(name);
    if (name === 'room') {
      const room = parseRoomId(value);
      if (room === undefined) return undefined;
      query.room = room;
    } else if (name === 'region' && region.test(value)) query.region = value;
    else if (name === 'count' && /^[1-9]\d?$/.test(value) && Number(value) <= COUNT_MAX) {
      query.count = Number(value);
    } else return undefined;
  }
  return query;
}

/** The value of the header that tells regions. */
export function headerOf(
  headers: IncomingHttpHeaders,
  { regionHeader }: DispatchConfig,
): string | undefined {
  if (regionHeader === '') return undefined;
  const value = headers[regionHeader];
  return Array.isArray(value) ? value[0] : value;
}

/** The viewer's address: of the connection, or the last of X-Forwarded-For where that is trusted. */
export function viewerAddress(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  { trustProxy, regions }: DispatchConfig,
): string {
  if (regions.length === 0) return '';
  const forwarded = trustProxy ? headers['x-forwarded-for'] : undefined;
  const last = [forwarded ?? []].flat().join(',').split(',').at(-1)?.trim() ?? '';
  return last === '' ? (socket.remoteAddress ?? '') : last.slice(0, 64);
}
