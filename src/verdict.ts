/**
 * Owns the closed list of ends a danmaku can have. The word is the reply to the sender, the metric
 * label and the word in the test title. Knows nothing of who decides or who is told.
 */

/** Good ends: the danmaku was shown, or counts in something that was. */
export const FATES = ['published', 'merged', 'counted'] as const;
/** Not ended for good: people decide later, and the sender hears no more of it. */
export const HOLDS = ['held'] as const;
/** Losses under load, after the danmaku was let in. */
export const LOSSES = ['sampled_out', 'shed'] as const;
/** Refusals: the danmaku was never let in. */
export const REFUSALS = [
  'invalid',
  'too_large',
  'rate_limited',
  'slow_mode',
  'repeated',
  'muted',
  'banned',
  'blocked',
  'forbidden',
  'frozen',
  'closed',
  'not_joined',
  'unknown_room',
  'overloaded',
  'unavailable',
] as const;

export type Fate = (typeof FATES)[number];
export type Hold = (typeof HOLDS)[number];
export type Loss = (typeof LOSSES)[number];
export type Refusal = (typeof REFUSALS)[number];
export type Verdict = Fate | Hold | Loss | Refusal;

export const VERDICTS: readonly Verdict[] = [...FATES, ...HOLDS, ...LOSSES, ...REFUSALS];

/** The HTTP status with which a viewer's or studio's POST answers each verdict. */
export const VERDICT_STATUS: Readonly<Record<Verdict, number>> = {
  published: 200,
  merged: 200,
  counted: 200,
  held: 202,
  sampled_out: 200,
  shed: 200,
  invalid: 400,
  too_large: 413,
  rate_limited: 429,
  slow_mode: 429,
  repeated: 429,
  muted: 403,
  banned: 403,
  blocked: 403,
  forbidden: 403,
  frozen: 409,
  closed: 409,
  not_joined: 409,
  unknown_room: 404,
  overloaded: 503,
  unavailable: 503,
};
