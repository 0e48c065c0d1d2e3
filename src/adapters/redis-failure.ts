/**
 * Owns what an error of Redis, or of the way to it, means to whoever waits: try later, make room, or
 * it is not known whether it was done. Knows the words of Redis' replies and no connection.
 */
import { BarrageError } from '../errors.js';

export const FAILURE_KINDS = [
  'down',
  'timeout',
  'busy',
  'full',
  'loading',
  'replicas',
  'moved',
  'refused',
] as const;
/**
 * `down` not connected or cut, `timeout` no answer in time, `busy` too much waits here, `full` out of
 * memory or disk, `loading` starting or without a master, `replicas` too few have it, `moved` the
 * cluster is being changed, `refused` anything else Redis said.
 */
export type FailureKind = (typeof FAILURE_KINDS)[number];

export interface Failure {
  readonly kind: FailureKind;
  readonly error: BarrageError;
}

const RETRY_MS = 1000;

/** By the first word of Redis' reply. */
const REPLIES: Readonly<Record<string, FailureKind>> = {
  OOM: 'full',
  MISCONF: 'full',
  LOADING: 'loading',
  CLUSTERDOWN: 'loading',
  MASTERDOWN: 'loading',
  READONLY: 'loading',
  BUSY: 'loading',
  NOREPLICAS: 'replicas',
  MOVED: 'moved',
  ASK: 'moved',
  TRYAGAIN: 'moved',
};

const SENTENCES: Readonly<Record<FailureKind, string>> = {
  down: 'the connection to Redis is down',
  timeout: 'Redis did not answer in time; whether it was done is not known',
  busy: 'too many commands wait for Redis',
  full: 'Redis has no room or cannot write to its disk',
  loading: 'Redis takes no commands now',
  replicas: 'too few replicas of Redis have it',
  moved: 'the cluster of Redis is being changed',
  refused: 'Redis refused',
};

/** `detail` follows the sentence; Redis' own words are safe there, addresses and all. */
export function failure(kind: FailureKind, detail = '', cause?: unknown): Failure {
  const code = kind === 'full' ? 'store_full' : 'store_failed';
  const message = detail === '' ? SENTENCES[kind] : `${SENTENCES[kind]}: ${detail}`;
  return { kind, error: new BarrageError(code, message, { retryAfterMs: RETRY_MS, cause }) };
}

/** What the library rejected with: a reply of Redis (ReplyError), or its own words. */
export function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name !== 'ReplyError') {
    return message.includes('timed out') ? failure('timeout') : failure('down', message, error);
  }
  const word = message.split(' ', 1)[0] ?? '';
  return failure(REPLIES[word] ?? 'refused', message.slice(0, 200), error);
}

export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
