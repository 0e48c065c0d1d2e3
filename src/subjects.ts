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
