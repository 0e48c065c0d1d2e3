/**
 * Owns the edges heard of, by region: who takes viewers, how many of them a room has, and who was not
 * heard of for too long. Pure; bounded in edges, and by what a report may hold. Rule: SPEC D-DISP-1.
 */
import type { RoomId } from '../../../src/ids.js';
import { EDGE_FORGET_MS, type EdgeReport } from '../../../src/wire/edge-report.js';
import { EdgeEntry } from './edge-entry.js';
import { seedOf } from './room-order.js';

export const EDGES_MAX = 10_000;

/** The edges of one region that take viewers. */
export class Region {
  readonly edges = new Map<string, EdgeEntry>();
  /** Rises when an edge comes or goes or changes its capacity. */
  version = 0;
  readonly #rooms = new Map<RoomId, number>();

  /** Viewers of the room as its edges told last; 0 for small rooms, of which they do not tell. */
  online(room: RoomId): number {
    return this.#rooms.get(room) ?? 0;
  }

  /** Counts the edge's rooms in (1) or out (-1). */
  count(entry: EdgeEntry, sign: 1 | -1): void {
    for (const [room, viewers] of entry.rooms) {
      const sum = (this.#rooms.get(room) ?? 0) + sign * viewers;
      if (sum > 0) this.#rooms.set(room, sum);
      else this.#rooms.delete(room);
    }
  }
}

export type Heard = 'taken' | 'gone' | 'over_bound';

export class EdgeTable {
  readonly #edges = new Map<string, EdgeEntry>();
  readonly #regions = new Map<string, Region>();
  /** All edges that take viewers, of whatever region. */
  readonly everywhere = new Region();

  get size(): number {
    return this.#edges.size;
  }

  get viewers(): number {
    let sum = 0;
    for (const { report } of this.#edges.values()) sum += report.viewers;
    return sum;
  }

  region(name: string): Region | undefined {
    return this.#regions.get(name);
  }

  /** In order of their ids, after `after`. */
  list(after: string, limit: number): readonly EdgeEntry[] {
    return [...this.#edges.values()]
      .filter(({ id }) => id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit);
  }

  /** Draining edges are listed and not handed out, gone ones forgotten. */
  hear(report: EdgeReport, now: number): Heard {
    const known = this.#edges.get(report.edge);
    if (report.gone === true) {
      if (known !== undefined) this.#drop(known);
      return 'gone';
    }
    if (known === undefined) {
      if (this.#edges.size >= EDGES_MAX) return 'over_bound';
      const entry = new EdgeEntry(report, seedOf(report.edge), now);
      entry.rooms = report.rooms ?? [];
      this.#edges.set(entry.id, entry);
      if (!report.draining) this.#enter(entry);
      return 'taken';
    }
    if (isMoved(known.report, report)) {
      if (!known.report.draining) this.#leave(known);
      known.hear(report, now);
      known.rooms = report.rooms ?? known.rooms;
      if (!report.draining) this.#enter(known);
      return 'taken';
    }
    known.hear(report, now);
    if (report.rooms !== undefined) this.#recount(known, report.rooms);
    return 'taken';
  }

  /** Lets go of edges not heard of for too long; how many. */
  forget(now: number): number {
    let forgotten = 0;
    for (const entry of this.#edges.values()) {
      if (now - entry.heardAt < EDGE_FORGET_MS) continue;
      this.#drop(entry);
      forgotten++;
    }
    return forgotten;
  }

  #drop(entry: EdgeEntry): void {
    this.#edges.delete(entry.id);
    if (!entry.report.draining) this.#leave(entry);
  }

  #enter(entry: EdgeEntry): void {
    const name = entry.report.region;
    const region = this.#regions.get(name) ?? new Region();
    this.#regions.set(name, region);
    for (const each of [region, this.everywhere]) {
      each.edges.set(entry.id, entry);
      each.version++;
      each.count(entry, 1);
    }
  }

  #leave(entry: EdgeEntry): void {
    const name = entry.report.region;
    const region = this.#regions.get(name);
    for (const each of [region, this.everywhere]) {
      if (each === undefined || !each.edges.delete(entry.id)) continue;
      each.version++;
      each.count(entry, -1);
    }
    if (region?.edges.size === 0) this.#regions.delete(name);
  }

  #recount(entry: EdgeEntry, rooms: EdgeEntry['rooms']): void {
    const regions = [this.#regions.get(entry.report.region), this.everywhere];
    const isIn = !entry.report.draining;
    if (isIn) for (const region of regions) region?.count(entry, -1);
    entry.rooms = rooms;
    if (isIn) for (const region of regions) region?.count(entry, 1);
  }
}

/** Whether the report puts the edge in another place of the table. */
function isMoved(before: EdgeReport, report: EdgeReport): boolean {
  return (
    before.region !== report.region ||
    before.draining !== report.draining ||
    before.capacity !== report.capacity
  );
}
