/**
 * Owns handing out edges: which, in what order, to whom, from what is known at this moment. Asks
 * nobody; works everything out anew every few milliseconds, so that a call costs microseconds.
 * Rules: SPEC D-DISP-1 to D-DISP-8, D-DISP-14.
 */
import type { DispatchConfig } from '../../src/dispatch-settings.js';
import type { RoomId } from '../../src/ids.js';
import type { Random } from '../../src/random.js';
import type { CdnFact } from '../../src/wire/cdn.js';
import type { EdgeReport } from '../../src/wire/edge-report.js';
import { EdgeTable, type Heard, type Region } from './core/edge-table.js';
import type { EdgeEntry } from './core/edge-entry.js';
import { EdgeMerge } from './core/edge-merge.js';
import { ViewerRegions } from './core/viewer-region.js';
import { RegionDesk } from './region-desk.js';

/** A CDN a viewer may take droppable publications from, with its share of the viewers. */
export interface Cdn {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
}
export type Cdns = (room: RoomId | undefined, region: string) => readonly Cdn[];
/** What viewers of a region are told of a room that is on the CDN; undefined: it is not. */
export type CdnFacts = (room: RoomId, region: string) => CdnFact | undefined;

/** For a viewer that no edge lets in: where the room's files are, and what time it is there. */
export interface OnCdn {
  readonly now: number;
  readonly cdn: CdnFact;
}

export interface DispatchQuestion {
  readonly room?: RoomId | undefined;
  /** What the viewer says of where it is. */
  readonly region?: string | undefined;
  readonly count: number;
  /** Value of the header that `config.regionHeader` names. */
  readonly header?: string | undefined;
  readonly address: string;
}

export interface Dispatched {
  readonly region: string;
  /** The best first. */
  readonly edges: readonly EdgeEntry[];
}

export const COUNT_DEFAULT = 3;
export const COUNT_MAX = 16;
/** Name under which edges of all regions stand together. */
const ANYWHERE = '';

export interface DeskParts {
  readonly random: Random;
  readonly cdns: Cdns;
  readonly cdnFact: CdnFacts;
}

export class DispatchDesk {
  readonly table = new EdgeTable();
  readonly random: Random;
  readonly #merge = new EdgeMerge();
  readonly #parts: DeskParts;
  readonly #desks = new Map<Region, RegionDesk>();
  #config: DispatchConfig;
  #regions: ViewerRegions;

  constructor(config: DispatchConfig, parts: DeskParts) {
    this.#config = config;
    this.#regions = new ViewerRegions(config);
    this.#parts = parts;
    this.random = parts.random;
  }

  get config(): DispatchConfig {
    return this.#config;
  }

  tune(config: DispatchConfig): void {
    this.#config = config;
    this.#regions = new ViewerRegions(config);
    this.#desks.clear();
  }

  hear(report: EdgeReport, now: number): Heard {
    if (report.gone !== true && this.#merge.isFullFor(report.edge)) return 'over_bound';
    let heard: Heard = 'taken';
    for (const told of this.#merge.hear(report, now)) heard = this.table.hear(told, now);
    return report.gone === true ? 'gone' : heard;
  }

  forget(now: number): number {
    const { count, told } = this.#merge.forget(now);
    for (const report of told) this.table.hear(report, now);
    const forgotten = count + this.table.forget(now);
    for (const region of this.#desks.keys())
      if (region.edges.size === 0) this.#desks.delete(region);
    return forgotten;
  }

  /** Hands out edges; none when no edge takes another viewer. */
  dispatch(question: DispatchQuestion, now: number): Dispatched {
    const { room, count } = question;
    const region = this.#regionOf(question);
    const edges: EdgeEntry[] = [];
    const desks = this.#chain(region);
    for (const strain of ['calm', 'strained'] as const) {
      for (const desk of desks) {
        if (edges.length >= count) break;
        desk.pick({ room, strain, wanted: count }, edges, now);
      }
    }
    const first = edges[0];
    if (first !== undefined) first.handed += 1;
    return { region, edges };
  }

  /** The answer as JSON text, but for what a caller with a key gets besides; undefined: no edge. */
  answer(question: DispatchQuestion, now: number): string | undefined {
    const { region, edges } = this.dispatch(question, now);
    if (edges.length === 0) return undefined;
    let text = `{"region":"${region}","edges":[${edges[0]!.json}`;
    for (let i = 1; i < edges.length; i++) text += `,${edges[i]!.json}`;
    const onCdn = this.#onCdn(question.room, region, now);
    const more = onCdn === undefined ? '}' : `,${JSON.stringify(onCdn).slice(1)}`;
    return `${text}],"cdns":${this.#cdnText(question.room, region)}${more}`;
  }

  /** What is answered of the room even with no edge to give; undefined: it is not on the CDN. */
  onCdn(question: DispatchQuestion, now: number): OnCdn | undefined {
    return this.#onCdn(question.room, this.#regionOf(question), now);
  }

  #onCdn(room: RoomId | undefined, region: string, now: number): OnCdn | undefined {
    const cdn = room && this.#parts.cdnFact(room, region);
    return cdn && { now: Math.round(now), cdn };
  }

  #regionOf(question: DispatchQuestion): string {
    return this.#regions.of(question, (name) => this.table.region(name) !== undefined);
  }

  #cdnText(room: RoomId | undefined, region: string): string {
    const cdns = this.#parts.cdns(room, region);
    return cdns.length === 0 ? '[]' : JSON.stringify(cdns);
  }

  /** Where to look, in order: the region, its neighbours, anywhere. */
  #chain(region: string): readonly RegionDesk[] {
    const desks: RegionDesk[] = [];
    for (const name of this.#regions.chain(region)) {
      const found = name === ANYWHERE ? undefined : this.table.region(name);
      if (found !== undefined) desks.push(this.#desk(found));
    }
    desks.push(this.#desk(this.table.everywhere));
    return desks;
  }

  #desk(region: Region): RegionDesk {
    const known = this.#desks.get(region);
    if (known !== undefined) return known;
    const desk = new RegionDesk(region, this.#config, this.random);
    this.#desks.set(region, desk);
    return desk;
  }
}
