/**
 * Owns what can be set of callbacks to the studio's back end: which events go where, how long an
 * answer is waited for, and what a failure means. Knows no HTTP and no room.
 */

/** `before_publish` asks and waits for a judgement; the others tell and wait for nobody. */
export const CALLBACK_EVENTS = [
  'before_publish',
  'after_publish',
  'join',
  'leave',
  'room_closed',
] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

/** What becomes of a danmaku nobody judged in time: `open` lets it in, `closed` refuses it. */
export const ON_FAILURES = ['open', 'closed'] as const;
export type OnFailure = (typeof ON_FAILURES)[number];

/** What a room can have of its own. */
export interface CallbackSettings {
  /** Empty: nobody is called. */
  readonly url: string;
  /** Signs every call; never shown. */
  readonly secret: string;
  readonly events: readonly CallbackEvent[];
  /** Kinds of danmaku that are asked about. */
  readonly kinds: readonly string[];
  readonly beforeTimeoutMs: number;
  /** By kind; a kind not named fails open. */
  readonly onFailure: Readonly<Record<string, OnFailure>>;
}

/** Bounds of this process, the same for all targets. */
export interface CallbackLimits {
  /** Questions under way to one host. */
  readonly concurrency: number;
  readonly afterTimeoutMs: number;
  /** Repeats of a call that only tells. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** Failures in a row after which a target is left alone for `resetMs`. */
  readonly breakerFailures: number;
  readonly breakerResetMs: number;
  /** Events waiting for one target. */
  readonly queueCount: number;
  readonly queueBytes: number;
}

export interface CallbackConfig extends CallbackSettings, CallbackLimits {
  /** Danmaku of one room under judgement at once. */
  readonly pending: number;
}

/** Nobody is called; the bounds are those of the configuration's defaults. */
export const NO_CALLBACKS: CallbackConfig = {
  url: '',
  secret: '',
  events: [...CALLBACK_EVENTS],
  kinds: ['danmaku', 'chat'],
  beforeTimeoutMs: 300,
  onFailure: {},
  concurrency: 64,
  afterTimeoutMs: 3000,
  retries: 3,
  retryDelayMs: 200,
  breakerFailures: 5,
  breakerResetMs: 10_000,
  queueCount: 10_000,
  queueBytes: 4 << 20,
  pending: 500,
};

export const CALLBACK_URL_CHARACTERS_MAX = 2048;
export const CALLBACK_SECRET_PATTERN = '^[\\x21-\\x7e]{16,512}$';
export const CALLBACK_URL_RULE = 'an http or https address without user, password and fragment';

/** Whether the address can be called: http or https, nothing hidden in it. */
export function isCallbackUrl(text: string): boolean {
  if (text.length > CALLBACK_URL_CHARACTERS_MAX || !URL.canParse(text)) return false;
  const { protocol, username, password, hash, hostname } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  return username === '' && password === '' && hash === '' && hostname !== '';
}

export function onFailureOf(settings: CallbackSettings, kind: string): OnFailure {
  return Object.hasOwn(settings.onFailure, kind) ? settings.onFailure[kind]! : 'open';
}
