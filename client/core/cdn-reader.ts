/**
 * Owns a viewer's reading of a room's CDN files: which source, which segments, what was missed, when
 * a source or all of them have failed. Pure; fetches nothing. The contract is docs/cdn.md.
 * Rules: SPEC K-CDN-1 to K-CDN-7.
 */
import { bounded } from './backoff.js';
import type { Part } from './thinness.js';

export interface CdnSource {
  readonly id: string;
  readonly url: string;
  readonly weight: number;
}

/** What the room says of its CDN: the fact, and the publication of kind `cdn`. */
export interface CdnFact {
  readonly mode: 'on' | 'off';
  readonly pollMs: number;
  readonly segmentMs: number;
  readonly manifest: string;
  readonly sources: readonly CdnSource[];
}

export interface Segment {
  readonly sequence: number;
  readonly name: string;
  readonly count: number;
  readonly shed?: number;
  /** Before compression. */
  readonly bytes?: number;
  readonly gap?: { readonly from: number; readonly to: number };
  readonly hash?: string;
  readonly parts?: readonly Part[];
}

export interface ManifestTaken {
  /** `old`: passed over; `failed`: the source is of no use; `off`: the room's last. */
  readonly is: 'fine' | 'old' | 'off' | 'failed';
  /** To be fetched, oldest first. */
  readonly segments: readonly Segment[];
  /** Segments that will not be read, and stretches nobody wrote. */
  readonly missed: number;
  /** Publications known to be missing: in those passed over, and told as left out. */
  readonly lost: number;
  readonly shed: number;
}

export interface CdnReport {
  readonly source: string;
  readonly ok: number;
  readonly failed: number;
  readonly missed: number;
  readonly delayMs: number;
  readonly bytes: number;
}

const VERSION = 1;
/** Of what the first manifest names, this many of the newest are read. */
export const FIRST_SEGMENTS = 2;
const SEGMENTS_AT_ONCE = 5;
const FAILURES_MAX = 3;
const STALE_MS = 15_000;
const AGAIN_MS = 10_000;
const AGAIN_MS_MAX = 300_000;
/** Names remembered, reports that wait, holes counted one by one. */
const NAMES_MAX = 500;
const OWED_MAX = 4;
const HOLES_MAX = 100_000;
const NO_COUNTS = { ok: 0, failed: 0, missed: 0, bytes: 0 };
const NOTHING = { segments: [], missed: 0, lost: 0, shed: 0 } as const;

export class CdnReader {
  fact: CdnFact;
  readonly #random: () => number;
  #source: CdnSource | undefined;
  readonly #tired = new Set<CdnSource>();
  #failures = 0;
  #rounds = 0;
  #epoch = 0;
  #next = 0;
  #at = 0;
  /** A manifest of this stay on the CDN was read. */
  #wasOn = false;
  /** Names: a sequence may come again under another one. Undefined: nothing was read yet. */
  #handled: Set<string> | undefined;
  /** The segment that was open when reading began; only what follows it was begun after that. */
  #openAtFirst = Infinity;
  /** A segment was chosen that was begun after the first manifest: whatever a link still holds back is
   * either older than what the files have, or in them. */
  isCaughtUp = false;
  /** Parts of files may be asked for by `Range`. */
  hasRanges = false;
  /** All sequences up to here were handled. */
  #through = 0;
  #counts = NO_COUNTS;
  /** Of sources that were given up. */
  readonly #owed: CdnReport[] = [];
  #delays = { sum: 0, count: 0 };

  constructor(fact: CdnFact, random: () => number) {
    this.fact = fact;
    this.#random = random;
    this.#source = this.#pick();
  }

  /** The manifest's URL at the present source; undefined: all have failed. */
  get manifestUrl(): string | undefined {
    return this.#source && this.#source.url + this.fact.manifest;
  }

  urlOf({ name }: Segment): string {
    return new URL(name, this.manifestUrl).href;
  }

