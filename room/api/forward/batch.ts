/**
 * Owns a batch over rooms of several owners: which publications go where, and their ends in the
 * order in which they were given. Splitting and joining are pure.
 */
import type { FastifyRequest } from 'fastify';
import { parseRoomId, type RoomId } from '../../../src/ids.js';
import { API_BODY_BYTES_MAX } from '../../../src/limits.js';
import { shardOf } from '../../../src/shards.js';
import { bodyOf, problemOf, type ErrorBody } from '../errors.js';
import type { ClusterParts } from './cluster.js';
import type { Forwarder } from './forwarder.js';
import type { InsideCalls } from './inside.js';

type Item = unknown;
/** As the answer of a batch tells it. */
export type ItemEnd = { readonly ok: true } | { readonly ok: false; readonly error: ErrorBody };

/** Publications for one owner, to be handed over as one batch. */
export interface SubBatch {
  readonly shard: number;
  readonly places: readonly number[];
  readonly items: readonly Item[];
}

/** Room for the batch's own JSON around its publications. */
const BYTES_MAX = API_BODY_BYTES_MAX - 1024;

/**
 * The publications of others, by shard, each shard's in order. Written anew a batch may be longer
 * than it came, so a shard's are cut where they would pass a body's bound.
 */
export function splitBatch(
  items: readonly Item[],
  isMine: (shard: number) => boolean,
): Map<number, SubBatch[]> {
  const split = new Map<number, { bytes: number; places: number[]; items: Item[] }[]>();
  items.forEach((item, place) => {
    const room = parseRoomId((item as { room?: unknown } | null)?.room);
    if (room === undefined) return;
    const shard = shardOf(room as RoomId);
    if (isMine(shard)) return;
    const bytes = Buffer.byteLength(JSON.stringify(item)) + 1;
    let batches = split.get(shard);
    if (batches === undefined) split.set(shard, (batches = []));
    let batch = batches.at(-1);
    if (batch === undefined || batch.bytes + bytes > BYTES_MAX) {
      batches.push((batch = { bytes: 0, places: [], items: [] }));
    }
    batch.bytes += bytes;
    batch.places.push(place);
    batch.items.push(item);
  });
  return new Map([...split].map(([shard, all]) => [shard, all.map((one) => ({ shard, ...one }))]));
}

export interface BatchParts {
  readonly cluster: ClusterParts;
  readonly forwarder: Forwarder;
  readonly inside: InsideCalls;
}

/** Publishes here what is of here, has the others publish the rest. */
export class BatchSpread {
  readonly #parts: BatchParts;

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** The ends in the order of the items; never rejects. `here` publishes one. */
  async publish(
    items: readonly Item[],
    request: FastifyRequest,
    here: (item: Item) => Promise<ItemEnd>,
  ): Promise<ItemEnd[]> {
    const { cluster, inside } = this.#parts;
    const isMine = (shard: number) => cluster.isMine(shard);
    const isSub = inside.of(request) !== undefined;
    const split = isSub ? new Map<number, SubBatch[]>() : splitBatch(items, isMine);
    if (split.size === 0) return Promise.all(items.map(here));
    const ends = new Array<Promise<ItemEnd>>(items.length);
    for (const batches of split.values()) {
      const done = this.#inTurn(batches, request);
      batches.forEach((batch, which) => {
        batch.places.forEach((place, i) => {
          ends[place] = done[which]!.then((all) => all[i]!);
        });
      });
    }
    // All are handed over at once in their order; a room keeps the order it is called in.
    for (let i = 0; i < items.length; i++) ends[i] ??= here(items[i]);
    return Promise.all(ends);
  }

  /** One shard's batches one after the other, so that a room's order stays. */
  #inTurn(batches: readonly SubBatch[], request: FastifyRequest): Promise<ItemEnd[]>[] {
    const done: Promise<ItemEnd[]>[] = [];
    for (const batch of batches) {
      const before = done.at(-1);
      const run = () => this.#ask(batch, request);
      done.push(before === undefined ? run() : before.then(run));
    }
    return done;
  }

  async #ask({ shard, items }: SubBatch, request: FastifyRequest): Promise<ItemEnd[]> {
    try {
      const isRepeatable = items.every((item) => (item as { key?: unknown }).key !== undefined);
      const body = { publications: items };
      const answer = await this.#parts.forwarder.ask(request, { shard, body, isRepeatable });
      const { results, error } = answer.body as { results?: ItemEnd[]; error?: ErrorBody };
      if (answer.status === 200 && results?.length === items.length) return results;
      return items.map(() => ({ ok: false, error: error ?? UNREADABLE }));
    } catch (error) {
      const problem = bodyOf(problemOf(error));
      return items.map(() => ({ ok: false, error: problem }));
    }
  }
}

const UNREADABLE: ErrorBody = { code: 'unavailable', message: 'the owner answered what is none' };
