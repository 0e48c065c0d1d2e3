/**
 * Owns the viewers of a simulation, each with its edge, its way of watching and its place among the
 * pollers of the CDN: three numbers a viewer, so that ten million fit. Decides nothing.
 */
import type { Random } from '../../src/random.js';
import type { PlanInput } from '../../src/plan/input.js';

/** Ways of watching; the second four are those that follow the CDN. */
export const WAYS = ['deflate', 'json', 'sse', 'poll'] as const;
export const COHORTS = WAYS.length * 2;
/** Steps into which the second of a CDN poll is divided. */
export const PHASES = 100;
const NOWHERE = 0xffff;

/** A viewer without an edge: its cohort, and its place with the CDN. */
export type Stranded = number;

export class Crowd {
  readonly #edge: Uint16Array;
  readonly #cohort: Uint8Array;
  readonly #spot: Uint16Array;
  readonly #counts: Uint32Array;
  /** Followers of the CDN by place and step of the second. */
  readonly followers: Uint32Array;
  readonly #input: PlanInput;
  readonly #random: Random;
  /** Viewers on edges. */
  size = 0;

  constructor(input: PlanInput, edges: number, random: Random) {
    const most = Math.ceil(input.viewers * 1.02) + 1000;
    this.#edge = new Uint16Array(most);
    this.#cohort = new Uint8Array(most);
    this.#spot = new Uint16Array(most);
    this.#counts = new Uint32Array(edges * COHORTS);
    this.followers = new Uint32Array(input.pops * PHASES);
    this.#input = input;
    this.#random = random;
  }

  get isFull(): boolean {
    return this.size === this.#edge.length;
  }

  /** Viewers on the edge of one cohort: a way of watching, and `WAYS.length` more for the CDN's. */
  count(edge: number, cohort: number): number {
    return this.#counts[edge * COHORTS + cohort]!;
  }

  on(edge: number): number {
    let sum = 0;
    for (let cohort = 0; cohort < COHORTS; cohort++) sum += this.count(edge, cohort);
    return sum;
  }

  /** Somebody new comes; its spot with the CDN if it follows that. */
  join(edge: number): number | undefined {
    const { cdn, pops } = this.#input;
    const follows = this.#random.next() < cdn;
    const spot = follows ? this.#random.below(pops * PHASES) : NOWHERE;
    if (follows) this.followers[spot]!++;
    this.#add(edge, this.#way() + (follows ? WAYS.length : 0), spot);
    return follows ? spot : undefined;
  }

  /** Somebody stranded is on an edge again. */
  rejoin(viewer: Stranded, edge: number): void {
    this.#add(edge, viewer & 0xff, viewer >>> 8);
  }

  #add(edge: number, cohort: number, spot: number): void {
    const at = this.size++;
    this.#edge[at] = edge;
    this.#cohort[at] = cohort;
    this.#spot[at] = spot;
    this.#counts[edge * COHORTS + cohort]!++;
  }

  /** Somebody leaves, whoever. */
  leave(): void {
    if (this.size === 0) return;
    const viewer = this.#random.below(this.size);
    const spot = this.#spot[viewer]!;
    if (spot !== NOWHERE) this.followers[spot]!--;
    this.#take(viewer);
  }

  /** Takes all viewers off these edges; the CDN they go on to follow. */
  strand(isLost: (edge: number) => boolean): Stranded[] {
    const stranded: Stranded[] = [];
    for (let viewer = this.size - 1; viewer >= 0; viewer--) {
      if (!isLost(this.#edge[viewer]!)) continue;
      stranded.push(this.#cohort[viewer]! | (this.#spot[viewer]! << 8));
      this.#take(viewer);
    }
    return stranded;
  }

  /** The last one takes the place. */
  #take(viewer: number): void {
    this.#counts[this.#edge[viewer]! * COHORTS + this.#cohort[viewer]!]!--;
    const last = --this.size;
    this.#edge[viewer] = this.#edge[last]!;
    this.#cohort[viewer] = this.#cohort[last]!;
    this.#spot[viewer] = this.#spot[last]!;
  }

  #way(): number {
    const { sse, poll, deflate } = this.#input;
    const draw = this.#random.next();
    if (draw < poll) return 3;
    if (draw < poll + sse) return 2;
    return this.#random.next() < deflate ? 0 : 1;
  }
}
