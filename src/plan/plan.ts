/**
 * The capacity plan: edges, what stands behind them, CDN, bandwidth, cost, and what is doubtful about
 * it. Pure: an input and costs give a plan.
 */
import type { Costs } from './coefficients.js';
import { BarrageError } from '../errors.js';
import { planCdn, type CdnPlan } from './cdn.js';
import { BOUNDS, edgeBounds, planEdges, type EdgesPlan } from './edges.js';
import type { PlanInput } from './input.js';
import {
  planNats,
  planRedis,
  planRooms,
  type NatsPlan,
  type RedisPlan,
  type RoomsPlan,
} from './services.js';

export interface Plan {
  readonly input: PlanInput;
  readonly edges: EdgesPlan;
  readonly nats: NatsPlan;
  readonly rooms: RoomsPlan;
  readonly redis: RedisPlan;
  readonly cdn: CdnPlan | undefined;
  /** Everything that leaves the edges, in the usual state. */
  readonly egressBytesPerSecond: number;
  readonly cost: Cost;
  /** What does not fit or is not certain. */
  readonly warnings: readonly string[];
}

/** Per hour. */
export interface Cost {
  readonly cores: number;
  readonly coresCost: number;
  readonly egressGb: number;
  readonly egressCost: number;
  readonly cdnGb: number;
  readonly cdnCost: number;
  readonly total: number;
}

/** Edges a room service knows at most (room/dispatch/core/edge-table.ts). */
export const DISPATCH_EDGES_MAX = 10_000;
const HOUR_SECONDS = 3600;
/** Room services, Redis and its replica are counted by the process, a core each. */
const REDIS_CORES = 2;

/** Throws BarrageError `invalid` when no edge could hold a viewer. */
export function makePlan(input: PlanInput, costs: Costs): Plan {
  const edges = planEdges(input, costs);
  if (edges === undefined) {
    const bounds = edgeBounds(input, costs);
    const binding = BOUNDS.filter((name) => bounds[name] < 1).join(' and ');
    const rule = `an edge could hold none: too little ${binding}`;
    throw new BarrageError('invalid', `--viewers ${rule}`, { field: 'viewers', rule });
  }
  const rooms = planRooms(input, costs, edges.processes);
  const { services } = rooms;
  const nats = planNats(input, costs, { edges: edges.processes, services });
  const redis = planRedis(input, costs, services);
  const cdn = planCdn(input);
  const egressBytesPerSecond = edges.usual.wireBytesPerSecond * edges.processes;
  const parts = { input, edges, nats, rooms, redis, cdn, egressBytesPerSecond };
  return { ...parts, cost: costOf(parts), warnings: warningsOf(parts) };
}

type Parts = Omit<Plan, 'cost' | 'warnings'>;

/** Cores of NATS: what it needs, and at least one a server. */
export function natsCores({ input, nats }: Parts): number {
  return nats.servers * Math.max(1, Math.ceil(nats.busy / input.busy / nats.servers));
}

function costOf(parts: Parts): Cost {
  const { input, edges, rooms, cdn, egressBytesPerSecond } = parts;
  const cores = edges.processes + rooms.services + natsCores(parts) + REDIS_CORES;
  const egressGb = (egressBytesPerSecond * HOUR_SECONDS) / 1e9;
  const cdnGb = ((cdn?.bytesPerSecond ?? 0) * HOUR_SECONDS) / 1e9;
  const { prices } = input;
  const [coresCost, egressCost] = [cores * prices.coreHour, egressGb * prices.egressGb];
  const cdnCost = cdnGb * prices.cdnGb;
  const total = coresCost + egressCost + cdnCost;
  return { cores, coresCost, egressGb, egressCost, cdnGb, cdnCost, total };
}

function warningsOf({ input, edges, nats, rooms, redis }: Parts): string[] {
  const warnings: string[] = [];
  const room = rooms.roomBusy;
  if (room > input.busy) {
    warnings.push(`one room takes ${percent(room)} of its owner's core, and cannot be divided`);
  }
  if (redis.busy > input.busy) {
    warnings.push(`Redis takes ${percent(redis.busy)} of its core: use a Redis Cluster`);
  }
  if (!Number.isFinite(nats.servers)) {
    warnings.push('the frames that come in are more than one NATS server can pass on');
  }
  if (edges.processes > DISPATCH_EDGES_MAX) {
    warnings.push(
      `dispatch knows ${DISPATCH_EDGES_MAX} edges at most: use bigger processes or several clusters`,
    );
  }
  const { afterLoss } = edges;
  if (afterLoss.intervalMs > input.intervalMs * 1.001) {
    warnings.push(`after the loss viewers are sent every ${Math.round(afterLoss.intervalMs)} ms`);
  }
  return warnings;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