  /** Until the next manifest; the first after a random part, so that the audience is not in step. */
  waitMs(isFirst: boolean): number {
    return this.fact.pollMs * (isFirst ? this.#random() : 1);
  }

  /** `serverNow`: unix ms by the answer's `Date` and `Age`; undefined when it has no `Date`. */
  takeManifest(manifest: unknown, serverNow: number | undefined): ManifestTaken {
    const read = readManifest(manifest);
    if (read === undefined) return { is: 'failed', ...NOTHING };
    const { epoch, next, at, mode, segments } = read;
    // The room said that it is on: this is the end of an earlier stay, not written over yet.
    if (mode === 'off' && !this.#wasOn) return { is: 'old', ...NOTHING };
    if (serverNow !== undefined && serverNow - at > STALE_MS) return { is: 'failed', ...NOTHING };
    const isBack = epoch < this.#epoch;
    const isSame = epoch === this.#epoch;
    if (isBack || (isSame && (next < this.#next || at < this.#at)))
      return { is: 'old', ...NOTHING };
    [this.#epoch, this.#next, this.#at] = [epoch, next, at];
    this.#wasOn = true;
    this.hasRanges = read.ranges === true;
    return { is: mode === 'off' ? 'off' : 'fine', ...this.#choose(segments, next) };
  }

  /** A request worked. `isManifest`: the source is up. */
  worked(bytes = 0): void {
    this.#count({ ok: 1, bytes });
    this.#failures = 0;
  }

  /** A segment is not there any more: missed, and nothing is asked again. */
  missing(): void {
    this.#count({ missed: 1 });
  }

  /** A request failed. `all`: no source is left, and the sockets have to do. */
  failed(): 'again' | 'next' | 'all' {
    this.#count({ failed: 1 });
    if (++this.#failures < FAILURES_MAX || this.#source === undefined) return 'again';
    this.#failures = 0;
    this.#tired.add(this.#source);
    this.#owe();
    this.#source = this.#pick();
    return this.#source === undefined ? 'all' : 'next';
  }

  /** After all have failed: how long until they are tried again. */
  restMs(): number {
    const rangeMs = AGAIN_MS * 2 ** Math.min(this.#rounds++, 5);
    return Math.min(AGAIN_MS_MAX, rangeMs * (1 + 2 * this.#random()));
  }

  /** All sources may be tried again. */
  wake(): void {
    this.#tired.clear();
    this.#source = this.#pick();
    // What was written meanwhile came by the socket, or is over.
    this.#handled = undefined;
    this.isCaughtUp = false;
  }

  /** The sources work again for good. */
  recovered(): void {
    this.#rounds = 0;
  }

  shown(delayMs: number): void {
    this.#delays.sum += delayMs;
    this.#delays.count++;
  }

  /** What is to be reported since the last time, one source a call; undefined: nothing was fetched. */
  report(): CdnReport | undefined {
    this.#owe();
    return this.#owed.shift();
  }

  /** The room tells of other weights or sources: as many go over to another as its share has grown. */
  retune(fact: CdnFact): void {
    const [before, source] = [this.fact, this.#source];
    this.fact = fact;
    const tired = new Set(Array.from(this.#tired, ({ url }) => url));
    this.#tired.clear();
    for (const each of fact.sources) if (tired.has(each.url)) this.#tired.add(each);
    if (source === undefined) return;
    const same = fact.sources.find(({ url }) => url === source.url);
    const [share, had] = [shareOf(same, fact), shareOf(source, before)];
    const isLeft = same === undefined || (share < had && this.#random() >= share / had);
    const next = isLeft
      ? this.#pick((each) => each !== same && hasGrown(each, before, fact))
      : same;
    if (next !== same) this.#owe();
    this.#source = next ?? same ?? this.#pick();
  }

  #count(more: Partial<typeof NO_COUNTS>): void {
    const { ok, failed, missed, bytes } = this.#counts;
    this.#counts = {
      ok: ok + (more.ok ?? 0),
      failed: failed + (more.failed ?? 0),
      missed: missed + (more.missed ?? 0),
      bytes: bytes + (more.bytes ?? 0),
    };
  }

  #owe(): void {
    const { sum, count } = this.#delays;
    const counts = this.#counts;
    if (counts.ok + counts.failed === 0 || this.#source === undefined) return;
    this.#counts = NO_COUNTS;
    this.#delays = { sum: 0, count: 0 };
    const delayMs = count === 0 ? 0 : Math.max(0, Math.round(sum / count));
    this.#owed.push({ source: this.#source.id, ...counts, delayMs });
    if (this.#owed.length > OWED_MAX) this.#owed.shift();
  }

  #choose(segments: readonly Segment[], next: number) {
    const [handled, through] = [this.#handled, this.#through];
    this.#handled = remembered(handled, segments);
    this.#through = Math.max(through, next - 1);
    if (handled === undefined) {
      this.#openAtFirst = next;
      return { ...NOTHING, segments: segments.slice(-FIRST_SEGMENTS) };
    }
    const waiting = segments.filter(({ name }) => !handled.has(name));
    const chosen = waiting.slice(-SEGMENTS_AT_ONCE);
    this.isCaughtUp ||= chosen.some(({ sequence }) => sequence > this.#openAtFirst);
    const named = new Set(segments.map(({ sequence }) => sequence));
    let missed = waiting.length - chosen.length;
    // Those that are not named any more; far too many are no number of use.
    let sequence = Math.max(through + 1, next - HOLES_MAX);
    for (; sequence < next; sequence++) if (!named.has(sequence)) missed++;
    missed += chosen.filter(({ gap }) => gap !== undefined).length;
    this.#count({ missed });
    const shed = waiting.reduce((sum, segment) => sum + (segment.shed ?? 0), 0);
    const lost = waiting.slice(0, -SEGMENTS_AT_ONCE).reduce((sum, one) => sum + one.count, shed);
    return { segments: chosen, missed, lost, shed };
  }

  /** One of those that have not failed, by weight; weight 0 only when no other is left. */
  #pick(isWanted: (source: CdnSource) => boolean = () => true): CdnSource | undefined {
    const left = this.fact.sources.filter((each) => !this.#tired.has(each) && isWanted(each));
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    let point = this.#random() * total;
    for (const source of left) {
      point -= source.weight;
      if (point < 0) return source;
    }
    return left.find(({ weight }) => total === 0 || weight > 0);
  }
}

function remembered(before: Set<string> | undefined, segments: readonly Segment[]): Set<string> {
  const names = new Set([...(before ?? []), ...segments.map(({ name }) => name)]);
  for (const oldest of names) if (names.size > NAMES_MAX) names.delete(oldest);
  return names;
}

function shareOf(source: CdnSource | undefined, { sources }: CdnFact): number {
  const total = sources.reduce((sum, { weight }) => sum + weight, 0);
  return total === 0 ? 1 / sources.length : (source?.weight ?? 0) / total;
}

function hasGrown(source: CdnSource, before: CdnFact, fact: CdnFact): boolean {
  const same = before.sources.find(({ url }) => url === source.url);
  return shareOf(source, fact) > (same === undefined ? 0 : shareOf(same, before));
}

interface Manifest {
  readonly epoch: number;
  readonly next: number;
  readonly at: number;
  readonly mode: string;
  readonly ranges: unknown;
  readonly segments: readonly Segment[];
}

function readManifest(value: unknown): Manifest | undefined {
  const { version, epoch, next, at, mode, ranges, segments } = (value ?? {}) as Record<
    string,
    unknown
  >;
  const isRead = version === VERSION && [epoch, next, at].every(Number.isSafeInteger);
  if (!isRead || !Array.isArray(segments)) return undefined;
  const isSegment = (one: Partial<Segment> | null) =>
    Number.isSafeInteger(one?.sequence) && /^[\w-]+\.jsonl$/.test(String(one?.name));
  const read = (segments as Segment[]).filter(isSegment);
  return { epoch, next, at, mode, ranges, segments: read } as Manifest;
}

/**
 * The fact as it can be used by viewers of a region, with their weights; undefined: off, not for them,
 * or not to be understood.
 */
export function readCdnFact(value: unknown, region?: unknown): CdnFact | undefined {
  const fact = (value ?? {}) as Record<string, unknown>;
  const { mode, pollMs, segmentMs, manifest, sources } = fact;
  if (mode !== 'on' || typeof manifest !== 'string' || !Array.isArray(sources)) return undefined;
  const own = weightsIn(fact['regions'], region, sources.length);
  const usable = (sources as (Partial<CdnSource> | null)[])
    .map((source, i) => ({
      id: String(source?.id ?? ''),
      url: String(source?.url),
      weight: own?.[i] === null ? -1 : bounded(own?.[i] ?? source?.weight, 0, 1e6, 1),
    }))
    .filter(({ url, weight }) => weight >= 0 && /^https?:\/\/.*\/$/.test(url));
  if (usable.length === 0) return undefined;
  const read = {
    mode,
    manifest,
    pollMs: bounded(pollMs, 200, 60_000, 1000),
    segmentMs: bounded(segmentMs, 100, 60_000, 1000),
    sources: usable,
  };
  return read as CdnFact;
}

/** What the fact says for one region, a weight for each source; undefined: nothing of its own. */
function weightsIn(regions: unknown, region: unknown, count: number): unknown[] | undefined {
  if (typeof region !== 'string' || !Object.hasOwn(Object(regions), region)) return undefined;
  const own = (regions as Record<string, unknown>)[region];
  return Array.isArray(own) && own.length === count ? own : undefined;
}

/** The lines of a segment that can be read; a cut or broken one is passed over. */
export function readSegment(text: string): { id: string }[] {
  const out: { id: string }[] = [];
  for (const line of text.split('\n')) {
    try {
      const value = JSON.parse(line) as { id?: unknown } | null;
      if (typeof value?.id === 'string') out.push(value as { id: string });
    } catch {
      // The contract: one that is no JSON is passed over.
    }
  }
  return out;
}
