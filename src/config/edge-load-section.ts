/** Owns the part of the `edge:` section that says how it carries its load: sockets, processes, pace. */
import * as leaf from './leaves.js';

const RESTART = { restart: true } as const;

export const EDGE_LOAD_LEAVES = {
  sockets: leaf.choice(
    'auto',
    ['auto', 'uws', 'ws'],
    'socket library; uws: uWebSockets.js; ws: slower, runs everywhere; auto: uws where it runs',
    RESTART,
  ),
  processes: leaf.whole(
    1,
    [0, 256],
    'processes of the command edge on its port, 0 for one a core; more than one needs bus nats',
    RESTART,
  ),
  sliceViewers: leaf.whole(500, [1, 100_000], 'viewers of a room flushed together'),
  paceMin: leaf.duration('0ms', ['0ms', '5s'], 'least time between two flushes of one viewer'),
  ringCount: leaf.whole(
    1000,
    [1, 100_000],
    'keepable publications of a room held for those who come back',
    RESTART,
  ),
  ringBytes: leaf.size('1MiB', ['4KiB', '1GiB'], 'bytes of them', RESTART),
  egressSoft: leaf.size(
    '0B',
    ['0B', '100GiB'],
    'bytes sent per second from which droppable frames are thinned out; 0B for never',
  ),
  egressHard: leaf.size('0B', ['0B', '100GiB'], 'bytes per second that thinning keeps below'),
  lagSoft: leaf.duration('0ms', ['0ms', '10s'], 'as egressSoft, for the loop being late; 0ms: off'),
  lagHard: leaf.duration('0ms', ['0ms', '10s'], 'lateness from which they are thinned out fast'),
} as const;

interface Loads {
  readonly sockets: 'auto' | 'uws' | 'ws';
  readonly processes: number;
  readonly sliceViewers: number;
  readonly paceMin: number;
  readonly ringCount: number;
  readonly ringBytes: number;
  readonly egressSoft: number;
  readonly egressHard: number;
  readonly lagSoft: number;
  readonly lagHard: number;
}

export interface EdgeLoadConfig {
  readonly sockets: 'auto' | 'uws' | 'ws';
  /** 0: one a core. */
  readonly processes: number;
  readonly sliceViewers: number;
  readonly paceMinMs: number;
  readonly ringCount: number;
  readonly ringBytes: number;
  readonly egressSoftBytes: number;
  readonly egressHardBytes: number;
  readonly lagSoftMs: number;
  readonly lagHardMs: number;
}

export function toEdgeLoad(loads: Loads): EdgeLoadConfig {
  const { sockets, processes, sliceViewers, ringCount, ringBytes } = loads;
  return {
    ...{ sockets, processes, sliceViewers, ringCount, ringBytes },
    paceMinMs: loads.paceMin,
    egressSoftBytes: loads.egressSoft,
    egressHardBytes: loads.egressHard,
    lagSoftMs: loads.lagSoft,
    lagHardMs: loads.lagHard,
  };
}
