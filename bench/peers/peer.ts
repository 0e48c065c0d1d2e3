/**
 * Owns what the bench knows of each server it compares: how it is started, how viewers get into the
 * room, how publications are posted. Knows no figure.
 */
import type { Usage } from '../machine.js';
import type { Format } from '../viewer-load.js';

export const ROOM = 'room';

/** What one poster says, ready to be sent, and how it may be said by way of a viewer. */
export interface Post {
  /** JSON of the publication, with its stamp. */
  readonly json: string;
  readonly text: string;
  readonly style?: object;
  /** Microseconds of the monotonic clock. */
  readonly bt: number;
}

export interface RunningPeer {
  readonly port: number;
  /** Path of the WebSocket upgrade. */
  readonly path: string;
  /** Lines of bench/load/manner.h. */
  readonly manner: readonly string[];
  readonly format: Format;
  post(posts: readonly Post[]): void;
  usage(): Usage;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** How publications leave the server: each by itself, or collected for 100 ms and by whom. */
  readonly sends: 'each' | 'batch at the server' | 'batch at the poster' | 'its tick';
  /** Posts are collected for so long before they are posted; 0: each when it is due. */
  readonly posterBatchMs: number;
  /** Why it cannot be measured on this machine. */
  missing(): string | undefined;
  start(load: PeerLoad): Promise<RunningPeer>;
}

/** What a server may be set up for. */
export interface PeerLoad {
  readonly viewers: number;
  readonly perSecond: number;
}

export function hex(text: string | Uint8Array): string {
  return Buffer.from(text).toString('hex');
}
