/**
 * Owns what becomes of everything that arrives, by whatever way: repeats dropped, own danmaku told
 * apart, recalls carried out, the rest shown when its time has come. Knows no link.
 */
import type { Cancel, Clock } from './clock.js';
import { AttributeBook, type AttributeChange } from './core/attributes.js';
import type { Echoes } from './core/echo.js';
import { IdWindow, Place, type Taken } from './core/place.js';
import { ShowBuffer } from './core/show-buffer.js';
import type { Batch, Line, Publication, StreamEvents, TransportName } from './types.js';

export interface IntakeParts {
  readonly clock: Clock;
  readonly place: Place;
  readonly echoes: Echoes;
  readonly smoothMs: number;
  readonly delayMs: () => number;
  readonly emit: <K extends keyof StreamEvents>(name: K, value: StreamEvents[K]) => void;
  /** Who the viewer is, as far as it is known. */
  readonly me: () => { readonly id: string } | undefined;
  /** Ids to acknowledge; the room is missing for what came without one. */
  readonly acknowledge: (room: string | undefined, ids: readonly string[]) => void;
  /** The room said something of its CDN; `region` is that of the edge. */
  readonly cdnFact: (fact: unknown, region: unknown) => void;
  /** The attributes known do not lead to the newest: the whole set is needed. */
  readonly wantAttributes: () => void;
}

/** Ids in one `ack` command. */
const ACK_IDS_MAX = 100;
const RECALLED_MAX = 1000;
/** No answer is so late: the device's clock was set. */
const CLOCK_SET_MS = 1000;

export class Intake {
  readonly #parts: IntakeParts;
  readonly #buffer = new ShowBuffer();
  readonly #recalled = new IdWindow(RECALLED_MAX);
  readonly #attributes = new AttributeBook();
  #timer: Cancel | undefined;
  #aheadMs = 0;
  /** The same as heads of answers told it. */
  #heardMs = NaN;
  #online: number | undefined;
  /** Of the edge that was joined last. */
  #region: unknown;
  #arrived = 0;
  /** The viewer's own user, as the edge told. */
  user: { readonly id: string; readonly role?: string; readonly maySpeak?: boolean } | undefined;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  get attributes(): Readonly<Record<string, unknown>> {
    return this.#attributes.all;
  }

  /** The room's clock. */
  get roomNow(): number {
    return this.#parts.clock.now() + this.#aheadMs;
  }

  /** Publications seen so far. */
  get arrived(): number {
    return this.#arrived;
  }

