/**
 * Owns the course of a simulation: the audience comes, stays with some coming and going, loses a
 * machine, then a region; and how what was counted compares with what the plan says.
 */
import type { Costs } from '../../src/plan/coefficients.js';
import { planCdn } from '../../src/plan/cdn.js';
import { edgeLoad } from '../../src/plan/edge-load.js';
import type { PlanInput } from '../../src/plan/input.js';
import { makePlan } from '../../src/plan/plan.js';
import { planNats } from '../../src/plan/services.js';
import { World } from './world.js';

/** One figure per second, as planned and as counted. */
export interface Compared {
  readonly what: string;
  readonly planned: number;
  readonly counted: number;
}

export interface AfterLoss {
  readonly loss: 'machine' | 'region';
  readonly stranded: number;
  /** Viewers who have no edge ten seconds later. */
  readonly homeless: number;
  readonly viewersMax: number;
  /** Of a core, the busiest edge then. */
  readonly busyMax: number;
}

export interface SimulationResult {
  readonly viewers: number;
  readonly edges: number;
  readonly compared: readonly Compared[];
  /** The fullest edge to the mean one. */
  readonly spread: number;
  readonly busyMaxComing: number;
  readonly losses: readonly AfterLoss[];
}

export interface SimulationOptions {
  readonly input: PlanInput;
  readonly costs: Costs;
  readonly seed: number;
  readonly steadySeconds?: number;
  readonly losses?: readonly AfterLoss['loss'][];
}

/** Mean time a viewer stays. */
const STAY_SECONDS = 1200;
const SETTLE_MS = 10_000;
const WINDOW_MS = 3000;

export function simulate(options: SimulationOptions): SimulationResult {
  const { input, costs, seed, steadySeconds = 8, losses = ['machine', 'region'] } = options;
  const plan = makePlan(input, costs);
  const world = new World({
    ...{ input, costs, edges: plan.edges, services: plan.rooms.services, seed },
  });
  const comingMs = Math.ceil((input.viewers / input.arrivals) * 1000);
  const busyMaxComing = busyMax(world, comingMs, () =>
    world.pass(comingMs, input.arrivals, world.crowd.size / STAY_SECONDS),
  );
  const churn = input.viewers / STAY_SECONDS;
  const pass = (ms: number): void => world.pass(ms, churn, churn);
  pass(2000);
  const compared = compare(options, world, () => pass(steadySeconds * 1000), steadySeconds);
  const spread = world.viewersMax() / (world.crowd.size / plan.edges.processes);
  return {
    ...{ viewers: world.crowd.size, edges: plan.edges.processes, compared, spread, busyMaxComing },
    losses: losses.map((loss) => {
      const { cores } = input;
      const perRegion = plan.edges.machinesPerRegion * cores;
      // A machine of each region where the plan says so, else one; or all of the first region.
      const each = input.survive === 'machine' ? perRegion : Infinity;
      const isLost = (edge: number) => (loss === 'region' ? edge < perRegion : edge % each < cores);
      const after = lose(world, loss, isLost, pass);
      world.revive();
      return after;
    }),
  };
}

function lose(
  world: World,
  loss: AfterLoss['loss'],
  isLost: (edge: number) => boolean,
  pass: (ms: number) => void,
): AfterLoss {
  const stranded = world.lose(isLost);
  pass(SETTLE_MS);
  const busy = busyMax(world, WINDOW_MS, () => pass(WINDOW_MS));
  const { viewersMax, homeless } = world.census();
  return { loss, stranded, homeless, viewersMax, busyMax: busy };
}

/** Share of a core of the busiest edge while `run` passes `ms`. */
function busyMax(world: World, ms: number, run: () => void): number {
  const before = world.cpu();
  run();
  return world.cpu().reduce((most, cpu, i) => Math.max(most, cpu - before[i]!), 0) / (ms / 1000);
}

function compare(
  { input, costs }: SimulationOptions,
  world: World,
  run: () => void,
  seconds: number,
): Compared[] {
  const [before, nats, cdn] = [world.total(), { ...world.nats }, { ...world.cdn.tally }];
  run();
  const after = world.total();
  // The audience as it is by now, with those who come and go rather than the peak's.
  const viewers = world.crowd.size;
  const now = { ...input, viewers, arrivals: viewers / STAY_SECONDS };
  const { edges, rooms } = makePlan(input, costs);
  const planned = edgeLoad(now, costs, viewers / edges.processes);
  const all = edges.processes;
  const bus = planNats({ ...now, said: input.said }, costs, {
    edges: all,
    services: rooms.services,
  });
  const files = planCdn(now);
  const row = (what: string, plan: number, counted: number): Compared => ({
    ...{ what, planned: plan, counted: counted / seconds },
  });
  return [
    row('edges: core seconds', planned.busy * all, after.cpuSeconds - before.cpuSeconds),
    row('edges: sends', planned.flushesPerSecond * all, after.sends - before.sends),
    row('edges: bytes read', planned.bytesPerSecond * all, after.bytes - before.bytes),
    row(
      'edges: bytes on the wire',
      planned.wireBytesPerSecond * all,
      after.wireBytes - before.wireBytes,
    ),
    row('NATS: bytes out', bus.bytesOutPerSecond, world.nats.bytesOut - nats.bytesOut),
    ...(files === undefined
      ? []
      : [
          row('CDN: requests', files.requestsPerSecond, world.cdn.tally.requests - cdn.requests),
          row('CDN: bytes', files.bytesPerSecond, world.cdn.tally.bytes - cdn.bytes),
          row(
            'CDN: requests to the origin',
            files.originRequestsPerSecond,
            world.cdn.tally.originRequests - cdn.originRequests,
          ),
        ]),
  ];
}
