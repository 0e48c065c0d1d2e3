/**
 * Owns what an edge with so many viewers has to do: sends, bytes, core time, memory, and the interval
 * its pace settles at (the rules of edge/core/pace.ts, in equilibrium). Pure arithmetic.
 */
import { DISPATCH_DEFAULTS } from '../dispatch-settings.js';
import { DEFAULT_SETTINGS } from '../room-settings.js';
import { ASSUMED } from './assumptions.js';
import type { Costs } from './coefficients.js';
import type { PlanInput } from './input.js';

export interface EdgeLoad {
  readonly viewers: number;
  /** Least time between two flushes of a viewer's droppable frames; Infinity: it cannot be done. */
  readonly intervalMs: number;
  /** To one viewer who takes everything. */
  readonly flushesPerViewer: number;
  readonly flushesPerSecond: number;
  /** What viewers read, and what the network carries for it. */
  readonly bytesPerSecond: number;
  readonly wireBytesPerSecond: number;
  readonly pollsPerSecond: number;
  readonly joinsPerSecond: number;
  /** Shares of a core: fan-out, everything else, both. */
  readonly fanOutBusy: number;
  readonly otherBusy: number;
  readonly busy: number;
  readonly memoryBytes: number;
}

/** Ethernet, IP and TCP heads of a send, TLS apart. */
export const WIRE_HEAD_BYTES = 66;
const FIXED_POINT_ROUNDS = 30;

/** Bytes of a flush to the mean viewer: a head and so much for each publication. */
export interface FlushBytes {
  readonly head: number;
  readonly each: number;
}

export function flushBytesOf(input: PlanInput, costs: Costs): FlushBytes {
  const { sse, poll, deflate } = input;
  const streams = 1 - poll;
  if (streams <= 0) return { head: 0, each: 0 };
  const deflated = ((streams - sse) / streams) * deflate;
  const events = sse / streams;
  return {
    head:
      deflated * costs.deflateFlushBytes +
      (1 - deflated) * costs.jsonFlushBytes +
      events * ASSUMED.eventBytes,
    each: deflated * costs.deflateEachBytes + (1 - deflated) * costs.jsonEachBytes,
  };
}

/** Danmaku per second that go on to the rooms; the rest ends at the edges. */
export function admittedOf({ said, rooms }: PlanInput): number {
  return Math.min(said, rooms * DEFAULT_SETTINGS.uplinkPerSecond * ASSUMED.uplinkOver);
}

/** Edges that have viewers of one room, of so many edges. */
export function edgesOfRoom({ viewers, rooms }: PlanInput, edges: number): number {
  const wanted = Math.ceil(viewers / rooms / (DISPATCH_DEFAULTS.roomViewersPerEdge * 0.8));
  return Math.min(edges, Math.max(1, wanted));
}

/** Time between two polls of one of so many pollers of a room: told to wait, then for something new. */
export function pollMsOf({ tickMs }: PlanInput, pollers: number): number {
  return Math.max(tickMs, Math.min(ASSUMED.pollAfterMs, pollers));
}

/** Bytes of an answer with what came in so many ms. */
export function pollBytesOf({ rate, keepRate, cdn }: PlanInput, everyMs: number): number {
  const publications = ((rate * (1 - cdn) + keepRate) * everyMs) / 1000;
  return ASSUMED.httpHeadBytes + publications * ASSUMED.polledBytes;
}

