/**
 * Owns what is known of one edge between its reports: the report, and the viewers handed out to it
 * that it cannot have reported yet. Pure; `now` is an argument.
 */
import type { EdgeReport, RoomCount } from '../../../src/wire/edge-report.js';

/** Viewers handed out who have not shown up after this long are half given up, and so on. */
const HANDED_HALF_MS = 2000;
/** An edge whose loop is later than this answers nobody in time. */
const LAG_MS_MAX = 250;
/** Below this many viewers what one costs the core is not known well enough to be multiplied. */
const COST_SHARE_MIN = 0.05;

/** `calm`: takes more; `strained`: only when nobody else does; `full`: not at all. */
export type Strain = 'calm' | 'strained' | 'full';

export interface Marks {
  readonly fullMark: number;
  readonly busyMark: number;
}

export class EdgeEntry {
  readonly id: string;
  /** The edge's place among the rendezvous of rooms (`room-order.ts`). */
  readonly seed: number;
  report: EdgeReport;
  heardAt: number;
  rooms: readonly RoomCount[] = [];
  /** Viewers handed out and not seen in a report. */
  handed = 0;
  strain: Strain = 'calm';
  /** 0-1, of what binds first. */
  load = 0;
  /** How much of the newcomers it should get, in viewers it has place for. */
  weight = 0;
  #json = '';
  #jsonOf: EdgeReport | undefined;
  #jsonWeight = -1;

  constructor(report: EdgeReport, seed: number, now: number) {
    this.id = report.edge;
    this.seed = seed;
    this.report = report;
    this.heardAt = now;
  }

  /** Viewers who came since were among those handed out. */
  hear(report: EdgeReport, now: number): void {
    const came = Math.max(0, report.viewers - this.report.viewers);
    const aged = 0.5 ** ((now - this.heardAt) / HANDED_HALF_MS);
    this.handed = Math.max(0, this.handed - came) * aged;
    if (this.handed < 0.01) this.handed = 0;
    this.report = report;
    this.heardAt = now;
  }

  /** Works out load, strain and weight anew. */
  judge({ fullMark, busyMark }: Marks): void {
    const { capacity, viewers, busy, lagMs } = this.report;
    const expected = viewers + this.handed;
    const fill = expected / capacity;
    // What is handed out costs the core what the viewers who are there cost it.
    const cost = busy * (expected / Math.max(viewers, capacity * COST_SHARE_MIN, 1));
    const busySoon = viewers >= capacity * COST_SHARE_MIN ? cost : busy;
    this.load = Math.max(fill, busySoon);
    const isStrained = fill >= fullMark || busySoon > busyMark || lagMs > LAG_MS_MAX;
    this.strain = expected >= capacity ? 'full' : isStrained ? 'strained' : 'calm';
    const free = capacity - expected;
    this.weight = isStrained
      ? Math.max(0, free)
      : capacity * Math.min(1 - fill / fullMark, 1 - busySoon / (busyMark + Number.EPSILON));
    if (this.strain === 'calm' && this.weight < 1e-3) this.weight = 1e-3;
  }

  /** The edge as answers show it; `weight` is its place left in percent. */
  get json(): string {
    const weight = Math.max(1, Math.round((1 - Math.min(1, this.load)) * 100));
    if (this.#jsonOf !== this.report || this.#jsonWeight !== weight) {
      const { url, region } = this.report;
      if (this.#jsonOf?.url !== url || this.#jsonOf.region !== region || this.#json === '') {
        const ws = `${url.replace(/^http/, 'ws')}/v1/ws`;
        const head = JSON.stringify({ id: this.id, url, ws, region });
        this.#json = `${head.slice(0, -1)},"weight":`;
      }
      this.#jsonOf = this.report;
      this.#jsonWeight = weight;
    }
    return `${this.#json}${weight}}`;
  }
}
