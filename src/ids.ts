/**
 * Owns the identifiers that travel between services and their checked constructors.
 * An id that passed here is safe inside a bus subject, a store key, a URL path and a log line.
 */

export type RoomId = string & { readonly __brand: 'RoomId' };
export type UserId = string & { readonly __brand: 'UserId' };
export type EdgeId = string & { readonly __brand: 'EdgeId' };

export const ROOM_ID_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
/** Any printable text without white space or control characters: accounts are named by others. */
export const USER_ID_PATTERN = '^[^\\s\\u0000-\\u001f\\u007f-\\u009f]{1,64}$';

const roomIdPattern = new RegExp(ROOM_ID_PATTERN);
const userIdPattern = new RegExp(USER_ID_PATTERN, 'u');

/** A further log of a room in the store; the `~` keeps it apart from every room. */
export function shelfOf(room: RoomId, name: string): RoomId {
  return `${room}~${name}` as RoomId;
}

export function isShelf(id: string): boolean {
  return id.includes('~');
}

/** The room id, or undefined when the text breaks `[A-Za-z0-9_-]{1,64}`. */
export function parseRoomId(text: unknown): RoomId | undefined {
  return typeof text === 'string' && roomIdPattern.test(text) ? (text as RoomId) : undefined;
}

/** The user id, or undefined when the text is empty, over 64 characters or not well-formed. */
export function parseUserId(text: unknown): UserId | undefined {
  return typeof text === 'string' && text.isWellFormed() && userIdPattern.test(text)
    ? (text as UserId)
    : undefined;
}