export function edgeLoad(input: PlanInput, costs: Costs, viewers: number): EdgeLoad {
  const { rate, keepRate, poll, cdn } = input;
  const streams = viewers * (1 - poll);
  const all = streams * (1 - cdn);
  const bytes = flushBytesOf(input, costs);
  const costOf = (publications: number): number =>
    costs.sendUs / 1e6 + ((bytes.head + bytes.each * publications) * costs.byteNs) / 1e9;
  const keepFlushes = keepRate * streams;
  const keepBusy = keepFlushes * costOf(1);
  const polls = pollsOf(input, viewers);
  const otherBusy = otherWork(input, costs, viewers) + polls.perSecond * (costs.pollUs / 1e6);
  const share = fanOutShare(input.busy, otherBusy) - keepBusy;
  const inRoom = all * shareInRoom(input, viewers);
  const pace = settle({ input, all, inRoom, share, costOf });
  const dropFlushes = pace.flushesPerViewer * all;
  const fanOutBusy = keepBusy + dropFlushes * costOf(rate / Math.max(1e-9, pace.flushesPerViewer));
  const flushesPerSecond = dropFlushes + keepFlushes;
  const bytesPerSecond =
    flushesPerSecond * bytes.head +
    (rate * all + keepFlushes) * bytes.each +
    polls.perSecond * polls.bytes;
  return {
    ...{ viewers, ...pace, flushesPerSecond, bytesPerSecond, fanOutBusy, otherBusy },
    wireBytesPerSecond: bytesPerSecond + (flushesPerSecond + polls.perSecond) * WIRE_HEAD_BYTES,
    pollsPerSecond: polls.perSecond,
    joinsPerSecond: (input.arrivals * viewers) / input.viewers,
    busy: fanOutBusy + otherBusy,
    memoryBytes: costs.processBytes + viewers * viewerBytesOf(costs),
  };
}

export function viewerBytesOf(costs: Costs): number {
  return costs.viewerBytes + ASSUMED.kernelViewerBytes;
}

/** What edge/core/pace.ts leaves to fan-out when the rest takes `otherBusy`. */
export function fanOutShare(busy: number, otherBusy: number): number {
  return Math.max(busy * ASSUMED.fanoutShareMin, busy - otherBusy);
}

/** What edge/core/pace.ts keeps between two flushes of a room that takes so long. */
export function calmMsOf(roundMs: number): number {
  return Math.min(ASSUMED.calmMsMax, roundMs / ASSUMED.calmShare);
}

interface Pace {
  readonly input: PlanInput;
  /** Viewers who take everything, on the edge and in the mean room on it. */
  readonly all: number;
  readonly inRoom: number;
  /** Of a core, for droppable flushes. */
  readonly share: number;
  /** Seconds of a core for a flush with so many publications. */
  readonly costOf: (publications: number) => number;
}

/** A longer interval joins more publications, which makes a flush dearer: found by repeating. */
function settle({ input, all, inRoom, share, costOf }: Pace) {
  const { rate, tickMs } = input;
  if (all === 0 || rate === 0) return { intervalMs: tickMs, flushesPerViewer: 0 };
  if (share <= 0) return { intervalMs: Infinity, flushesPerViewer: 0 };
  let intervalMs: number = tickMs;
  for (let round = 0; round < FIXED_POINT_ROUNDS; round++) {
    const cost = costOf(rate / Math.min(rate, 1000 / intervalMs)) * 1000;
    // Who is sent less often than the interval is held up by nobody.
    const paceMs = (all * cost) / share;
    intervalMs = Math.max(tickMs, calmMsOf(inRoom * cost), paceMs);
  }
  return { intervalMs, flushesPerViewer: Math.min(rate, 1000 / intervalMs) };
}

/** Share of an edge's viewers that are in the same room, for the mean room. */
function shareInRoom(input: PlanInput, viewers: number): number {
  const edges = Math.max(1, Math.round(input.viewers / viewers));
  const inRoom = input.viewers / input.rooms / edgesOfRoom(input, edges);
  return Math.min(1, inRoom / viewers);
}

function pollsOf(input: PlanInput, viewers: number) {
  const pollers = viewers * input.poll;
  const everyMs = pollMsOf(input, pollers * shareInRoom(input, viewers));
  return { perSecond: (pollers * 1000) / everyMs, bytes: pollBytesOf(input, everyMs) };
}

/** Shares of a core for what is not fan-out: who comes, who speaks, who is asked whether it lives. */
function otherWork(input: PlanInput, costs: Costs, viewers: number): number {
  const part = viewers / input.viewers;
  const admitted = admittedOf(input);
  const sockets = viewers * (1 - input.poll - input.sse);
  const pings = (sockets * 1000) / ASSUMED.heartbeatMs;
  const reports = (viewers * input.cdn * 1000) / ASSUMED.cdnReportMs;
  return (
    costs.idleShare +
    (part * input.arrivals * costs.joinUs +
      part * admitted * costs.edgeAdmitUs +
      part * (input.said - admitted) * costs.refuseUs +
      // A ping is a send, its answer costs about as much to take in.
      (2 * pings + reports) * costs.sendUs) /
      1e6
  );
}
