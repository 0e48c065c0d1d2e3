/**
 * Owns one edge of a simulation: every flush, poll, ping and join charged with what the coefficients
 * say, at the times that the edge's own pacer gives. Knows neither viewers nor other edges.
 */
import { calmMs, fanoutShare, Pacer } from '../../edge/core/pace.js';
import { ASSUMED } from '../../src/plan/assumptions.js';
import type { Costs } from '../../src/plan/coefficients.js';
import { pollBytesOf, pollMsOf, WIRE_HEAD_BYTES } from '../../src/plan/edge-load.js';
import type { PlanInput } from '../../src/plan/input.js';
import type { Random } from '../../src/random.js';
import { poisson } from './chance.js';
import { WAYS } from './crowd.js';

/** What the room sent at a time, milliseconds. */
export interface SimFrame {
  readonly at: number;
  readonly publications: number;
  readonly isKeep: boolean;
}

/** What happened on an edge in a span. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly frames: readonly SimFrame[];
  readonly joins: number;
  /** Danmaku said here, and how many of them went on. */
  readonly said: number;
  readonly admitted: number;
  /** Viewers of a cohort. */
  readonly count: (cohort: number) => number;
}

export interface Tally {
  cpuSeconds: number;
  sends: number;
  bytes: number;
  wireBytes: number;
  flushRounds: number;
}

export function emptyTally(): Tally {
  return { cpuSeconds: 0, sends: 0, bytes: 0, wireBytes: 0, flushRounds: 0 };
}

const [DEFLATE, JSON_WAY, SSE, POLL] = [0, 1, 2, 3] as const;
/** The share of other work is followed this fast. */
const OTHER_SMOOTH = 0.2;

export class SimEdge {
  readonly tally = emptyTally();
  readonly #input: PlanInput;
  readonly #costs: Costs;
  readonly #random: Random;
  readonly #pacer: Pacer;
  #otherBusy = 0;
  #pending = 0;
  /** Of what was worked out last, and until when calm holds the next flush back. */
  #at = 0;
  #calmUntil = 0;

  constructor(input: PlanInput, costs: Costs, random: Random) {
    this.#input = input;
    this.#costs = costs;
    this.#random = random;
    this.#pacer = new Pacer(input.busy, 0);
  }

  step(span: Span): void {
    const seconds = (span.to - span.from) / 1000;
    const other = this.#other(span, seconds);
    this.tally.cpuSeconds += other;
    this.#otherBusy += OTHER_SMOOTH * (other / seconds - this.#otherBusy);
    this.#pacer.tune(fanoutShare(this.#input.busy, this.#otherBusy));
    for (const frame of span.frames) {
      this.#flushUntil(frame.at, span.count);
      this.#at = frame.at;
      if (frame.isKeep) this.#keep(frame, span.count);
      else this.#pending += frame.publications;
    }
    this.#flushUntil(span.to, span.count);
    this.#at = span.to;
  }

  /** Sends what waits as soon as calm and pace let it, if that is by then. */
  #flushUntil(end: number, count: Span['count']): void {
    if (this.#pending === 0) return;
    const calm = Math.max(this.#calmUntil, this.#at);
    const at = calm + this.#pacer.waitMs(calm);
    if (at > end) return;
    const seconds = this.#send(this.#pending, count, [DEFLATE, JSON_WAY, SSE]);
    this.#pending = 0;
    this.tally.flushRounds++;
    this.#pacer.spend(seconds * 1000, at);
    this.#calmUntil = at + calmMs(seconds * 1000);
  }

  #keep({ publications, at }: SimFrame, count: Span['count']): void {
    const all = [DEFLATE, JSON_WAY, SSE];
    const keep = all.map((way) => way + WAYS.length);
    this.#pacer.spend(this.#send(publications, count, [...all, ...keep]) * 1000, at);
  }

  /** A flush to each viewer of these cohorts; seconds of the core. */
  #send(publications: number, count: Span['count'], cohorts: readonly number[]): number {
    const { deflateFlushBytes, deflateEachBytes, jsonFlushBytes, jsonEachBytes } = this.#costs;
    let [sends, bytes] = [0, 0];
    for (const cohort of cohorts) {
      const [viewers, way] = [count(cohort), cohort % WAYS.length];
      const isDeflate = way === DEFLATE;
      const head = isDeflate ? deflateFlushBytes : jsonFlushBytes;
      const each = isDeflate ? deflateEachBytes : jsonEachBytes;
      const event = way === SSE ? ASSUMED.eventBytes : 0;
      sends += viewers;
      bytes += viewers * (head + event + publications * each);
    }
    return this.#charge(sends, bytes, this.#costs.sendUs);
  }

  #charge(sends: number, bytes: number, us: number): number {
    const seconds = (sends * us) / 1e6 + (bytes * this.#costs.byteNs) / 1e9;
    this.tally.sends += sends;
    this.tally.bytes += bytes;
    this.tally.wireBytes += bytes + sends * WIRE_HEAD_BYTES;
    this.tally.cpuSeconds += seconds;
    return seconds;
  }

  /** Seconds of the core for what is not fan-out. */
  #other(span: Span, seconds: number): number {
    const costs = this.#costs;
    const { count, said, admitted } = span;
    let [sockets, pollers, followers] = [0, 0, 0];
    for (const isCdn of [0, 1]) {
      const of = (way: number) => count(way + isCdn * WAYS.length);
      sockets += of(DEFLATE) + of(JSON_WAY);
      pollers += of(POLL);
      followers += isCdn * (of(DEFLATE) + of(JSON_WAY) + of(SSE) + of(POLL));
    }
    const everyMs = pollMsOf(this.#input, pollers);
    const polls = poisson(this.#random, (pollers * seconds * 1000) / everyMs);
    const pollBytes = polls * pollBytesOf(this.#input, everyMs);
    this.tally.bytes += pollBytes;
    this.tally.wireBytes += pollBytes + polls * WIRE_HEAD_BYTES;
    const pings = poisson(this.#random, (sockets * seconds * 1000) / ASSUMED.heartbeatMs);
    const reports = poisson(this.#random, (followers * seconds * 1000) / ASSUMED.cdnReportMs);
    const us =
      polls * costs.pollUs +
      (2 * pings + reports) * costs.sendUs +
      span.joins * costs.joinUs +
      admitted * costs.edgeAdmitUs +
      (said - admitted) * costs.refuseUs;
    return us / 1e6 + costs.idleShare * seconds;
  }
}
