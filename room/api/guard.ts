/**
 * Owns the door of the studio API: a key, that key's quota, and the bound on what is being worked
 * on at once. Runs before a body is read.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BarrageError } from '../../src/errors.js';
import { API_BODY_BYTES_MAX } from '../../src/limits.js';
import type { Clock } from '../../src/ports/clock.js';
import { KeyRing, secretOf, type ApiKey } from './keys.js';
import { InFlight, RequestQuota } from './request-quota.js';

export interface GuardOptions {
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  readonly inFlightMax: number;
  readonly inFlightBytesMax: number;
}

export interface GuardTools {
  readonly clock: Clock;
  /** Whether the call came from another service, which let it in already. */
  readonly isInside: (request: FastifyRequest) => boolean;
}

export interface Guard {
  readonly inFlight: InFlight;
  /** Lets the call in or throws `unauthorized`, `rate_limited` or `unavailable`. */
  check(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

export function createGuard(
  options: GuardOptions,
  keys: () => readonly ApiKey[],
  { clock, isInside }: GuardTools,
): Guard {
  const ring = new KeyRing(keys);
  const quota = new RequestQuota(options.requestsPerSecond, options.requestsBurst);
  const inFlight = new InFlight(options.inFlightMax, options.inFlightBytesMax);
  return {
    inFlight,
    check: async (request, reply) => {
      const key = ring.find(request.headers);
      if (key === undefined) throw unauthorized(secretOf(request.headers) !== undefined);
      // Its quota and its place were taken there; how many are served for others is bounded apart.
      if (isInside(request)) return;
      const retryAfterMs = quota.take(key, clock.now());
      if (retryAfterMs > 0) {
        const rule = `at most ${options.requestsPerSecond} calls a second with one key`;
        throw new BarrageError('rate_limited', 'too many calls', { rule, retryAfterMs });
      }
      const bytes = bodyBytes(request);
      if (!inFlight.enter(bytes)) {
        throw new BarrageError('unavailable', 'too many calls are being worked on');
      }
      // `close` comes exactly once, whether the answer was sent or the caller went away.
      reply.raw.once('close', () => inFlight.leave(bytes));
    },
  };
}

function unauthorized(hadKey: boolean): BarrageError {
  const message = hadKey ? 'the API key is not known' : 'an API key is needed';
  return new BarrageError('unauthorized', message, {
    field: 'authorization',
    rule: 'Bearer <API key>',
  });
}

/** The body's announced length; a body of unknown length counts as the longest allowed. */
function bodyBytes(request: FastifyRequest): number {
  if (request.headers['transfer-encoding'] !== undefined) return API_BODY_BYTES_MAX;
  const announced = Number(request.headers['content-length'] ?? 0);
  return Number.isFinite(announced) ? Math.min(announced, API_BODY_BYTES_MAX) : API_BODY_BYTES_MAX;
}
