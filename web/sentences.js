/** Owns the sentences the page says for the service's words: verdicts, states, times. */

/** Ends the sender need not hear of: its danmaku is on its own screen already. */
const QUIET = new Set(['published', 'merged', 'counted', 'sampled_out', 'shed']);

const REFUSALS = {
  invalid: 'This cannot be said here',
  too_large: 'This is too long',
  rate_limited: 'That was a little fast',
  slow_mode: 'Slow mode is on',
  repeated: 'You have just said that',
  muted: 'You are muted in this room',
  banned: 'You may not be in this room',
  blocked: 'These words are not let through here',
  held: 'This is shown once somebody here has looked at it',
  forbidden: 'You may not speak in this room',
  frozen: 'The studio has frozen the room for now',
  closed: 'This room has ended',
  not_joined: 'You are not in the room yet',
  unknown_room: 'There is no such room',
  overloaded: 'The room is very busy just now',
  unavailable: 'The room cannot be reached just now',
  unsent: 'Not connected just now; your text is kept here',
};

const ENDS = {
  replaced: 'You opened this room in too many places; this one was closed',
  bad_token: 'The token was not accepted',
  banned: 'You may not be in this room',
  kicked: 'The studio asked you to leave this room',
  bad_input: 'The service did not understand this page',
  closed: 'This room has ended',
  unknown_room: 'There is no room of this name',
  invalid: 'This is not the name of a room',
  expired: 'The token has run out',
  malformed: 'The token is not a token',
  unknown_key: 'The token was signed with a key not known here',
  bad_signature: 'The token was altered or signed by another',
  wrong_audience: 'The token is for another service',
  bad_claims: 'The token does not say who you are',
  unauthorized: 'The token does not open this room',
};

/** Whether the sender sees its danmaku as said. */
export function isQuiet(verdict) {
  return QUIET.has(verdict);
}

/** Why a danmaku was not taken, without the time left. */
export function refusalOf({ verdict, rule }) {
  const sentence = REFUSALS[verdict] ?? `Not taken (${clip(verdict)})`;
  return verdict === 'invalid' && rule ? `${sentence} (${clip(rule)})` : sentence;
}

/** Why the page does not come back by itself. */
export function endOf({ code, reason }) {
  return ENDS[reason] ?? ENDS[code] ?? `The connection ended (${clip(reason ?? code)})`;
}

/** Milliseconds as a person says them: "3 s", "2 min", "5 h". */
export function duration(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}

/** A count with separators: 12,345. */
export function count(value) {
  return Number.isFinite(value) ? value.toLocaleString('en') : '–';
}

function clip(text) {
  return String(text).slice(0, 80);
}
