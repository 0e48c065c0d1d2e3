/**
 * Owns how many edges an audience needs: how many viewers one can hold and what it is that binds, then
 * processes and machines so that the loss that is to be survived is. Pure arithmetic.
 */
import { ASSUMED } from './assumptions.js';
import type { Costs } from './coefficients.js';
import { edgeLoad, viewerBytesOf, type EdgeLoad } from './edge-load.js';
import type { PlanInput } from './input.js';

export const BOUNDS = ['cpu', 'network', 'descriptors', 'memory'] as const;
export type Bound = (typeof BOUNDS)[number];

export interface EdgesPlan {
  /** Viewers an edge can hold by each bound; the least is the one that binds. */
  readonly bounds: Readonly<Record<Bound, number>>;
  readonly binding: Bound;
  readonly viewersMax: number;
  readonly machinesPerRegion: number;
  readonly machines: number;
  readonly processes: number;
  /** Usual load of an edge. */
  readonly usual: EdgeLoad;
  /** Load of an edge that is left after the loss to be survived. */
  readonly afterLoss: EdgeLoad;
}

/** Beyond any machine: what does not bind. */
const VIEWERS_MAX = 10_000_000;

/** Viewers an edge can hold by each bound; 0 where not even one. */
export function edgeBounds(input: PlanInput, costs: Costs): Readonly<Record<Bound, number>> {
  const { busy, cores, descriptors, intervalMs, memoryBytes, nicBitsPerSecond } = input;
  const capacity = descriptors * ASSUMED.descriptorShare * ASSUMED.fullMark;
  const memory = (memoryBytes * busy) / cores - costs.processBytes;
  const network = (nicBitsPerSecond * busy) / 8 / cores;
  const fits = (holds: (load: EdgeLoad) => boolean) =>
    largest((viewers) => holds(edgeLoad(input, costs, viewers)));
  return {
    cpu: fits((load) => load.busy <= busy * (1 + 1e-9) && load.intervalMs <= intervalMs),
    network: fits((load) => load.wireBytesPerSecond <= network),
    descriptors: Math.floor(capacity),
    memory: Math.max(0, Math.floor(memory / viewerBytesOf(costs))),
  };
}

/** The largest whole number up to VIEWERS_MAX that holds, where all smaller ones do. */
function largest(holds: (viewers: number) => boolean): number {
  let low = 0;
  let high = VIEWERS_MAX;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Undefined where not even one viewer fits on an edge. */
export function planEdges(input: PlanInput, costs: Costs): EdgesPlan | undefined {
  const bounds = edgeBounds(input, costs);
  const binding = BOUNDS.reduce((least, name) => (bounds[name] < bounds[least] ? name : least));
  const viewersMax = bounds[binding];
  if (viewersMax < 1) return undefined;
  const { viewers, regions, cores } = input;
  const perMachine = viewersMax * cores;
  const inRegion = viewers / regions;
  const needed = Math.ceil(inRegion / perMachine);
  const machinesPerRegion =
    input.survive === 'nothing'
      ? needed
      : input.survive === 'machine'
        ? needed + 1
        : Math.ceil(viewers / (regions - 1) / perMachine);
  const machines = machinesPerRegion * regions;
  const processes = machines * cores;
  const left =
    input.survive === 'region'
      ? viewers / ((regions - 1) * machinesPerRegion * cores)
      : input.survive === 'machine'
        ? inRegion / ((machinesPerRegion - 1) * cores)
        : viewers / processes;
  return {
    ...{ bounds, binding, viewersMax, machinesPerRegion, machines, processes },
    usual: edgeLoad(input, costs, viewers / processes),
    afterLoss: edgeLoad(input, costs, left),
  };
}
