/**
 * Owns which room service a call concerns: the owner of one shard, all of them, or whichever was
 * asked. Pure; knows neither the bus nor who owns what.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RoomId } from '../../../src/ids.js';
import { shardOf } from '../../../src/shards.js';

/** Checked input of a call, as far as it tells where the call belongs. */
export interface ReachCall {
  readonly params: unknown;
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
}

/** `here`: any service answers alike; `all`: each answers for what it owns; else the shard's owner. */
export type Reach = 'here' | 'all' | ((call: ReachCall) => number | undefined);

/** Of a route: what it says itself, or its room's owner; undefined when neither can be told. */
export function reachOf(route: {
  readonly url: string;
  readonly reach?: Reach;
}): Reach | undefined {
  if (route.reach !== undefined) return route.reach;
  return /(^|\/):room(\/|$)/.test(route.url) ? ofRoom : undefined;
}

/** The shard whose owner must answer; undefined when whoever was asked may. */
export function shardOfCall(reach: Reach | undefined, call: ReachCall): number | undefined {
  return typeof reach === 'function' ? reach(call) : undefined;
}

function ofRoom({ params }: ReachCall): number {
  return shardOf((params as { room: RoomId }).room);
}

/** A room that is made by the owner of its shard. */
export function ofNewRoom({ body }: ReachCall): number {
  return shardOf((body as { room: RoomId }).room);
}

/**
 * Answers to the keys of broadcasts to users are remembered by one service, the owner of a shard
 * drawn by the key: a repeat comes to the same whoever is asked. Others are spread or need nobody.
 */
export function ofUsersKey({ body, headers }: ReachCall): number | undefined {
  const key = headers['idempotency-key'];
  const { to } = body as { to?: { users?: unknown } };
  if (to?.users === undefined || typeof key !== 'string') return undefined;
  return shardOf(createHash('sha256').update(key).digest('hex') as RoomId);
}
