/**
 * Owns what the edges said about publications that were meant for some: for each the numbers of every
 * edge, summed up when asked. In memory only; bounded, the oldest publications go first.
 */
import type { DeliveryCount, DeliveryReport } from '../../src/wire/internal.js';
import type { Target } from '../../src/target.js';
import type { DeliveryView } from '../calls/scopes.js';

/** Edges heard of for one publication. */
const EDGES_MAX = 1000;
const NOTHING: DeliveryCount = { delivered: 0, acked: 0, resent: 0, givenUp: 0 };

interface Tracked {
  readonly targets: number;
  readonly edges: Map<string, DeliveryCount>;
}

export class Deliveries {
  readonly #tracked = new Map<string, Tracked>();
  readonly #max: number;

  /** Remembers the newest `max` publications. */
  constructor(max: number) {
    this.#max = max;
  }

  /** A publication with a target went out. */
  track(id: string, to: Target): void {
    if (this.#tracked.has(id)) return;
    const targets = (to.users?.length ?? 0) + (to.devices?.length ?? 0);
    this.#tracked.set(id, { targets, edges: new Map() });
    if (this.#tracked.size > this.#max) {
      this.#tracked.delete(this.#tracked.keys().next().value!);
    }
  }

  /** An edge's numbers, in the place of those it told before. */
  take(edge: string, id: string, counts: DeliveryCount): void {
    const edges = this.#tracked.get(id)?.edges;
    if (edges === undefined || (edges.size >= EDGES_MAX && !edges.has(edge))) return;
    edges.set(edge, counts);
  }

  /** The sum over all edges; undefined for what is not remembered. */
  view(id: string): DeliveryView | undefined {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return undefined;
    const sum = { ...NOTHING };
    for (const counts of tracked.edges.values()) {
      sum.delivered += counts.delivered;
      sum.acked += counts.acked;
      sum.resent += counts.resent;
      sum.givenUp += counts.givenUp;
    }
    return { id, targets: tracked.targets, ...sum };
  }
}

/** The report in a value from the bus, or undefined when there is none. */
export function parseDeliveries(value: unknown): DeliveryReport | undefined {
  const report = value as Partial<DeliveryReport> | null;
  if (typeof report !== 'object' || report === null) return undefined;
  if (typeof report.edge !== 'string' || !Array.isArray(report.items)) return undefined;
  const isSound = (report.items as unknown[]).every(
    (row) =>
      Array.isArray(row) &&
      typeof row[0] === 'string' &&
      typeof row[1] === 'string' &&
      isCount(row[2] as Partial<DeliveryCount> | null),
  );
  return isSound ? (report as DeliveryReport) : undefined;
}

function isCount(value: Partial<DeliveryCount> | null): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return (['delivered', 'acked', 'resent', 'givenUp'] as const).every(
    (name) => Number.isSafeInteger(value[name]) && value[name]! >= 0,
  );
}
