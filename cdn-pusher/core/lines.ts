/**
 * Owns making lines of a frame's publications: reads id, time, lane and kind, keeps the bytes as they
 * are. What cannot be read is left out and counted by the caller.
 */
import type { Line, Priority } from './types.js';

/** Kinds with a priority of their own; all others go by their lane. */
export type KindPriorities = Readonly<Record<string, Priority>>;

interface Head {
  readonly id?: unknown;
  readonly at?: unknown;
  readonly kind?: unknown;
  readonly lane?: unknown;
}

/** Undefined for bytes that are no publication, or one with a line break in it. */
export function lineOf(bytes: Buffer, kinds: KindPriorities): Line | undefined {
  if (bytes.includes(0x0a)) return undefined;
  let head: Head | null;
  try {
    head = JSON.parse(bytes.toString()) as Head | null;
  } catch {
    return undefined;
  }
  if (typeof head?.id !== 'string' || typeof head.at !== 'number') return undefined;
  const { id, at, kind, lane } = head;
  const own = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  const priority = own ?? (lane === 'low' ? 2 : 1);
  return { id, at, priority, bytes };
}
