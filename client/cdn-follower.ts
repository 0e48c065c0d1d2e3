/**
 * Owns following a room's CDN: manifests and segments fetched as core/cdn-reader.ts decides, the
 * socket told to leave droppables out once a segment was read, and to bring them back when the CDN
 * fails or ends. Rules: SPEC K-CDN-1 to K-CDN-7, K-CDN-15; the contract is docs/cdn.md.
 */
import { firstBytes, get, type Got } from './cdn-fetch.js';
import type { Cancel, Clock } from './clock.js';
import { SteadyDelay } from './core/cdn-delay.js';
import {
  CdnReader,
  readCdnFact,
  readSegment,
  type CdnFact,
  type CdnReport,
  type Segment,
} from './core/cdn-reader.js';
import type { Thinness } from './core/thinness.js';
import type { Classes } from './link.js';
import type { CdnStats, FetchLike, Gap, Publication, Thin } from './types.js';

export interface FollowerParts {
  readonly clock: Clock;
  readonly fetch: FetchLike;
  readonly random: () => number;
  /** The room's clock. */
  readonly roomNow: () => number;
  readonly show: (publications: readonly Publication[], delayMs: number) => void;
  /** What the links are to bring. */
  readonly receive: (classes: Classes) => void;
  readonly gap: (gap: Gap) => void;
  readonly report: (report: CdnReport) => void;
  readonly thinness: Thinness;
  /** Lines are shown no further behind than this. */
  readonly delayMaxMs: number;
  /** How much is read has changed. */
  readonly turned: () => void;
}

const REPORT_MS = 30_000;
/** Manifests are asked for so many more times after the end, and for so long: what was said before
 * the links brought all again may not be written yet. */
const LAST_POLLS = 3;
const LAST_MS = 2000;
const utf8 = new TextDecoder();
const NOTHING: Got = { answer: undefined, bytes: new Uint8Array(), tookMs: 0 };
const NOT_FOUND = new Set([404, 410]);

/** One reading of one fact, from its beginning to its end. */
interface Run {
  readonly reader: CdnReader;
  readonly stop: AbortController;
  readonly delay: SteadyDelay;
  /** What a small request takes. */
  pingMs: number;
  /** Droppables came from the CDN only, at least until the room turned it off. */
  isRelied: boolean;
  /** Polls left since the room turned it off; undefined: it is on. */
  pollsLeft: number | undefined;
}

export class CdnFollower {
  readonly #parts: FollowerParts;
  #run: Run | undefined;
  #isFollowing = false;
  #timer: Cancel | undefined;
  #wake: (() => void) | undefined;
  #reportTimer: Cancel | undefined;
  #text = '';
  #leftOut = { leftOut: 0, leftOutBytes: 0 };

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /** Droppables come from the CDN. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** The last priority that is read; undefined: all. */
  get priority(): number | undefined {
    return this.#parts.thinness.priority;
  }

