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

/** Rooms to one edge: the ends of the danmaku it brought. */
export function verdictSubject(edge: EdgeId): string {
  return `barrage.edge.${edge}.verdicts`;
}
