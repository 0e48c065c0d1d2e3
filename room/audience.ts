/**
 * Owns how many viewers each room has: the sum of what the edges reported last. An edge not heard of
 * for a while counts nothing. Knows no bus and no room.
 */
import { parseRoomId, type RoomId } from '../src/ids.js';
import type { AudienceReport } from '../src/wire/internal.js';

const EDGES_MAX = 10_000;

interface Heard {
  at: number;
  rooms: ReadonlyMap<RoomId, number>;
}

/** Takes one shard's reports. Each report replaces what its edge said before. */
export class Audience {
  readonly #edges = new Map<string, Heard>();
  readonly #sums = new Map<RoomId, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Viewers of the room on all edges. */
  of(room: RoomId): number {
    return this.#sums.get(room) ?? 0;
  }

  /** Rooms whose sum is another now. */
  report(report: AudienceReport, now: number): Set<RoomId> {
    const changed = new Set<RoomId>();
    const before = this.#edges.get(report.edge);
    if (before === undefined && this.#edges.size >= EDGES_MAX) return changed;
    const rooms = roomsOf(report);
    this.#edges.set(report.edge, { at: now, rooms });
    for (const [room, viewers] of rooms) {
      this.#add(room, viewers - (before?.rooms.get(room) ?? 0), changed);
    }
    for (const [room, viewers] of before?.rooms ?? []) {
      if (!rooms.has(room)) this.#add(room, -viewers, changed);
    }
    return changed;
  }

  /** Lets go of edges not heard of since `before` (unix milliseconds); rooms whose sum changed. */
  forget(before: number): Set<RoomId> {
    const changed = new Set<RoomId>();
    for (const [edge, { at, rooms }] of this.#edges) {
      if (at >= before) continue;
      this.#edges.delete(edge);
      for (const [room, viewers] of rooms) this.#add(room, -viewers, changed);
    }
    return changed;
  }

  #add(room: RoomId, difference: number, changed: Set<RoomId>): void {
    if (difference === 0) return;
    const sum = (this.#sums.get(room) ?? 0) + difference;
    this.#total += difference;
    if (sum <= 0) this.#sums.delete(room);
    else this.#sums.set(room, sum);
    changed.add(room);
  }
}

function roomsOf(report: AudienceReport): Map<RoomId, number> {
  const rooms = new Map<RoomId, number>();
  for (const [id, viewers] of report.rooms) {
    const room = parseRoomId(id);
    if (room !== undefined && viewers > 0) rooms.set(room, viewers);
  }
  return rooms;
}

/** The report, or undefined when the bytes hold none. */
export function parseReport(value: unknown): AudienceReport | undefined {
  const report = value as Partial<AudienceReport> | null;
  if (typeof report !== 'object' || report === null) return undefined;
  if (typeof report.edge !== 'string' || !Array.isArray(report.rooms)) return undefined;
  const sound = (report.rooms as unknown[]).every(
    (row) => Array.isArray(row) && typeof row[0] === 'string' && Number.isSafeInteger(row[1]),
  );
  return sound ? (report as AudienceReport) : undefined;
}