  get stats(): CdnStats | undefined {
    const delay = this.#run?.delay;
    return delay && { delayMs: delay.ms, lines: delay.lines, late: delay.late, ...this.#leftOut };
  }

  /** Throws TypeError on what is no thinness. */
  setThin(thin: Thin): void {
    this.#parts.thinness.set(thin);
    this.#parts.turned();
  }

  /** What the room says of its CDN now, and the region the edge says the viewer is of. */
  configure(value: unknown, region?: unknown): void {
    const fact = readCdnFact(value, region);
    if (fact === undefined) return this.#wind();
    const text = JSON.stringify(fact);
    if (text === this.#text && this.#run?.pollsLeft === undefined) return;
    const { reader, pollsLeft } = this.#run ?? {};
    this.#text = text;
    if (reader?.fact.manifest === fact.manifest && pollsLeft === undefined) {
      return reader.retune(fact);
    }
    this.#run?.stop.abort();
    this.#begin(fact);
  }

  stop(): void {
    this.#run?.stop.abort();
    this.#run = undefined;
    this.#timer?.cancel();
    this.#reportTimer?.cancel();
  }

  #begin(fact: CdnFact): void {
    const reader = new CdnReader(fact, this.#parts.random);
    const delay = new SteadyDelay(fact, this.#parts.delayMaxMs);
    const stop = new AbortController();
    this.#run = {
      reader,
      stop,
      delay,
      pingMs: 0,
      isRelied: this.#isFollowing,
      pollsLeft: undefined,
    };
    this.#reportTimer ??= this.#parts.clock.after(REPORT_MS, () => this.#report());
    void this.#follow(this.#run);
  }

  /** The room turned it off: the sockets bring all again, and what was written is read to its end. */
  #wind(): void {
    if (this.#run === undefined || this.#run.pollsLeft !== undefined) return;
    const { pollMs, segmentMs } = this.#run.reader.fact;
    this.#run.pollsLeft = Math.max(LAST_POLLS, Math.ceil((LAST_MS + segmentMs) / pollMs));
    this.#take('all');
    this.#wake?.();
  }

  async #follow(run: Run): Promise<void> {
    for (let isFirst = true; run === this.#run; isFirst = false) {
      const step = await this.#round(run);
      if (run !== this.#run) return;
      if (step === 'off') return this.#over();
      if (run.pollsLeft !== undefined && run.pollsLeft-- <= 0) return this.#over();
      if (step !== 'all') await this.#pause(run.reader.waitMs(isFirst));
      else await this.#rest(run);
    }
  }

  /** One manifest and the segments it brings. */
  async #round(run: Run): Promise<'fine' | 'off' | 'again' | 'next' | 'all'> {
    const { reader } = run;
    const { answer, bytes, tookMs } = await this.#get(run, reader.manifestUrl!);
    const manifest = jsonOf(bytes);
    run.pingMs = tookMs;
    if (run !== this.#run) return 'fine';
    if (answer?.ok !== true) return this.#failed(reader);
    const taken = reader.takeManifest(manifest, serverTime(answer));
    if (taken.is === 'failed') return this.#failed(reader);
    reader.worked();
    if (taken.missed + taken.lost > 0) this.#gap(run, taken.lost);
    for (const segment of taken.segments) {
      const step = await this.#segment(run, segment);
      if (run !== this.#run || step !== undefined) return step ?? 'fine';
    }
    if (run.pollsLeft === undefined && taken.is === 'fine') {
      reader.recovered();
      if (reader.isCaughtUp) {
        run.isRelied = true;
        this.#take('keep');
      }
    }
    return taken.is === 'off' ? 'off' : 'fine';
  }

  async #segment(run: Run, segment: Segment): Promise<'next' | 'all' | undefined> {
    const { reader } = run;
    for (;;) {
      const { end, leftOut } = this.#parts.thinness.wanted(segment.parts ?? []);
      const all = segment.bytes ?? end ?? 0;
      const got = end === 0 ? NOTHING : await this.#part(run, segment, end);
      if (run !== this.#run) return undefined;
      const { answer, bytes } = got;
      this.#took(run, got, all > 0 ? (end ?? all) / all : 1);
      if (end === 0 || answer?.ok === true) {
        if (end !== 0) reader.worked(end ?? all);
        this.#leave(leftOut, end === undefined ? 0 : all - end);
        this.#show(run, readSegment(utf8.decode(bytes)) as unknown as Publication[]);
        return undefined;
      }
      if (NOT_FOUND.has(answer?.status ?? (await this.#statusOf(run, segment, end)))) {
        reader.missing();
        // What a link still holds back may be of this one: another has to be read before it is told.
        reader.isCaughtUp &&= run.isRelied;
        this.#leave(leftOut, end === undefined ? 0 : all - end);
        this.#gap(run, segment.count - leftOut);
        return undefined;
      }
      const failed = this.#failed(reader);
      if (failed === 'all') return failed;
    }
  }

  /** What is missing, at least `count` publications; 0: nobody knows how many. */
  #gap({ isRelied }: Run, count: number): void {
    // While the sockets bring all it comes by them.
    if (!isRelied) return;
    this.#parts.gap({ class: 'drop', why: 'cdn', ...(count > 0 && { count }) });
  }

  /** Unread on purpose, whether or not it was there. */
  #leave(count: number, bytes: number): void {
    this.#leftOut.leftOut += count;
    this.#leftOut.leftOutBytes += bytes;
  }

  /** The page of an error has another hash, and the platform then tells not even its status. */
  async #statusOf(run: Run, segment: Segment, end: number | undefined): Promise<number> {
    // Parts are not checked: without a status there was none.
    if (segment.hash === undefined || end !== undefined) return 0;
    const how = { method: 'HEAD' };
    return (await this.#get(run, run.reader.urlOf(segment), how)).answer?.status ?? 0;
  }

  /** A part is not what `hash` is of. */
  #part(run: Run, segment: Segment, end: number | undefined): Promise<Got> {
    const { reader } = run;
    const how = end === undefined ? checked(segment) : firstBytes(end, reader.hasRanges);
    return this.#get(run, reader.urlOf(segment), how, end);
  }

  #took({ pingMs, reader }: Run, { tookMs }: Got, share: number): void {
    const { thinness, clock, turned } = this.#parts;
    const before = thinness.priority;
    thinness.took(Math.max(0, tookMs - pingMs), reader.fact.segmentMs, share, clock.now());
    if (thinness.priority !== before) turned();
  }

  /** A source that is given up is told at once: others are to be spared it. */
  #failed(reader: CdnReader): 'again' | 'next' | 'all' {
    const step = reader.failed();
    if (step !== 'again') this.#tellReports();
    return step;
  }

