/**
 * Owns the codes with which an edge ends a connection. 4000-4499: come back (with the advice given);
 * 4500-4999: do not come back with the same request. The reason of a close frame is JSON advice.
 */

export interface CloseCode {
  readonly code: number;
  readonly reason: string;
  /** Why, in the studio's words; told in `bye` only. */
  readonly message?: string;
}

/** Each with the moment it is used. */
export const CLOSE = {
  /** The edge is draining or restarting. */
  drain: { code: 4000, reason: 'drain' },
  /** The viewer could not take keepable frames: come back and resume. */
  slow: { code: 4001, reason: 'slow' },
  /** The edge or the room lost its backing for a while. */
  unavailable: { code: 4002, reason: 'unavailable' },
  /** Nothing was heard of the viewer for the idle time. */
  idle: { code: 4003, reason: 'idle' },
  /** Too many connections or commands in a short time. */
  tooMany: { code: 4004, reason: 'too_many' },
  /** The token ran out: come back with a new one. */
  expired: { code: 4005, reason: 'expired' },
  /** A newer connection of the same user took this one's place. */
  replaced: { code: 4500, reason: 'replaced' },
  /** The token does not verify. */
  badToken: { code: 4501, reason: 'bad_token' },
  /** The user was banned from the room. */
  banned: { code: 4502, reason: 'banned' },
  /** The studio kicked the user. */
  kicked: { code: 4503, reason: 'kicked' },
  /** Repeated input that breaks the protocol. */
  badInput: { code: 4504, reason: 'bad_input' },
  /** The room was closed for good. */
  closed: { code: 4505, reason: 'closed' },
} as const satisfies Record<string, CloseCode>;

export type CloseReason = keyof typeof CLOSE;

/** Whether a viewer closed with this code should come back. */
export function mayReturn(code: number): boolean {
  return code < 4500;
}
