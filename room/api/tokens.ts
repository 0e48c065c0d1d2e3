/** Owns the route that makes viewer tokens; what a token is lives in src/tokens.ts. */
import type { Clock } from '../../src/ports/clock.js';
import type { TokenRequest, Tokens } from '../../src/tokens.js';
import { invalid } from './errors.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

/** `join` takes no longer one (src/wire/schema.ts). */
const TOKEN_CHARACTERS_MAX = 4096;

export interface TokenParts {
  readonly tokens: () => Tokens;
  readonly clock: Clock;
  /** Life of a token whose caller named none. */
  readonly ttlMs: number;
}

export function tokenRoutes(parts: TokenParts): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/tokens',
      group: 'tokens',
      summary: 'Make a viewer token',
      reach: 'here',
      body: S.TokenBody,
      status: 200,
      answer: S.TokenAnswer,
      run: async ({ body }) => issueToken(body, parts),
    }),
  ];
}

/** A token, or BarrageError `invalid` for what schemas cannot say of one. */
export function issueToken(
  body: Omit<TokenRequest, 'ttlMs'> & { readonly ttlMs?: number },
  parts: TokenParts,
): { readonly token: string; readonly expiresAt: number } {
  const { user, role } = body;
  if (user === undefined && role !== undefined && role !== 'guest') {
    throw invalid('role', 'guest when there is no user');
  }
  if (user !== undefined && role === 'guest') throw invalid('role', 'not guest for a user');
  const ttlMs = body.ttlMs ?? parts.ttlMs;
  const now = parts.clock.now();
  const token = parts.tokens().issue({ ...body, ttlMs }, now);
  if (token.length > TOKEN_CHARACTERS_MAX) {
    throw invalid('rooms', `a token of at most ${TOKEN_CHARACTERS_MAX} characters`);
  }
  return { token, expiresAt: Math.ceil((now + ttlMs) / 1000) * 1000 };
}
