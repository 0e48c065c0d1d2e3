/**
 * Owns the little an edge reads in publications that are meant for some (their id, their time), and
 * the frames it makes of single ones itself.
 */
import type { RoomId } from '../src/ids.js';

/** `id` is always first (src/wire/publication.ts), at most 128 characters of ASCII. */
const idFirst = /^\{"id":"([^"\\]{1,128})"/;

/** The publication's id; '' when it has none that an edge can read. */
export function idOf(json: Buffer): string {
  return idFirst.exec(json.toString('latin1', 0, 160))?.[1] ?? '';
}

/** When the publication was admitted, unix milliseconds; 0 when it does not say. */
export function atOf(json: Buffer): number {
  const { at } = JSON.parse(json.toString()) as { at?: unknown };
  return typeof at === 'number' ? at : 0;
}

/**
 * One publication in a droppable frame of its own: it moves no position. `resent`: the viewer may
 * have it already.
 */
export function frameLineOf(room: RoomId | undefined, json: Buffer, resent: boolean): string {
  const place = room === undefined ? '' : `"room":"${room}",`;
  const again = resent ? '"resent":true,' : '';
  return `{"type":"frame",${place}"class":"drop",${again}"publications":[${json.toString()}]}`;
}
