/**
 * Owns a simulated audience of one room: viewers come by chance, dispatch's own desk sends them to
 * edges that report as edges do, everything that happens is charged by the plan's coefficients, and
 * edges may be lost. So the plan's arithmetic is held against what comes of single events.
 */
import { RegionDesk } from '../../room/dispatch/region-desk.js';
import { EdgeTable } from '../../room/dispatch/core/edge-table.js';
import { DISPATCH_DEFAULTS } from '../../src/dispatch-settings.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { ASSUMED } from '../../src/plan/assumptions.js';
import type { Costs } from '../../src/plan/coefficients.js';
import { admittedOf } from '../../src/plan/edge-load.js';
import type { EdgesPlan } from '../../src/plan/edges.js';
import type { PlanInput } from '../../src/plan/input.js';
import { seededRandom, type Random } from '../../src/random.js';
import type { EdgeEntry } from '../../room/dispatch/core/edge-entry.js';
import { SimCdn } from './cdn.js';
import { poisson } from './chance.js';
import { Crowd, type Stranded } from './crowd.js';
import { emptyTally, SimEdge, type SimFrame, type Tally } from './edge.js';

/** Edges report this often, and all else goes in steps of it. */
const STEP_MS = ASSUMED.edgeReportMs;
/** Who loses its edge comes back within this time (edge.reconnectJitter). */
const RECONNECT_MS = 2000;
const ROOM = 'show' as RoomId;
const FORGET_MS = 3000;

export interface WorldParts {
  readonly input: PlanInput;
  readonly costs: Costs;
  readonly edges: EdgesPlan;
  /** Room services, who all hear of the edges. */
  readonly services: number;
  readonly seed: number;
}

export interface NatsTally {
  notesOut: number;
  bytesOut: number;
}

export class World {
  readonly crowd: Crowd;
  readonly cdn: SimCdn;
  readonly nats: NatsTally = { notesOut: 0, bytesOut: 0 };
  now = 0;
  /** Viewers whom no edge would take when they asked; they ask again. */
  refused = 0;
  readonly #parts: WorldParts;
  readonly #random: Random;
  readonly #edges: readonly SimEdge[];
  readonly #names: readonly string[];
  readonly #indexes = new Map<string, number>();
  readonly #joins: Uint32Array;
  readonly #cpuBefore: Float64Array;
  readonly #table = new EdgeTable();
  readonly #desks = new Map<number, RegionDesk>();
  readonly #everywhere: RegionDesk;
  readonly #lost = new Set<number>();
  /** Viewers without an edge, by the step in which they come back. */
  readonly #returning = new Map<number, Stranded[]>();
  #credit = 0;
  #waiting = 0;
  #keepCredit = 0;
  #region = 0;

