/**
 * Owns the calls that concern what several services own: each answers for its own rooms, here the
 * answers are put together. Who did not answer is named. Knows no HTTP.
 */
import { asBarrageError, BarrageError } from '../../../src/errors.js';
import type { RoomId } from '../../../src/ids.js';
import type { Clock } from '../../../src/ports/clock.js';
import { SHARD_COUNT, shardOf } from '../../../src/shards.js';
import type { ListedRoom, RoomCalls } from '../../calls/calls.js';
import type { Broadcast, BroadcastAnswer, DeliveryView, Unreached } from '../../calls/scopes.js';
import type { Asker } from './asker.js';
import { joinBroadcasts } from './broadcast-join.js';
import type { ClusterParts, ForwardTuning } from './cluster.js';
import type { Question } from './desk.js';

export interface SpreadParts {
  readonly calls: RoomCalls;
  readonly cluster: ClusterParts;
  readonly asker: Asker;
  readonly clock: Clock;
  readonly tuning: ForwardTuning;
}

/** A service's share of a broadcast; `moved` shards were another's by then. */
interface Share {
  readonly answer: BroadcastAnswer;
  readonly moved: readonly number[];
}

const PAUSE_MS = 100;
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);

/** What this service tells others of itself. */
export async function answerQuestion(parts: SpreadParts, asked: Question): Promise<unknown> {
  const { calls, cluster } = parts;
  switch (asked.ask) {
    case 'owned':
      return ALL_SHARDS.filter((shard) => cluster.isMine(shard));
    case 'online':
      return calls.online(asked.rooms);
    case 'delivery':
      return calls.scopes.delivery(undefined, asked.id);
    case 'broadcast': {
      const mine = asked.shards.filter((shard) => cluster.isMine(shard));
      const moved = asked.shards.filter((shard) => !mine.includes(shard));
      const answer = await calls.scopes.broadcast({ ...asked.broadcast, shards: mine });
      return { answer, moved } satisfies Share;
    }
  }
}

/** The calls as they are, but those that concern all services ask all. */
export function spreadCalls(parts: SpreadParts): RoomCalls {
  const { calls } = parts;
  return {
    ...calls,
    list: (after, limit) => list(parts, after, limit),
    scopes: {
      ...calls.scopes,
      // Users are reached through the edges, whoever tells them.
      broadcast: (broadcast) =>
        'users' in broadcast.scope
          ? calls.scopes.broadcast(broadcast)
          : broadcastToAll(parts, broadcast),
      delivery: (room, id) =>
        room === undefined ? delivery(parts, id) : calls.scopes.delivery(room, id),
    },
  };
}

function others({ cluster }: SpreadParts): string[] {
  return cluster.members().filter((name) => name !== cluster.member);
}

/** Here or there, the same answer. */
async function ask<T>(parts: SpreadParts, member: string, asked: Question, ms: number): Promise<T> {
  if (member === parts.cluster.member) return (await answerQuestion(parts, asked)) as T;
  return parts.asker.tell<T>(member, asked, ms);
}

/** The store knows all but who is there; where nobody answers for that it is left out. */
async function list(parts: SpreadParts, after: string, limit: number) {
  const { calls, cluster, tuning } = parts;
  const page = await calls.list(after, limit);
  const away = page.rooms.filter(({ room }) => !cluster.isMine(shardOf(room)));
  if (away.length === 0) return page;
  const rooms = away.map(({ room }) => room);
  const online = new Map<RoomId, number>();
  const told = others(parts).map(async (member) => {
    const rows = await ask<[RoomId, number][]>(
      parts,
      member,
      { ask: 'online', rooms },
      tuning.tellMs,
    );
    for (const [room, count] of rows) online.set(room, count);
  });
  await Promise.allSettled(told);
  const asKnown = (view: ListedRoom): ListedRoom => {
    const { online: _, ...known } = view;
    const count = online.get(view.room);
    return count === undefined ? known : { ...known, online: count };
  };
  return { ...page, rooms: page.rooms.map((room) => (away.includes(room) ? asKnown(room) : room)) };
}

/** Whoever published it knows. */
async function delivery(parts: SpreadParts, id: string): Promise<DeliveryView> {
  const { calls, tuning } = parts;
  let missing: unknown;
  try {
    return await calls.scopes.delivery(undefined, id);
  } catch (error) {
    if (asBarrageError(error).code !== 'not_found') throw error;
    missing = error;
  }
  const silent: string[] = [];
  const asked = others(parts).map(async (member) => {
    try {
      return await ask<DeliveryView>(parts, member, { ask: 'delivery', id }, tuning.tellMs);
    } catch (error) {
      if (asBarrageError(error).code !== 'not_found') silent.push(member);
      return undefined;
    }
  });
  const found = (await Promise.all(asked)).find((view) => view !== undefined);
  if (found !== undefined) return found;
  if (silent.length === 0) throw missing;
  throw new BarrageError('unavailable', `no answer from ${silent.join(', ')}`, RETRY);
}

/** Every shard is asked for once, of the service that says it owns it. */
async function broadcastToAll(parts: SpreadParts, broadcast: Broadcast): Promise<BroadcastAnswer> {
  const { clock, tuning } = parts;
  const began = clock.now();
  const answers: BroadcastAnswer[] = [];
  const unreached: Unreached[] = [];
  const errors: BarrageError[] = [];
  let left: readonly number[] = ALL_SHARDS;
  for (;;) {
    const shares = await ownersOf(parts, left);
    const again = new Set(left);
    const sent = [...shares].map(async ([member, shards]) => {
      for (const shard of shards) again.delete(shard);
      try {
        const asked = { ask: 'broadcast', broadcast, shards } as const;
        const { answer, moved } = await ask<Share>(parts, member, asked, tuning.shareMs);
        answers.push(answer);
        for (const shard of moved) again.add(shard);
      } catch (error) {
        const known = asBarrageError(error);
        errors.push(known);
        unreached.push({ member, shards, code: known.code });
      }
    });
    await Promise.all(sent);
    left = [...again];
    if (left.length === 0 || clock.now() - began >= tuning.ownerMs) break;
    await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve));
  }
  if (left.length > 0) unreached.push({ shards: left, code: 'unavailable' });
  if (answers.length === 0) throw errors[0] ?? new BarrageError('unavailable', NOBODY, RETRY);
  return joinBroadcasts(answers, unreached);
}

/** Which of the shards each service says are its own; a shard at one service at most. */
async function ownersOf(
  parts: SpreadParts,
  shards: readonly number[],
): Promise<Map<string, number[]>> {
  const { cluster, tuning } = parts;
  const owners = new Map<string, number[]>();
  const left = new Set(shards);
  const asked = [cluster.member, ...others(parts)].map(async (member) => {
    const owned = await ask<number[]>(parts, member, { ask: 'owned' }, tuning.tellMs);
    const its = owned.filter((shard) => left.delete(shard));
    if (its.length > 0) owners.set(member, its);
  });
  await Promise.allSettled(asked);
  return owners;
}

const NOBODY = 'no service owns the rooms now';
const RETRY = { retryAfterMs: 1000 };
