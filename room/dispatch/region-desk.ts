/**
 * Owns picking among the edges of one region: in turn by the place they have left, a room on as few
 * of them as its viewers need. What was worked out holds for a few milliseconds or some hand-outs.
 * Rules: SPEC D-DISP-2, D-DISP-3, D-DISP-6, D-DISP-7.
 */
import type { DispatchConfig } from '../../src/dispatch-settings.js';
import type { RoomId } from '../../src/ids.js';
import type { Random } from '../../src/random.js';
import type { EdgeEntry, Strain } from './core/edge-entry.js';
import type { Region } from './core/edge-table.js';
import { ORDER_MAX, orderFor, seedOf } from './core/room-order.js';
import { RoomSpot } from './core/room-spot.js';
import { ofStrain, Rotation, Turns } from './core/rotation.js';

/** What was worked out holds this long, and longer where there is more to work out. */
const FRESH_MS = 5;
const FRESH_MS_PER_EDGE = 0.005;
/** Hand-outs after which it is worked out anew: a twentieth of the place that was left. */
const FRESH_SHARE = 0.05;
const FRESH_PICKS_MIN = 16;
/** A room's first edge is passed over above this load when it is also above the region's mean. */
const CALM_LOAD = 0.3;
/** Bound of consistent hashing with bounded loads (Mirrokni and others 2016). */
const LOAD_BOUND = 1.25;
/** Rooms whose edges are remembered. */
const ROOMS_MAX = 20_000;
/** Edges of a room hold this much less than they may before the next one joins them. */
const SPREAD_SHARE = 0.8;

export interface Pick {
  readonly room: RoomId | undefined;
  readonly strain: Exclude<Strain, 'full'>;
  readonly wanted: number;
}

export class RegionDesk {
  readonly #region: Region;
  readonly #config: DispatchConfig;
  readonly #random: Random;
  readonly #turns: Turns;
  readonly #spots = new Map<RoomId, RoomSpot>();
  #calm = new Rotation([]);
  #strained = new Rotation([]);
  #meanLoad = 0;
  #judgedAt = -Infinity;
  #version = -1;
  /** Number of the newest judgement. */
  #judgement = 0;
  #picksLeft = 0;

  constructor(region: Region, config: DispatchConfig, random: Random) {
    this.#region = region;
    this.#config = config;
    this.#random = random;
    this.#turns = new Turns(random.next());
  }

  /** Adds up to `wanted` edges to those picked already. */
  pick({ room, strain, wanted }: Pick, picked: EdgeEntry[], now: number): void {
    this.#judge(now);
    if (picked.length === 0) this.#picksLeft--;
    if (room !== undefined && strain === 'calm' && this.#calm.size > 1) {
      this.#pickForRoom(room, picked, { wanted, now });
    }
    const rotation = strain === 'calm' ? this.#calm : this.#strained;
    rotation.pick(this.#turns, this.#random, picked, wanted);
  }

  #pickForRoom(room: RoomId, picked: EdgeEntry[], of: { wanted: number; now: number }): void {
    const spot = this.#spotOf(room, of.now);
    spot.age(of.now);
    const isFirst = picked.length === 0;
    const expected = this.#region.online(room) + spot.handed + (isFirst ? 1 : 0);
    const edges = Math.ceil(expected / (this.#config.roomViewersPerEdge * SPREAD_SHARE));
    this.#pickOf(spot, edges, picked, of.wanted);
    // Counted whoever is due: where the whole region takes part the turn comes after this.
    if (isFirst) spot.hand(picked[0]);
  }

  #pickOf(spot: RoomSpot, edges: number, picked: EdgeEntry[], wanted: number): void {
    // A room that wants most of the region, or more than is ordered, takes all of it in turn.
    if (edges > ORDER_MAX || edges >= this.#calm.size) return;
    if (edges > 1) {
      const rotation = spot.rotation(edges, this.#judgement);
      return rotation.pick(spot.turns, this.#random, picked, wanted);
    }
    for (const edge of spot.order) {
      if (picked.length >= wanted) return;
      if (edge.strain !== 'calm' || picked.includes(edge)) continue;
      if (picked.length > 0 || this.#isLightEnough(edge)) picked.push(edge);
    }
  }

  #isLightEnough(edge: EdgeEntry): boolean {
    return edge.load <= Math.max(CALM_LOAD, this.#meanLoad * LOAD_BOUND);
  }

  #spotOf(room: RoomId, now: number): RoomSpot {
    const known = this.#spots.get(room);
    const { version, edges } = this.#region;
    if (known?.version === version) return known;
    const order = orderFor(seedOf(room), edges.values());
    if (known !== undefined) {
      known.reorder(order, version);
      return known;
    }
    const spot = new RoomSpot(room, new Turns(this.#random.next()), now);
    spot.reorder(order, version);
    this.#spots.set(room, spot);
    if (this.#spots.size > ROOMS_MAX) this.#spots.delete(this.#spots.keys().next().value!);
    return spot;
  }

  #judge(now: number): void {
    const { edges, version } = this.#region;
    const freshMs = Math.max(FRESH_MS, edges.size * FRESH_MS_PER_EDGE);
    const isFresh = this.#version === version && now - this.#judgedAt < freshMs;
    if (isFresh && this.#picksLeft > 0) return;
    let load = 0;
    for (const edge of edges.values()) {
      edge.judge(this.#config);
      load += edge.load;
    }
    this.#meanLoad = edges.size === 0 ? 0 : load / edges.size;
    this.#calm = new Rotation(ofStrain(edges.values(), 'calm'));
    this.#strained = new Rotation(ofStrain(edges.values(), 'strained'));
    this.#judgedAt = now;
    this.#judgement++;
    this.#version = version;
    // Of those whose turn it is: the last calm edges would get what all the strained ones have place for.
    const { total: free } = this.#calm.size > 0 ? this.#calm : this.#strained;
    this.#picksLeft = Math.max(FRESH_PICKS_MIN, Math.floor(free * FRESH_SHARE));
  }
}
