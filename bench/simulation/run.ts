/**
 * Owns the course of a simulation: the audience comes, stays with some coming and going, loses a
 * machine, then a region; and how what was counted compares with what the plan says.
 */
import type { Costs } from '../../src/plan/coefficients.js';
import type { PlanInput } from '../../src/plan/input.js';
import { makePlan } from '../../src/plan/plan.js';
import { plannedFigures, type Audience, type Figure } from './planned.js';
import { World } from './world.js';

/** One figure per second, as planned and as counted. */
export interface Compared extends Audience {
  readonly what: Figure;
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

/** A stretch of time in which is counted; without `arrivals` as many come as go. */
interface Stretch extends Pick<Audience, 'when'> {
  readonly seconds: number;
  readonly arrivals?: number;
  readonly run: () => void;
}

/** Mean time a viewer stays. */
const STAY_SECONDS = 1200;
const SETTLE_MS = 10_000;
const WINDOW_MS = 3000;
/** The last part of the time in which all come. */
const COMING_MS = 5000;

export function simulate(options: SimulationOptions): SimulationResult {
  const { input, costs, seed, steadySeconds = 8, losses = ['machine', 'region'] } = options;
  const plan = makePlan(input, costs);
  const world = new World({
    ...{ input, costs, edges: plan.edges, services: plan.rooms.services, seed },
  });
  const comingMs = Math.ceil((input.viewers / input.arrivals) * 1000);
  const lastMs = Math.min(COMING_MS, comingMs);
  // Nobody leaves before all are there.
  const come = (ms: number): void => world.pass(ms, input.arrivals, 0);
  let coming: readonly Compared[] = [];
  const busyMaxComing = busyMax(world, comingMs, () => {
    come(comingMs - lastMs);
    coming = compare(options, world, {
      ...{ when: 'coming', seconds: lastMs / 1000, arrivals: input.arrivals },
      run: () => come(lastMs),
    });
  });
  const churn = input.viewers / STAY_SECONDS;
  const pass = (ms: number): void => world.pass(ms, churn, churn);
  pass(2000);
  const steady = compare(options, world, {
    ...{ when: 'steady', seconds: steadySeconds, run: () => pass(steadySeconds * 1000) },
  });
  const spread = world.viewersMax() / (world.crowd.size / plan.edges.processes);
  return {
    ...{ viewers: world.crowd.size, edges: plan.edges.processes, spread, busyMaxComing },
    compared: [...steady, ...coming],
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

/** What is counted of a world, all of it from its beginning. */
function countsOf(world: World): Readonly<Record<Figure, number>> {
  const { cpuSeconds, sends, bytes, wireBytes } = world.total();
  const { tally } = world.cdn;
  return {
    ...{ 'edges: core seconds': cpuSeconds, 'edges: sends': sends, 'edges: bytes read': bytes },
    ...{ 'edges: bytes on the wire': wireBytes, 'NATS: bytes out': world.nats.bytesOut },
    ...{ 'CDN: requests': tally.requests, 'CDN: bytes': tally.bytes },
    'CDN: requests to the origin': tally.originRequests,
  };
}

/** What `run` counted beside what the plan says of the mean audience meanwhile. */
function compare(
  { input, costs }: SimulationOptions,
  world: World,
  { when, seconds, arrivals, run }: Stretch,
): Compared[] {
  const [sizeBefore, before] = [world.crowd.size, countsOf(world)];
  run();
  const [sizeAfter, after] = [world.crowd.size, countsOf(world)];
  // The audience as it is by now, with those who come and go rather than the peak's.
  const viewers = when === 'steady' ? sizeAfter : (sizeBefore + sizeAfter) / 2;
  const audience = { when, viewers, arrivals: arrivals ?? sizeAfter / STAY_SECONDS };
  return plannedFigures(input, costs, audience).map(({ what, planned }) => ({
    ...{ what, when, viewers, arrivals: audience.arrivals, planned },
    counted: (after[what] - before[what]) / seconds,
  }));
}