  /** A line of a link; 'hole': publications before it are missing. */
  line(line: Line, way: TransportName): 'hole' | undefined {
    switch (line.type) {
      case 'welcome':
        if (Number.isFinite(line['now'])) this.#aheadMs = line['now'] - this.#parts.clock.now();
        return undefined;
      case 'clock':
        return this.#heardClock(line['aheadMs']);
      case 'joined':
        this.#joined(line, way);
        return undefined;
      case 'facts':
        this.#facts(line);
        return undefined;
      case 'publications':
        return this.#publications(line, way);
      case 'frame':
        return this.#frame(line, way);
      case 'skipped':
        this.#parts.emit('gap', {
          class: 'drop',
          why: line['why'] === 'shed' ? 'shed' : 'slow',
          count: line['count'],
        });
        return undefined;
      case 'error':
        this.#parts.emit('error', line);
        return undefined;
      default:
        return undefined;
    }
  }

  /** Droppables of a CDN segment, to be shown so far behind the room's clock. */
  cdn(publications: readonly Publication[], delayMs: number): void {
    const fresh = this.#parts.place.takeDroppables(publications);
    this.#take({ publications: fresh, source: 'cdn', past: false }, delayMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #joined(line: Line, way: TransportName): void {
    this.user = line['user'];
    this.#region = line['region'];
    this.#parts.emit('joined', { line });
    this.#facts(line);
    this.#window(line, way, true);
    this.#parts.cdnFact(line['cdn'], this.#region);
  }

  /** Who starts anew hears of the CDN by the answer itself, later by publications. */
  #publications(line: Line, way: TransportName): undefined {
    const isAnew = line['recovered'] !== true;
    if (isAnew) this.#region = line['region'];
    this.#window(line, way, line['isFirst'] === true && isAnew);
    if (isAnew) this.#parts.cdnFact(line['cdn'], this.#region);
    return undefined;
  }

  /**
   * From an answer's head. What is late can only seem behind, so the most ahead is the nearest to the
   * truth; far behind it the device's own clock has been set forward.
   */
  #heardClock(aheadMs: number): undefined {
    const behind = this.#heardMs - aheadMs;
    if (behind > 0 && behind < CLOCK_SET_MS) return;
    this.#aheadMs = this.#heardMs = aheadMs;
  }

  #facts(line: Line): void {
    if (!this.#attributes.replace(line['attributes'], line['attributesVersion'])) return;
    this.#parts.emit('attributes', this.#attributes.all);
  }

  #window(line: Line, way: TransportName, past: boolean): undefined {
    const taken = this.#parts.place.takeWindow(line);
    this.#acknowledge(line);
    this.#tellOnline(line['online']);
    if (taken.gap === true) this.#parts.emit('gap', { class: 'keep', why: 'resync' });
    this.#take({ publications: taken.fresh, source: way, past });
    return undefined;
  }

  #frame(line: Line, way: TransportName): 'hole' | undefined {
    const taken: Taken = this.#parts.place.takeFrame(line);
    if (taken.hole === true) return 'hole';
    this.#acknowledge(line);
    this.#tellOnline(line['online']);
    if (line['shed'] > 0) this.#parts.emit('shed', line['shed']);
    this.#take({ publications: taken.fresh, source: way, past: false });
    return undefined;
  }

  #tellOnline(online: unknown): void {
    if (typeof online !== 'number' || online === this.#online) return;
    this.#parts.emit('online', (this.#online = online));
  }

  /** Repeats too: the first answer may have been lost. */
  #acknowledge(line: Line): void {
    const publications: readonly Publication[] = line['publications'] ?? [];
    const ids = publications.filter(({ ack }) => ack === true).map(({ id }) => id);
    for (let at = 0; at < ids.length; at += ACK_IDS_MAX) {
      this.#parts.acknowledge(line['room'], ids.slice(at, at + ACK_IDS_MAX));
    }
  }

  #take(batch: Batch, delayMs = 0): void {
    const publications = batch.publications.filter((one) => this.#isToShow(one));
    if (publications.length === 0) return;
    this.#arrived += publications.length;
    this.#parts.emit('batch', { ...batch, publications });
    this.#buffer.push(publications, {
      now: this.#parts.clock.now(),
      aheadMs: this.#aheadMs,
      delayMs: Math.max(delayMs, this.#parts.delayMs()),
      smoothMs: batch.past ? 0 : this.#parts.smoothMs,
    });
    this.#show();
  }

  /** Carries out what concerns the stream itself; true: it is for the page. */
  #isToShow(publication: Publication): boolean {
    const { id, kind, data } = publication;
    if (kind === 'recall') this.#recall(data?.ids ?? [data?.id]);
    if (kind === 'cdn') this.#parts.cdnFact(data, this.#region);
    if (kind === 'attributes') this.#changeAttributes(data);
    if (kind === 'recall' || kind === 'cdn' || this.#recalled.has(id)) return false;
    const shown = this.#parts.echoes.claim(publication, this.#parts.me()?.id);
    if (shown === undefined) return true;
    this.#parts.emit('echoed', { shown, publication });
    return false;
  }

  #recall(publications: readonly string[]): void {
    for (const id of publications) this.#recalled.add(id);
    this.#buffer.remove(new Set(publications));
    const ids = publications.map((id) => this.#parts.echoes.shownAs(id));
    this.#parts.emit('recalled', { ids, publications });
  }

  #changeAttributes(data: AttributeChange | undefined): void {
    const change = this.#attributes.apply(data);
    if (change === 'changed') this.#parts.emit('attributes', this.#attributes.all);
    if (change === 'resync') this.#parts.wantAttributes();
  }

  #show(): void {
    this.#timer?.cancel();
    const { clock, emit } = this.#parts;
    for (const publication of this.#buffer.take(clock.now())) {
      if (!this.#recalled.has(publication.id)) emit('publication', publication);
    }
    const { dueAt } = this.#buffer;
    if (dueAt !== undefined) {
      this.#timer = clock.after(Math.max(0, dueAt - clock.now()), () => this.#show());
    }
  }
}
