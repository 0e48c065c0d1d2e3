/**
 * Owns what the studio API must know of the other room services, as types: who they are, what is
 * owned here, and the bounds of asking each other. Who decides ownership is not known here.
 */
import type { Bus } from '../../../src/ports/bus.js';
import type { Cancel } from '../../../src/ports/clock.js';

/** Absent among the API's parts: one process, every room is owned here. */
export interface ClusterParts {
  /** This service's name among the room services; unique, and safe in a bus subject. */
  readonly member: string;
  readonly bus: Bus;
  /** The names of all room services that live, this one included. */
  members(): readonly string[];
  /** Whether the shard's rooms are served here now; a look into a map. */
  isMine(shard: number): boolean;
  /** Calls back after a shard was taken or lost here. */
  onShards(changed: (shard: number) => void): Cancel;
}

/** How long is waited, and how much may be under way; tests make them smaller. */
export interface ForwardTuning {
  /** While it is certain that nothing was begun, an owner is looked for this long. */
  readonly ownerMs: number;
  /** One attempt of a call that may be repeated. */
  readonly repeatableMs: number;
  /** The only attempt of a call that may not: rooms answer or fail within 5 s. */
  readonly onceMs: number;
  /** All attempts of a call that may be repeated. */
  readonly repeatMs: number;
  /** One part of a stream. */
  readonly partMs: number;
  /** What another service tells of itself. */
  readonly tellMs: number;
  /** A broadcast's share at one service. */
  readonly shareMs: number;
  /** Calls asked of others at once, and those served for others at once. */
  readonly callsMax: number;
  /** Bytes of their bodies, each way. */
  readonly bytesMax: number;
  /** Streams held for others at once. */
  readonly ticketsMax: number;
  /** A stream nobody asks for is given up after this. */
  readonly ticketMs: number;
}

export const FORWARD_DEFAULTS: ForwardTuning = {
  ownerMs: 3000,
  repeatableMs: 3000,
  onceMs: 6000,
  repeatMs: 10_000,
  partMs: 30_000,
  tellMs: 1000,
  shareMs: 14_000,
  callsMax: 1024,
  bytesMax: 64 << 20,
  ticketsMax: 64,
  ticketMs: 30_000,
};
