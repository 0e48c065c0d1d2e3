/**
 * Owns what stands behind the edges: NATS, room services and Redis, for so many edges. Pure arithmetic.
 */
import { ASSUMED } from './assumptions.js';
import type { Costs } from './coefficients.js';
import { admittedOf, edgesOfRoom } from './edge-load.js';
import type { PlanInput } from './input.js';

export interface NatsPlan {
  /** Edges that listen to one room. */
  readonly edgesPerRoom: number;
  readonly notesInPerSecond: number;
  readonly notesOutPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  /** Cores of all servers together. */
  readonly busy: number;
  /** Three at least, so that one may be lost. */
  readonly servers: number;
}

export interface RoomsPlan {
  /** Frames a room sends. */
  readonly framesPerSecond: number;
  readonly admittedPerSecond: number;
  readonly refusedPerSecond: number;
  /** Core of all room services together, and of the owner of one room. */
  readonly busy: number;
  readonly roomBusy: number;
  /** Two at least. */
  readonly services: number;
}

export interface RedisPlan {
  readonly commitsPerSecond: number;
  readonly busy: number;
  readonly bytesPerSecond: number;
}

const SERVICES_MIN = 2;
const NATS_SERVERS_MIN = 3;
/** A pusher and its standby hear the rooms that are on the CDN. */
const PUSHERS = 2;

export function framesOf({ rate, keepRate, tickMs }: PlanInput): number {
  return Math.min(rate, 1000 / tickMs) + keepRate;
}

/** Bytes per second that one room sends to each edge that listens. */
export function roomBytesOf(input: PlanInput, costs: Costs): number {
  const publications = (input.rate + input.keepRate) * costs.jsonEachBytes;
  return framesOf(input) * ASSUMED.envelopeBytes + publications;
}

export function planRooms(input: PlanInput, costs: Costs, edges: number): RoomsPlan {
  const { rooms, busy, said, keepRate } = input;
  const admittedPerSecond = admittedOf(input);
  const reports = (edges * 1000) / ASSUMED.edgeReportMs;
  const audience = (edgesOfRoom(input, edges) * 1000) / ASSUMED.audienceMs;
  const shared = costs.idleShare + (reports * ASSUMED.edgeReportUs) / 1e6;
  const roomBusy =
    ((admittedPerSecond / rooms) * costs.roomAdmitUs +
      keepRate * costs.roomKeepUs +
      audience * ASSUMED.edgeReportUs) /
    1e6;
  const forRooms = rooms * roomBusy;
  // A service has its own part of the core to spend on rooms, after what each of them hears.
  const services = Math.max(SERVICES_MIN, Math.ceil(forRooms / Math.max(0.01, busy - shared)));
  return {
    ...{ framesPerSecond: framesOf(input), admittedPerSecond },
    refusedPerSecond: said - admittedPerSecond,
    busy: forRooms + services * shared,
    roomBusy: roomBusy + shared,
    services,
  };
}

interface Traffic {
  readonly notes: number;
  readonly bytes: number;
  /** How many hear each. */
  readonly heardBy: number;
}

export function planNats(
  input: PlanInput,
  costs: Costs,
  { edges, services }: { readonly edges: number; readonly services: number },
): NatsPlan {
  const edgesPerRoom = edgesOfRoom(input, edges);
  const heardBy = edgesPerRoom + (input.cdn > 0 ? PUSHERS : 0);
  const admitted = admittedOf(input);
  const reports = (edges * 1000) / ASSUMED.edgeReportMs;
  const audience = (input.rooms * edgesPerRoom * 1000) / ASSUMED.audienceMs;
  const frames = input.rooms * framesOf(input);
  const traffic: readonly Traffic[] = [
    { notes: frames, bytes: input.rooms * roomBytesOf(input, costs), heardBy },
    { notes: 2 * admitted, bytes: admitted * ASSUMED.uplinkBytes, heardBy: 1 },
    { notes: reports, bytes: reports * ASSUMED.edgeReportBytes, heardBy: services },
    { notes: audience, bytes: audience * ASSUMED.audienceBytes, heardBy: 1 },
  ];
  const sum = (of: (one: Traffic) => number): number =>
    traffic.reduce((total, one) => total + of(one), 0);
  const notesInPerSecond = sum(({ notes }) => notes);
  const notesOutPerSecond = sum(({ notes, heardBy: by }) => notes * by);
  const bytesInPerSecond = sum(({ bytes }) => bytes);
  const bytesOutPerSecond = sum(({ bytes, heardBy: by }) => bytes * by);
  const busy = ((notesInPerSecond + notesOutPerSecond) * costs.natsUs) / 1e6;
  const wanted = serversFor(input, { busy, bytesInPerSecond, bytesOutPerSecond });
  return {
    ...{ edgesPerRoom, notesInPerSecond, notesOutPerSecond, bytesInPerSecond, bytesOutPerSecond },
    ...{ busy, servers: Math.max(NATS_SERVERS_MIN, wanted) },
  };
}

/** One may be lost; each sends its part to the edges, and once to every other server what came in. */
function serversFor(
  { busy: share, cores, nicBitsPerSecond }: PlanInput,
  load: Pick<NatsPlan, 'busy' | 'bytesInPerSecond' | 'bytesOutPerSecond'>,
): number {
  const network = (nicBitsPerSecond * share) / 8;
  for (let left = 1; left < 1000; left++) {
    const bytes = load.bytesOutPerSecond / left + load.bytesInPerSecond;
    if (load.busy / left <= cores * share && bytes <= network) return left + 1;
  }
  return Infinity;
}

/** Keepable publications, leases of shards, and members who say that they live. */
export function planRedis(input: PlanInput, costs: Costs, services: number): RedisPlan {
  const keeps = input.rooms * input.keepRate;
  const renewals = ((ASSUMED.shards + services) * 1000) / (ASSUMED.leaseMs / 4);
  return {
    commitsPerSecond: keeps + renewals,
    busy: ((keeps + renewals) * costs.redisKeepUs) / 1e6,
    bytesPerSecond: keeps * costs.jsonEachBytes,
  };
}
