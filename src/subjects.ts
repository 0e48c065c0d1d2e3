/**
 * The only place that builds a bus subject. Ids are subject-safe by construction (src/ids.ts);
 * user ids never appear in a subject.
 */
import type { EdgeId, RoomId } from './ids.js';

/** Room to edges: envelopes of frames and control notes, one subject a room. */
export function roomSubject(room: RoomId): string {
  return `barrage.room.${room}`;
}

/** Edges to the owner of a shard: batches of danmaku. */
export function uplinkSubject(shard: number): string {
  return `barrage.shard.${shard}.uplink`;
}

/** Edges to the owner of a shard: how many viewers each room has. */
export function audienceSubject(shard: number): string {
  return `barrage.shard.${shard}.audience`;
}

/** Requests to the owner of a shard: room snapshots and replays. */
export function callSubject(shard: number): string {
  return `barrage.shard.${shard}.call`;
}

/** Edges to the owner of a shard: who got and acknowledged what was meant for some. */
export function deliverySubject(shard: number): string {
  return `barrage.shard.${shard}.delivery`;
}

/** To all edges: publications for users wherever they are. */
export function everyoneSubject(): string {
  return 'barrage.everyone';
}

/** Edges to whoever published to `everyoneSubject`. */
export function everyoneDeliverySubject(): string {
  return 'barrage.everyone.delivery';
}

/** Rooms to one edge: the ends of the danmaku it brought. */
export function verdictSubject(edge: EdgeId): string {
  return `barrage.edge.${edge}.verdicts`;
}

/** Edges to the owner of a shard: which users came to and left its rooms. */
export function presenceSubject(shard: number): string {
  return `barrage.shard.${shard}.presence`;
}

/** Owners of shards to one edge: what of its users they want to hear. */
export function presenceAskSubject(edge: EdgeId): string {
  return `barrage.edge.${edge}.presence`;
}

/** Requests to the owner of a shard: calls of the studio API that arrived elsewhere. */
export function apiSubject(shard: number): string {
  return `barrage.shard.${shard}.api`;
}

/** Requests to one room service, whatever it owns. */
export function serviceSubject(member: string): string {
  return `barrage.service.${member}.api`;
}

/** Owners of shards to all who may own some: what was taken, what was given up. */
export function ownersSubject(group: 'rooms' | 'pushers'): string {
  return `barrage.owners.${group}`;
}

/** Edges to all room services: where they are, how loaded they are. */
export function edgesSubject(): string {
  return 'barrage.edges';
}

/** Owners of shards to the CDN pushers: which rooms are in CDN mode (src/wire/cdn.ts). */
export function cdnSubject(shard: number): string {
  return `barrage.shard.${shard}.cdn`;
}

/** CDN pushers to all room services: which shards are being written (src/wire/cdn-state.ts). */
export function pushersSubject(): string {
  return 'barrage.cdn.pushers';
}

/** Edges to all room services: how viewers fare with each CDN. */
export function cdnSumsSubject(): string {
  return 'barrage.cdn.sums';
}

/** The owner of the table of CDNs to all room services. */
export function cdnTableSubject(): string {
  return 'barrage.cdn.table';
}
