/**
 * Owns what is known of one room among the edges of a region: the order in which it prefers them, and
 * who was sent where lately and cannot have been reported yet. Pure.
 */
import type { RoomId } from '../../../src/ids.js';
import type { EdgeEntry } from './edge-entry.js';
import { ofStrain, Rotation, type Turns } from './rotation.js';

/** Viewers handed out count half after this time: by then reports show those who came. */
const HANDED_HALF_MS = 2000;
/** An edge that has its part of the room still gets this share of a turn. */
const FULL_SHARE = 0.02;
/** A part is this much more than an even share, so that no edge is at its end all the time. */
const PART_MARGIN = 1.25;
const AGED_MIN = 1e-3;

export class RoomSpot {
  readonly turns: Turns;
  order: readonly EdgeEntry[] = [];
  /** Of the region's edges that the order was made of. */
  version = -1;
  /** Viewers handed out lately. */
  handed = 0;
  readonly #room: RoomId;
  readonly #handedTo = new Map<EdgeEntry, number>();
  #at: number;
  #rotation: Rotation | undefined;
  #edges = 0;
  #judgement = -1;
  /** What is left of `#handedTo` since they were last worked out. */
  #aged = 1;

  constructor(room: RoomId, turns: Turns, now: number) {
    this.#room = room;
    this.turns = turns;
    this.#at = now;
  }

  reorder(order: readonly EdgeEntry[], version: number): void {
    this.order = order;
    this.version = version;
    this.#rotation = undefined;
    for (const edge of this.#handedTo.keys()) {
      if (!order.includes(edge)) this.#handedTo.delete(edge);
    }
  }

  age(now: number): void {
    if (now <= this.#at) return;
    const aged = 0.5 ** ((now - this.#at) / HANDED_HALF_MS);
    this.handed *= aged;
    this.#aged *= aged;
    this.#at = now;
    if (this.#aged < AGED_MIN) this.#settle();
  }

  /** Works out what is left, before the share that is left becomes too small a number. */
  #settle(): void {
    for (const [edge, count] of this.#handedTo) {
      const left = count * this.#aged;
      if (left < AGED_MIN) this.#handedTo.delete(edge);
      else this.#handedTo.set(edge, left);
    }
    this.#aged = 1;
  }

  /** A viewer of the room was sent to the edge, or to one of the region that is not known yet. */
  hand(edge: EdgeEntry | undefined): void {
    this.handed++;
    // The map's bound is that of the order.
    if (edge === undefined) return;
    this.#handedTo.set(edge, (this.#handedTo.get(edge) ?? 0) + 1 / this.#aged);
  }

  /** The first calm ones of the order, as many as the room needs, by the part of it they lack. */
  rotation(edges: number, judgement: number): Rotation {
    const isFresh = this.#judgement === judgement && this.#edges === edges;
    if (isFresh && this.#rotation !== undefined) return this.#rotation;
    const chosen = ofStrain(this.order, 'calm').slice(0, edges);
    const held = new Map(chosen.map((edge) => [edge, this.#heldBy(edge)]));
    let all = 0;
    for (const count of held.values()) all += count;
    const part = Math.max(1, (all / chosen.length) * PART_MARGIN);
    this.#rotation = new Rotation(
      chosen,
      (edge) => edge.weight * Math.max(FULL_SHARE, 1 - held.get(edge)! / part),
    );
    this.#edges = edges;
    this.#judgement = judgement;
    return this.#rotation;
  }

  /** Viewers of the room at the edge: as reported, and sent there since. */
  #heldBy(edge: EdgeEntry): number {
    const told = edge.rooms.find(([room]) => room === this.#room)?.[1] ?? 0;
    return told + (this.#handedTo.get(edge) ?? 0) * this.#aged;
  }
}
