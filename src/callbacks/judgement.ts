/**
 * Owns how a studio's back end says what it makes of a danmaku: the text of its answer to a
 * judgement, or nothing when it is none. Never throws.
 */
import { TEXT_BYTES_HARD_MAX, TEXT_CHARACTERS_HARD_MAX } from '../limits.js';
import { contentFlaw } from '../wire/commands.js';

export type CallbackJudgement =
  | { readonly action: 'allow' }
  | { readonly action: 'refuse'; readonly reason?: string }
  /** Held for people to decide. */
  | { readonly action: 'review'; readonly reason?: string }
  | { readonly action: 'replace'; readonly text: string };

export const JUDGEMENT_ACTIONS = ['allow', 'refuse', 'replace', 'review'] as const;
export const REASON_CHARACTERS_MAX = 200;

const ALLOW: CallbackJudgement = { action: 'allow' };

/**
 * `{"action": "allow" | "refuse" | "replace" | "review", "reason"?, "text"?}`; an empty body allows.
 * Undefined for anything else: unknown actions are not guessed at, unknown fields are passed over.
 */
export function parseJudgement(body: string): CallbackJudgement | undefined {
  if (body.trim() === '') return ALLOW;
  let value: { action?: unknown; reason?: unknown; text?: unknown } | null;
  try {
    value = JSON.parse(body) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { action, text } = value;
  if (action === 'allow') return ALLOW;
  if (action === 'replace') return isText(text) ? { action, text } : undefined;
  if (action !== 'refuse' && action !== 'review') return undefined;
  const reason = reasonOf(value.reason);
  return reason === undefined ? { action } : { action, reason };
}

function isText(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > 2 * TEXT_CHARACTERS_HARD_MAX) return false;
  if (Array.from(text).length > TEXT_CHARACTERS_HARD_MAX) return false;
  return Buffer.byteLength(text) <= TEXT_BYTES_HARD_MAX && contentFlaw({ text }) === undefined;
}

/** A reason is a courtesy: one that cannot be shown is cut or left out, never a failure. */
function reasonOf(given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined;
  const printable = given
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  const cut = Array.from(printable).slice(0, REASON_CHARACTERS_MAX).join('');
  return cut === '' ? undefined : cut;
}
