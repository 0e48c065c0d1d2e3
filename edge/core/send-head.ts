/**
 * Owns the name of a `send` that is refused unread: where room and id stand in its bytes, when it
 * begins as clients write it. Answers without parsing, or not at all: then the line is parsed.
 * Knows no quota and no verdict. Rule: SPEC E-IN-9.
 */

/** Bytes `from` to `to` of a line are `"room":"…","id":…`, which an answer may repeat as they are. */
export interface SendHead {
  readonly from: number;
  readonly to: number;
}

const OPENING = codesOf('{"type":"send","room":"');
const BETWEEN = codesOf('","id":');
/** Where `"room"` begins. */
const ROOM_AT = '{"type":"send",'.length;
const ROOM_CHARACTERS_MAX = 64;
const ID_CHARACTERS_MAX = 64;
/** Every whole number of so many digits is told exactly by JSON. */
const DIGITS_MAX = 15;

const QUOTE = 34;
const COMMA = 44;
const ZERO = 48;
const BACKSLASH = 92;
const CLOSING = 125;

/** The head of the line, or undefined when it begins in another way. Reads about 150 bytes at most. */
export function sendHead(bytes: Uint8Array): SendHead | undefined {
  if (bytes[bytes.length - 1] !== CLOSING || !holds(bytes, 0, OPENING)) return undefined;
  const room = OPENING.length;
  let at = room;
  while (at - room <= ROOM_CHARACTERS_MAX && isRoomCode(bytes[at]!)) at++;
  if (at === room || at - room > ROOM_CHARACTERS_MAX) return undefined;
  if (!holds(bytes, at, BETWEEN)) return undefined;
  const to = idEnd(bytes, at + BETWEEN.length);
  if (to === undefined) return undefined;
  const next = bytes[to];
  return next === COMMA || next === CLOSING ? { from: ROOM_AT, to } : undefined;
}

/** Where an id ends that means in JSON what its bytes say: digits, or a text without escapes. */
function idEnd(bytes: Uint8Array, from: number): number | undefined {
  let at = from;
  if (bytes[at] !== QUOTE) {
    while (at - from <= DIGITS_MAX && isDigit(bytes[at]!)) at++;
    const digits = at - from;
    const isWhole = digits > 0 && digits <= DIGITS_MAX && (bytes[from] !== ZERO || digits === 1);
    return isWhole ? at : undefined;
  }
  at++;
  while (at - from <= ID_CHARACTERS_MAX && isPlain(bytes[at]!)) at++;
  return bytes[at] === QUOTE && at > from + 1 ? at + 1 : undefined;
}

function holds(bytes: Uint8Array, at: number, codes: Uint8Array): boolean {
  for (let i = 0; i < codes.length; i++) if (bytes[at + i] !== codes[i]) return false;
  return true;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code < ZERO + 10;
}

/** Of `[A-Za-z0-9_-]`. */
function isRoomCode(code: number): boolean {
  const lower = code | 32;
  return (lower >= 97 && lower <= 122) || isDigit(code) || code === 45 || code === 95;
}

function isPlain(code: number): boolean {
  return code >= 32 && code < 127 && code !== QUOTE && code !== BACKSLASH;
}

function codesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
