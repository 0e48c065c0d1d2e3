/**
 * Owns what the plan says of the figures that a simulation counts, per second, for an audience as it is
 * at a time. Counts nothing itself.
 */
import { planCdn } from '../../src/plan/cdn.js';
import type { Costs } from '../../src/plan/coefficients.js';
import { edgeLoad } from '../../src/plan/edge-load.js';
import type { PlanInput } from '../../src/plan/input.js';
import { makePlan } from '../../src/plan/plan.js';
import { planNats } from '../../src/plan/services.js';

export type Figure =
  | `edges: ${'core seconds' | 'sends' | 'bytes read' | 'bytes on the wire'}`
  | 'NATS: bytes out'
  | `CDN: ${'requests' | 'bytes' | 'requests to the origin'}`;

/** Who is there: when as many come as go, or while all come. */
export interface Audience {
  readonly when: 'steady' | 'coming';
  readonly viewers: number;
  readonly arrivals: number;
}

export interface PlannedFigure {
  readonly what: Figure;
  readonly planned: number;
}

/** While all come only the CDN is compared: what they say, the room's part, is planned for the peak. */
export function plannedFigures(
  input: PlanInput,
  costs: Costs,
  { when, viewers, arrivals }: Audience,
): readonly PlannedFigure[] {
  const now = { ...input, viewers, arrivals };
  const row = (what: Figure, planned: number): PlannedFigure => ({ what, planned });
  const files = planCdn(now);
  const cdn =
    files === undefined
      ? []
      : [
          row('CDN: requests', files.requestsPerSecond),
          row('CDN: bytes', files.bytesPerSecond),
          row('CDN: requests to the origin', files.originRequestsPerSecond),
        ];
  if (when === 'coming') return cdn;
  const { edges, rooms } = makePlan(input, costs);
  const all = edges.processes;
  const edge = edgeLoad(now, costs, viewers / all);
  const bus = planNats(now, costs, { edges: all, services: rooms.services });
  return [
    row('edges: core seconds', edge.busy * all),
    row('edges: sends', edge.flushesPerSecond * all),
    row('edges: bytes read', edge.bytesPerSecond * all),
    row('edges: bytes on the wire', edge.wireBytesPerSecond * all),
    row('NATS: bytes out', bus.bytesOutPerSecond),
    ...cdn,
  ];
}
