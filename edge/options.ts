/**
 * Owns what an edge can be told: options fixed at start, tuning that may change while it runs, and
 * the defaults of both. Names and units match the configuration's `edge:` section.
 */
import type { EdgeId } from '../src/ids.js';

/** May change while the edge runs. */
export interface EdgeTuning {
  /** Origins allowed besides the edge's own host name: exact, or `*` for all. */
  readonly origins: readonly string[];
  readonly connectionsPerAddress: number;
  /** Of one user with a token; the oldest goes. */
  readonly connectionsPerUser: number;
  /** Of this process; the descriptor limit is usually 20,000. */
  readonly connectionsMax: number;
  /** How long a viewer may be silent before it is pinged. */
  readonly heartbeatMs: number;
  /** How long a viewer may be silent before it is closed. */
  readonly idleMs: number;
  /** Bytes waiting over which a viewer leaves the droppable stream. */
  readonly softMarkBytes: number;
  /** Bytes waiting over which a viewer is closed. */
  readonly hardMarkBytes: number;
  /** Share of a core that fan-out may take, 0-1. */
  readonly busyShare: number;
  /** Least time between two flushes of a viewer's droppable frames. */
  readonly paceMinMs: number;
  /** What has waited longer than this is flushed whatever the share. */
  readonly paceMaxMs: number;
  /** Viewers of a slice before another is opened. */
  readonly sliceViewers: number;
  /** A room without viewers is still listened to. */
  readonly lingerMs: number;
  /** Viewers told to come back do so spread over this time. */
  readonly reconnectJitterMs: number;
  /** Take a viewer's address from the last entry of X-Forwarded-For. */
  readonly trustProxy: boolean;
  /** How often it tells where it is and what it carries. */
  readonly reportMs: number;
  /** Base of the address viewers use; empty: made of the host and the port listened on. */
  readonly advertise: string;
  readonly region: string;
  /** Bytes per second from which, and below which, droppable frames are thinned out; 0: not. */
  readonly egressSoftBytes: number;
  readonly egressHardBytes: number;
  /** Lateness of the loop from which they are thinned out bit by bit, and fast; 0: not. */
  readonly lagSoftMs: number;
  readonly lagHardMs: number;
  /** Viewers it asks to be sent at most; 0: `connectionsMax`. */
  readonly capacity: number;
}

export interface EdgeOptions extends EdgeTuning {
  readonly id: EdgeId;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Which socket library it listens with. */
  readonly sockets: 'auto' | 'uws' | 'ws';
  /** Other processes listen on the port too. */
  readonly isShared: boolean;
  /** Keepable publications a room's ring holds for replay. */
  readonly ringCount: number;
  readonly ringBytes: number;
}

export const EDGE_DEFAULTS: Omit<EdgeOptions, 'id'> = {
  host: '0.0.0.0',
  port: 8080,
  sockets: 'auto',
  isShared: false,
  origins: [],
  connectionsPerAddress: 1000,
  connectionsPerUser: 5,
  connectionsMax: 18_000,
  heartbeatMs: 25_000,
  idleMs: 60_000,
  softMarkBytes: 64 << 10,
  hardMarkBytes: 1 << 20,
  busyShare: 0.7,
  paceMinMs: 0,
  paceMaxMs: 1000,
  sliceViewers: 500,
  lingerMs: 30_000,
  reconnectJitterMs: 2000,
  trustProxy: false,
  reportMs: 250,
  advertise: '',
  region: '',
  capacity: 0,
  egressSoftBytes: 0,
  egressHardBytes: 0,
  lagSoftMs: 0,
  lagHardMs: 0,
  ringCount: 1000,
  ringBytes: 1 << 20,
};

/** Most slices of a room; more would only cost turns (limits: 20 smear 10,000 viewers well). */
export const SLICES_MAX = 20;
/** Rooms one connection may be in. */
export const ROOMS_PER_VIEWER_MAX = 32;
/** How long the owner of a room is waited for. */
export const OWNER_WAIT_MS = 2000;
/** How long a danmaku's verdict is waited for; the longest lane wait and tick, and some. */
export const UPLINK_WAIT_MS = 15_000;
/** An answer `unknown_room` is remembered this long, for this many rooms. */
export const UNKNOWN_KEEP_MS = 1000;
export const UNKNOWN_ROOMS_MAX = 10_000;
/** Rooms without viewers listened to at once. */
export const LINGERING_ROOMS_MAX = 1000;
/** Publications of both classes a room's window holds for newcomers and pollers. */
export const WINDOW_COUNT = 500;
export const WINDOW_BYTES = 256 << 10;
/** Envelopes held back while a hole is filled or a snapshot is fetched. */
export const HELD_ITEMS_MAX = 2000;
export const HELD_BYTES_MAX = 4 << 20;
/** Frames waiting for a room's slices: over this droppable ones are shed. */
export const WAITING_BYTES_MAX = 2 << 20;
export const WAITING_FRAMES_MAX = 4096;
/** A socket message is split at this size. */
export const MESSAGE_BYTES_MAX = 256 << 10;
/** How long the viewers of a closed room stay for its last words. */
export const CLOSE_GRACE_MS = 200;
