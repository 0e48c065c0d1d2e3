/**
 * Owns following a room's CDN: manifests and segments fetched as core/cdn-reader.ts decides, the
 * socket told to leave droppables out once a segment was read, and to bring them back when the CDN
 * fails or ends. Rules: SPEC K-CDN-1 to K-CDN-7; the contract is docs/cdn.md.
 */
import type { Cancel, Clock } from './clock.js';
import {
  CdnReader,
  readCdnFact,
  readSegment,
  type CdnFact,
  type CdnReport,
  type Segment,
} from './core/cdn-reader.js';
import type { Classes } from './link.js';
import type { FetchLike, Gap, Publication } from './types.js';

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
}

const REQUEST_MS = 5000;
const REPORT_MS = 30_000;
/** Manifests are asked for so many more times after the end, and for so long: what was said before
 * the links brought all again may not be written yet. */
const LAST_POLLS = 3;
const LAST_MS = 2000;
const NOT_FOUND = new Set([404, 410]);

/** One reading of one fact, from its beginning to its end. */
interface Run {
  readonly reader: CdnReader;
  readonly stop: AbortController;
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

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /** Droppables come from the CDN. */
  get isFollowing(): boolean {
    return this.#isFollowing;
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
    this.#run = { reader, stop: new AbortController(), pollsLeft: undefined };
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
    const answer = await this.#get(run, reader.manifestUrl!);
    const manifest: unknown = await answer?.json().catch(() => undefined);
    if (run !== this.#run) return 'fine';
    if (answer?.ok !== true) return this.#failed(reader);
    const taken = reader.takeManifest(manifest, serverTime(answer));
    if (taken.is === 'failed') return this.#failed(reader);
    reader.worked();
    const left = taken.missed + taken.shed;
    // What is missing while the sockets bring all comes by them.
    if (left > 0 && this.#isFollowing) this.#parts.gap({ class: 'drop', why: 'cdn', count: left });
    for (const segment of taken.segments) {
      const step = await this.#segment(run, segment);
      if (run !== this.#run || step !== undefined) return step ?? 'fine';
    }
    if (run.pollsLeft === undefined && taken.is === 'fine') {
      reader.recovered();
      if (reader.isCaughtUp) this.#take('keep');
    }
    if (taken.is === 'off') this.#take('all');
    return taken.is === 'off' ? 'off' : 'fine';
  }

  async #segment(run: Run, segment: Segment): Promise<'next' | 'all' | undefined> {
    const { reader } = run;
    for (;;) {
      const answer = await this.#get(run, reader.urlOf(segment), checked(segment));
      const text = answer?.ok === true ? await answer.text().catch(() => undefined) : undefined;
      if (run !== this.#run) return undefined;
      if (text !== undefined) {
        reader.worked(segment.bytes);
        this.#show(reader, readSegment(text) as unknown as Publication[]);
        return undefined;
      }
      if (NOT_FOUND.has(answer?.status ?? (await this.#statusOf(run, segment)))) {
        reader.missing();
        this.#parts.gap({ class: 'drop', why: 'cdn', count: segment.count });
        return undefined;
      }
      const failed = this.#failed(reader);
      if (failed === 'all') return failed;
    }
  }

  /** The page of an error has another hash, and the platform then tells not even its status. */
  async #statusOf(run: Run, segment: Segment): Promise<number> {
    if (segment.hash === undefined) return 0;
    return (await this.#get(run, run.reader.urlOf(segment), { method: 'HEAD' }))?.status ?? 0;
  }

  /** A source that is given up is told at once: others are to be spared it. */
  #failed(reader: CdnReader): 'again' | 'next' | 'all' {
    const step = reader.failed();
    if (step !== 'again') this.#tellReports();
    return step;
  }

  #show(reader: CdnReader, publications: readonly Publication[]): void {
    const { roomNow, show } = this.#parts;
    const now = roomNow();
    const shown = publications.filter(({ at }) => Number.isFinite(at));
    for (const { at } of shown) reader.shown(Math.max(reader.delayMs, now - at));
    show(shown, reader.delayMs);
  }

  /** All sources have failed: the sockets have to do, for a while. */
  async #rest(run: Run): Promise<void> {
    if (this.#isFollowing) this.#parts.gap({ class: 'drop', why: 'cdn' });
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

  /** The answer; undefined: no answer in time. */
  async #get(run: Run, url: string, how: RequestInit = {}): Promise<Response | undefined> {
    const stop = new AbortController();
    const end = () => stop.abort();
    const late = this.#parts.clock.after(REQUEST_MS, end);
    run.stop.signal.addEventListener('abort', end, { once: true });
    try {
      const answer = await this.#parts.fetch(url, {
        ...{ credentials: 'omit', signal: stop.signal },
        ...how,
      });
      // Read whole within the time: a body that stalls is a failure like any other.
      const body = await answer.arrayBuffer();
      return new Response(answer.status === 304 ? null : body, {
        status: answer.status,
        headers: answer.headers,
      });
    } catch {
      return undefined;
    } finally {
      late.cancel();
      run.stop.signal.removeEventListener('abort', end);
    }
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