  constructor(parts: WorldParts) {
    this.#parts = parts;
    const { input, costs, edges } = parts;
    this.#random = seededRandom(parts.seed);
    this.crowd = new Crowd(input, edges.processes, this.#random);
    this.cdn = new SimCdn(input, this.#random);
    const all = Array.from({ length: edges.processes }, (_, i) => i);
    this.#edges = all.map(() => new SimEdge(input, costs, this.#random));
    this.#names = all.map((i) => `edge-${i}`);
    this.#names.forEach((name, i) => this.#indexes.set(name, i));
    this.#joins = new Uint32Array(edges.processes);
    this.#cpuBefore = new Float64Array(edges.processes);
    this.#report(0);
    this.#everywhere = new RegionDesk(this.#table.everywhere, DISPATCH_DEFAULTS, this.#random);
  }

  regionOf(edge: number): number {
    const { machinesPerRegion } = this.#parts.edges;
    return Math.floor(edge / (machinesPerRegion * this.#parts.input.cores));
  }

  /** Lets time pass with so many viewers coming and going per second. */
  pass(ms: number, comePerSecond: number, leavePerSecond: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.#step(comePerSecond * (STEP_MS / 1000), leavePerSecond * (STEP_MS / 1000));
    }
  }

  /** Edges end without a word; their viewers come back elsewhere within two seconds. */
  lose(isLost: (edge: number) => boolean): number {
    this.#names.forEach((_, edge) => isLost(edge) && this.#lost.add(edge));
    const stranded = this.crowd.strand((edge) => this.#lost.has(edge));
    for (const viewer of stranded) this.#comeBack(viewer);
    return stranded.length;
  }

  revive(): void {
    this.#lost.clear();
  }

  /** All edges together. */
  total(): Tally {
    const sum = emptyTally();
    for (const { tally } of this.#edges) {
      for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += tally[name];
    }
    return sum;
  }

  /** Core time of each edge so far. */
  cpu(): Float64Array {
    return Float64Array.from(this.#edges, ({ tally }) => tally.cpuSeconds);
  }

  viewersMax(): number {
    return this.census().viewersMax;
  }

  /** How full the fullest edge is, and how many viewers wait for one. */
  census(): { readonly viewersMax: number; readonly homeless: number } {
    let [viewersMax, homeless] = [0, 0];
    for (let i = 0; i < this.#edges.length; i++) {
      viewersMax = Math.max(viewersMax, this.crowd.on(i));
    }
    for (const waiting of this.#returning.values()) homeless += waiting.length;
    return { viewersMax, homeless };
  }

  #step(come: number, leave: number): void {
    const { input } = this.#parts;
    const [from, to] = [this.now, this.now + STEP_MS];
    for (let left = poisson(this.#random, leave); left > 0; left--) this.crowd.leave();
    this.#arrive(poisson(this.#random, come), from);
    const frames = this.#room(from, to);
    const said = (input.said * STEP_MS) / 1000 / input.viewers;
    const share = input.said === 0 ? 0 : admittedOf(input) / input.said;
    let admittedAll = 0;
    this.#edges.forEach((edge, i) => {
      if (this.#lost.has(i)) return;
      const spoken = poisson(this.#random, said * this.crowd.on(i));
      const admitted = Math.min(spoken, poisson(this.#random, spoken * share));
      admittedAll += admitted;
      const count = (cohort: number): number => this.crowd.count(i, cohort);
      const joins = this.#joins[i]!;
      edge.step({ from, to, frames, joins, said: spoken, admitted, count });
    });
    this.#joins.fill(0);
    this.#bus(frames, admittedAll);
    if (input.cdn > 0) this.cdn.step(from, to, this.crowd.followers);
    this.now = to;
    this.#report(to);
  }

  #arrive(newcomers: number, now: number): void {
    const step = Math.floor(now / STEP_MS);
    for (const viewer of this.#returning.get(step) ?? []) {
      const edge = this.#dispatch(now);
      if (edge === undefined) this.#comeBack(viewer);
      else this.crowd.rejoin(viewer, edge);
    }
    this.#returning.delete(step);
    for (let i = 0; i < newcomers && !this.crowd.isFull; i++) {
      const edge = this.#dispatch(now);
      const spot = edge === undefined ? undefined : this.crowd.join(edge);
      if (spot !== undefined) this.cdn.join(spot, STEP_MS);
    }
  }

  #comeBack(viewer: Stranded): void {
    const step = Math.floor(this.now / STEP_MS) + 1 + this.#random.below(RECONNECT_MS / STEP_MS);
    const others = this.#returning.get(step);
    if (others === undefined) this.#returning.set(step, [viewer]);
    else others.push(viewer);
  }

  /** The region in turn, then anywhere; calm edges before strained ones. */
  #dispatch(now: number): number | undefined {
    this.#region = (this.#region + 1) % this.#parts.input.regions;
    const own = this.#desk(this.#region);
    const picked: EdgeEntry[] = [];
    for (const strain of ['calm', 'strained'] as const) {
      for (const desk of own === undefined ? [this.#everywhere] : [own, this.#everywhere]) {
        if (picked.length === 0) desk.pick({ room: ROOM, strain, wanted: 1 }, picked, now);
      }
    }
    const [entry] = picked;
    if (entry === undefined) {
      this.refused++;
      return undefined;
    }
    entry.handed += 1;
    const edge = this.#indexes.get(entry.id)!;
    this.#joins[edge]!++;
    // An edge that was lost a moment ago is still handed out: the viewer finds nobody there.
    return this.#lost.has(edge) ? undefined : edge;
  }

  #desk(index: number): RegionDesk | undefined {
    const region = this.#table.region(`r${index}`);
    if (region === undefined) {
      this.#desks.delete(index);
      return undefined;
    }
    const known = this.#desks.get(index);
    if (known !== undefined) return known;
    const desk = new RegionDesk(region, DISPATCH_DEFAULTS, this.#random);
    this.#desks.set(index, desk);
    return desk;
  }

  /** What the room sends: what came in, by the credit of its budget, tick by tick. */
  #room(from: number, to: number): SimFrame[] {
    const { input } = this.#parts;
    const frames: SimFrame[] = [];
    const { tickMs, rate } = input;
    for (let at = Math.ceil(from / tickMs) * tickMs; at < to; at += tickMs) {
      this.#waiting += poisson(this.#random, (admittedOf(input) * tickMs) / 1000);
      this.#credit = Math.min(rate, this.#credit + (rate * tickMs) / 1000);
      const publications = Math.min(this.#waiting, Math.floor(this.#credit + 1e-9));
      this.#waiting = Math.min(this.#waiting - publications, rate);
      this.#credit -= publications;
      if (publications === 0) continue;
      frames.push({ at, publications, isKeep: false });
      this.cdn.write(at, publications);
    }
    // A studio posts steadily, at times of its own.
    this.#keepCredit += (input.keepRate * (to - from)) / 1000;
    for (; this.#keepCredit >= 1; this.#keepCredit--) {
      const at = from + this.#random.next() * (to - from);
      frames.push({ at, publications: 1, isKeep: true });
    }
    return frames.sort((a, b) => a.at - b.at);
  }

  #bus(frames: readonly SimFrame[], admitted: number): void {
    const { input, costs } = this.#parts;
    const living = this.#edges.filter((_, i) => !this.#lost.has(i) && this.crowd.on(i) > 0).length;
    const heardBy = living + (input.cdn > 0 ? 2 : 0);
    const { nats } = this;
    for (const { publications } of frames) {
      nats.notesOut += heardBy;
      nats.bytesOut += heardBy * (ASSUMED.envelopeBytes + publications * costs.jsonEachBytes);
    }
    const reports = living * this.#parts.services;
    const audience = this.now % ASSUMED.audienceMs < STEP_MS ? living : 0;
    nats.notesOut += 2 * admitted + reports + audience;
    nats.bytesOut +=
      admitted * ASSUMED.uplinkBytes +
      reports * ASSUMED.edgeReportBytes +
      audience * ASSUMED.audienceBytes;
  }

  #report(now: number): void {
    const { input } = this.#parts;
    const capacity = Math.floor(input.descriptors * ASSUMED.descriptorShare);
    this.#edges.forEach(({ tally }, i) => {
      if (this.#lost.has(i)) return;
      const viewers = this.crowd.on(i);
      const busy = now === 0 ? 0 : (tally.cpuSeconds - this.#cpuBefore[i]!) / (STEP_MS / 1000);
      this.#cpuBefore[i] = tally.cpuSeconds;
      this.#table.hear(
        {
          ...{ edge: this.#names[i] as EdgeId, url: 'http://edge', region: `r${this.regionOf(i)}` },
          ...{
            viewers,
            capacity,
            egressBytesPerSecond: 0,
            busy,
            lagMs: 0,
            draining: false,
            at: now,
          },
          rooms: [[ROOM, viewers]],
        },
        now,
      );
    });
    if (now >= FORGET_MS) this.#table.forget(now);
  }
}
