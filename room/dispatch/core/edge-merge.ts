/**
 * Owns making one edge of those that viewers reach under one address: the processes of one machine
 * that share its port, or edges behind one load balancer. Who dials the address cannot choose among
 * them, so they are handed out as one. Pure; `now` is an argument. Rules: SPEC D-DISP-13.
 */
import type { EdgeReport, RoomCount } from '../../../src/wire/edge-report.js';
import { EDGE_FORGET_MS, REPORT_ROOMS_MAX } from '../../../src/wire/edge-report.js';
import { EDGES_MAX } from './edge-table.js';

interface Member {
  report: EdgeReport;
  heardAt: number;
  rooms: readonly RoomCount[];
}

/** What to tell the table of edges: the reports to hear, in order. */
export type Told = readonly EdgeReport[];

export class EdgeMerge {
  readonly #groups = new Map<string, Map<string, Member>>();
  /** Under which address each edge stands. */
  readonly #urls = new Map<string, string>();

  /** Whether another edge would be one too many. */
  isFullFor(edge: string): boolean {
    return this.#urls.size >= EDGES_MAX && !this.#urls.has(edge);
  }

  /** The report as it is where its address has one edge; else one of all of them. */
  hear(report: EdgeReport, now: number): Told {
    const { edge, url } = report;
    const before = this.#urls.get(edge);
    const moved = before !== undefined && before !== url ? this.#leave(edge, before) : [];
    if (report.gone === true) {
      const left = before === url ? this.#leave(edge, url) : moved;
      return left.length > 0 ? left : [report];
    }
    const group = this.#groups.get(url) ?? new Map<string, Member>();
    const first = firstOf(group);
    const rooms = report.rooms ?? group.get(edge)?.rooms ?? [];
    group.set(edge, { report, heardAt: now, rooms });
    this.#groups.set(url, group);
    this.#urls.set(edge, url);
    if (group.size === 1) return [...moved.filter((each) => each.edge !== edge), report];
    return [...moved, ...this.#tell(group, first)];
  }

  /** Lets go of edges not heard of for too long; how many, and what that tells. */
  forget(now: number): { readonly count: number; readonly told: Told } {
    const told: EdgeReport[] = [];
    let count = 0;
    for (const [url, group] of this.#groups) {
      for (const [edge, { heardAt }] of group) {
        if (now - heardAt < EDGE_FORGET_MS) continue;
        told.push(...this.#leave(edge, url));
        count++;
      }
    }
    return { count, told };
  }

  #leave(edge: string, url: string): Told {
    const group = this.#groups.get(url);
    const member = group?.get(edge);
    if (group === undefined || member === undefined) return [];
    const first = firstOf(group);
    this.#drop(edge, url, group);
    if (group.size === 0) return [goneOf(member.report)];
    return this.#tell(group, first, member.report);
  }

  #drop(edge: string, url: string, group: Map<string, Member>): void {
    group.delete(edge);
    this.#urls.delete(edge);
    if (group.size === 0) this.#groups.delete(url);
  }

  /** They stand under the first of their names, so that every service calls them the same. */
  #tell(group: Map<string, Member>, before: string | undefined, left?: EdgeReport): Told {
    const first = firstOf(group)!;
    const merged = mergeReports([...group.values()], first);
    if (before === undefined || before === first) return [merged];
    const gone = left?.edge === before ? left : group.get(before)?.report;
    return gone === undefined ? [merged] : [goneOf(gone), merged];
  }
}

function firstOf(group: ReadonlyMap<string, Member>): string | undefined {
  let first: string | undefined;
  for (const edge of group.keys()) if (first === undefined || edge < first) first = edge;
  return first;
}

function goneOf(report: EdgeReport): EdgeReport {
  return { ...report, draining: true, gone: true };
}

/**
 * Viewers, place and bytes add up. A new viewer meets any of them, so they are as busy as they are on
 * the whole and as late as the latest. Those that drain take nobody and offer no place.
 */
function mergeReports(members: readonly Member[], first: string): EdgeReport {
  const open = members.filter(({ report }) => !report.draining);
  const taking = (open.length > 0 ? open : members).map(({ report }) => report);
  const sum = (of: (report: EdgeReport) => number): number =>
    taking.reduce((total, report) => total + of(report), 0);
  return {
    ...taking[0]!,
    edge: first as EdgeReport['edge'],
    viewers: sum(({ viewers }) => viewers),
    capacity: sum(({ capacity }) => capacity),
    egressBytesPerSecond: sum((report) => report.egressBytesPerSecond),
    busy: sum(({ busy }) => busy) / taking.length,
    lagMs: Math.max(...taking.map(({ lagMs }) => lagMs)),
    draining: open.length === 0,
    at: Math.max(...taking.map(({ at }) => at)),
    rooms: mergeRooms(members),
  };
}

function mergeRooms(members: readonly Member[]): readonly RoomCount[] {
  const sums = new Map<RoomCount[0], number>();
  for (const { rooms } of members) {
    for (const [room, viewers] of rooms) sums.set(room, (sums.get(room) ?? 0) + viewers);
  }
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, REPORT_ROOMS_MAX * members.length);
}