  #show({ reader, delay }: Run, publications: readonly Publication[]): void {
    const { roomNow, show } = this.#parts;
    const now = roomNow();
    const shown = publications.filter(({ at }) => Number.isFinite(at));
    // What was there before tells nothing of how late things come, nor what a link had already brought.
    if (this.#isFollowing)
      delay.came(
        shown.map(({ at }) => now - at),
        now,
      );
    for (const { at } of shown) reader.shown(Math.max(delay.ms, now - at));
    show(shown, delay.ms);
  }

  /** All sources have failed: the sockets have to do, for a while. */
  async #rest(run: Run): Promise<void> {
    this.#gap(run, 0);
    run.isRelied = false;
    this.#take('all');
    await this.#pause(run.reader.restMs());
    run.reader.wake();
  }

  #over(): void {
    this.#report();
    this.stop();
    this.#reportTimer = undefined;
    this.#text = '';
    this.#take('all');
  }

  #take(classes: Classes): void {
    this.#isFollowing = classes === 'keep';
    this.#parts.receive(classes);
  }

  #get(run: Run, url: string, how: RequestInit = {}, end?: number): Promise<Got> {
    return get(this.#parts, url, { stop: run.stop.signal, how, end });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#timer?.cancel();
        resolve();
      };
      this.#timer = this.#parts.clock.after(ms, resolve);
    });
  }

  #tellReports(): void {
    for (;;) {
      const report = this.#run?.reader.report();
      if (report === undefined) return;
      this.#parts.report(report);
    }
  }

  #report(): void {
    this.#tellReports();
    this.#reportTimer = this.#parts.clock.after(REPORT_MS, () => this.#report());
  }
}

/** A segment is taken whole or not at all. */
function checked({ hash }: Segment): RequestInit {
  return hash !== undefined && /^sha\d{3}-/.test(hash) ? { integrity: hash } : {};
}

/** Unix milliseconds by the answer's own word; a cached one has aged. */
function serverTime({ headers }: Response): number | undefined {
  const date = Date.parse(headers.get('date') ?? '');
  const age = Number(headers.get('age') ?? 0);
  return Number.isFinite(date) ? date + (Number.isFinite(age) ? age * 1000 : 0) : undefined;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}
