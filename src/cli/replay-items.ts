/**
 * Owns turning Bilibili's comments into danmaku of users, setting aside what the wire cannot carry.
 * Pure.
 */
import { styleOf } from '../formats/bilibili-style.js';
import { wordsOf, type BilibiliComment } from '../formats/bilibili-xml.js';
import { parseUserId, type UserId } from '../ids.js';
import { COMMAND_BYTES_MAX } from '../limits.js';
import { contentFlaw } from '../wire/commands.js';
import type { Style } from '../words.js';

export interface ReplayItem {
  /** From the first comment on. */
  readonly atMs: number;
  readonly user: UserId;
  readonly text: string;
  readonly style: Style;
}

/** Room in a command for everything but the text: type, room, id, kind, style. */
const COMMAND_FRAME_BYTES = 300;

/** The danmaku in the comments' order; texts are not cut: a room's bounds are the room's to tell. */
export function replayItems(comments: readonly BilibiliComment[]): {
  readonly items: readonly ReplayItem[];
  readonly unsendable: number;
} {
  const start = comments[0]?.atMs ?? 0;
  const items: ReplayItem[] = [];
  for (const comment of comments) {
    const user = parseUserId(comment.user);
    const text = wordsOf(comment);
    if (user === undefined || !isSendable(text)) continue;
    items.push({ atMs: comment.atMs - start, user, text, style: styleOf(comment) });
  }
  return { items, unsendable: comments.length - items.length };
}

function isSendable(text: string): boolean {
  if (contentFlaw({ text }) !== undefined) return false;
  return Buffer.byteLength(JSON.stringify(text)) + COMMAND_FRAME_BYTES <= COMMAND_BYTES_MAX;
}
