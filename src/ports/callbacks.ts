/**
 * Port Callbacks: calls to the studio's back end. Asking waits for a judgement and always ends, by
 * its time limit at the latest; telling never waits. Every adapter bounds what is under way and what
 * waits, in items and bytes, counts what is lost and keeps one target's trouble from the others.
 */
import type { CallbackJudgement } from '../callbacks/judgement.js';
import type { CallbackEvent } from '../callbacks/settings.js';

/** Where calls go. Two rooms with the same address and secret share one target. */
export interface CallbackTarget {
  readonly url: string;
  readonly secret: string;
}

/**
 * `timeout`: no answer in time; `busy`: too much under way to this host; `open`: the target failed
 * before and is left alone; `failed`: no connection or an error status; `bad_answer`: no judgement.
 */
export const CALLBACK_FAILURES = ['timeout', 'busy', 'open', 'failed', 'bad_answer'] as const;
export type CallbackFailure = (typeof CALLBACK_FAILURES)[number];

export type Asked =
  | { readonly judgement: CallbackJudgement; readonly failure?: never }
  | { readonly failure: CallbackFailure; readonly judgement?: never };

export interface Callbacks {
  /** `question` is told with the event `before_publish`. Never rejects. */
  ask(target: CallbackTarget, question: object, timeoutMs: number): Promise<Asked>;
  /** Queued in order for the target; the oldest of a full queue are dropped. Never throws. */
  tell(target: CallbackTarget, event: Exclude<CallbackEvent, 'before_publish'>, body: object): void;
  /** Tries to deliver what waits for at most `ms`, then drops the rest and takes no more. */
  stop(ms: number): Promise<void>;
}
