/**
 * Owns what each viewer of the proof has seen: keepable publications in order, droppable ones once.
 * Fed with the lines viewers read; knows no transport.
 */
import type { Publication } from '../../src/words.js';

export const WAYS = ['json', 'deflate', 'sse', 'poll'] as const;
export type Way = (typeof WAYS)[number];

/** Everything a line to a viewer may be, as far as the proof looks. */
export interface Line {
  readonly type: string;
  readonly class?: 'keep' | 'drop';
  readonly offset?: number;
  /** Offsets from here on that are not here were meant for others. */
  readonly from?: number;
  readonly recovered?: boolean;
  readonly publications?: readonly Publication[];
  readonly code?: string | number;
}

/** A droppable publication: its place in this process and how many danmaku it stands for. */
interface Seen {
  readonly index: number;
  readonly danmaku: number;
}

/** What viewers of one process share, so that one viewer costs a bit for each publication. */
export class Roll {
  readonly #droppable = new Map<string, Seen>();

  /** The entry of a publication; the same id must always stand for as many danmaku. */
  entry(publication: Publication): Seen {
    const known = this.#droppable.get(publication.id);
    if (known !== undefined) return known;
    const danmaku = publication.count ?? 1;
    const seen = { index: this.#droppable.size, danmaku };
    this.#droppable.set(publication.id, seen);
    return seen;
  }

  /** Id and count of every droppable publication any viewer of this process saw. */
  entries(): [id: string, danmaku: number][] {
    return Array.from(this.#droppable, ([id, seen]) => [id, seen.danmaku]);
  }
}

export class ViewerLedger {
  /** Ids of keepable publications in the order they came, and their offsets. */
  readonly keepIds: string[] = [];
  readonly flaws: string[] = [];
  joined = false;
  droppable = 0;
  #bits = new Uint8Array(64);
  #next = 0;

  constructor(
    readonly way: Way,
    readonly roll: Roll,
  ) {}

  take(line: Line): void {
    switch (line.type) {
      case 'joined':
        return this.#join(line);
      case 'frame':
        this.#skipTo(line.from, line.offset);
        return this.takeAll(line.publications ?? [], line.offset);
      case 'error':
      case 'bye':
        return this.flaw(`${line.type} ${line.code ?? ''}`);
      default:
        return undefined;
    }
  }

  /** Publications of one class; `offset` is that of the first when they are keepable. */
  takeAll(publications: readonly Publication[], offset?: number): void {
    publications.forEach((publication, i) => {
      const keep = publication.lane === 'control' || publication.lane === 'high';
      if (!keep) return this.#takeDroppable(publication);
      const own = publication.offset;
      if (offset !== undefined && own !== offset + i)
        this.flaw(`offset ${own} in a frame's ${offset}`);
      this.#takeKeepable(publication.id, own ?? -1);
    });
  }

  /** Where the keepable stream stands when the viewer begins to watch. */
  begin(offset: number): void {
    this.joined = true;
    this.#next = offset + 1;
  }

  flaw(text: string): void {
    if (this.flaws.length < 5) this.flaws.push(`${this.way}: ${text}`);
  }

  #join(line: Line): void {
    if (this.joined) this.flaw('joined twice');
    this.begin(line.offset ?? 0);
  }

  /** Offsets of what was meant for others. */
  #skipTo(from: number | undefined, offset: number | undefined): void {
    if (from === undefined || offset === undefined || from > this.#next) return;
    this.#next = Math.max(this.#next, offset);
  }

  #takeKeepable(id: string, offset: number): void {
    if (offset !== this.#next) this.flaw(`offset ${offset} where ${this.#next} was due`);
    this.#next = offset + 1;
    this.keepIds.push(id);
  }

  #takeDroppable(publication: Publication): void {
    const { index, danmaku } = this.roll.entry(publication);
    if (danmaku !== (publication.count ?? 1)) {
      this.flaw(`publication ${publication.id} stands for ${danmaku} and ${publication.count}`);
    }
    const byte = index >> 3;
    if (byte >= this.#bits.length) {
      const more = new Uint8Array(Math.max(byte + 1, this.#bits.length * 2));
      more.set(this.#bits);
      this.#bits = more;
    }
    const bit = 1 << (index & 7);
    if ((this.#bits[byte]! & bit) !== 0) this.flaw(`publication ${publication.id} came twice`);
    this.#bits[byte]! |= bit;
    this.droppable++;
  }
}
