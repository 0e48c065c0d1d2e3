/**
 * Owns where the command line gets viewer tokens: signed here with the configured or stored key, or
 * asked of the studio API.
 */
import type { Config } from '../config/config.js';
import { findSecrets, secretsFile } from '../config/secrets.js';
import { BarrageError } from '../errors.js';
import { printableStart } from '../formats/printable.js';
import type { Clock } from '../ports/clock.js';
import { Tokens, type TokenRequest } from '../tokens.js';

const TRIES_MAX = 5;
const ANSWER_MS = 10_000;

/** Signs with the first key in force. Throws BarrageError `config` when there is none yet. */
export function localTokens(config: Config): Tokens {
  const { tokens: keys } = findSecrets(config);
  if (keys.length === 0) {
    const file = secretsFile(config.data.folder);
    const message =
      `no token key: tokens.keys is empty and there is no ${file} yet; ` +
      'start the service once, or name its folder with --data';
    throw new BarrageError('config', message, { field: 'tokens.keys' });
  }
  return new Tokens(keys, config.tokens.audience);
}

/** A token made by `POST /v1/tokens`; waits and repeats when told to slow down. */
export async function askToken(
  studioUrl: string,
  key: string,
  request: TokenRequest,
  clock: Clock,
): Promise<string> {
  for (let tries = 1; ; tries++) {
    const answer = await post(studioUrl, key, request);
    if (answer.status === 200 || answer.status === 201) return tokenOf(answer.body);
    const isBusy = answer.status === 429 || answer.status === 503;
    if (!isBusy || tries === TRIES_MAX) throw refusal(studioUrl, answer);
    await new Promise<void>((done) => clock.after((answer.retryAfterS ?? 1) * 1000, done));
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterS: number | undefined;
}

async function post(studioUrl: string, key: string, request: TokenRequest): Promise<Answer> {
  try {
    const response = await fetch(new URL('/v1/tokens', studioUrl), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const body: unknown = await response.json().catch(() => undefined);
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const retryAfterS = Number.isFinite(seconds) ? Math.min(60, Math.max(0, seconds)) : undefined;
    return { status: response.status, body, retryAfterS };
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    throw new BarrageError('unavailable', `cannot ask ${studioUrl} for a token: ${why}`);
  }
}

function tokenOf(body: unknown): string {
  const token = (body as { token?: unknown } | undefined)?.token;
  if (typeof token === 'string') return token;
  throw new BarrageError('internal', 'the studio API answered without a token');
}

function refusal(studioUrl: string, { status, body }: Answer): BarrageError {
  const said = (body as { error?: { message?: unknown } } | undefined)?.error?.message;
  const why = typeof said === 'string' ? `: ${printableStart(said, 300)}` : '';
  const code = status === 401 ? 'unauthorized' : 'unavailable';
  return new BarrageError(code, `${studioUrl} refused a token with status ${status}${why}`);
}
