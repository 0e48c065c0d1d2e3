/**
 * Owns putting a room's log and archive together in order of time, as a recording of what all saw:
 * what was meant for some is left out. Reads page by page: what is held at once is a time and a
 * place of each publication, not its text. Knows no format and no room.
 */
import type { RoomId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import { parsePublication } from '../../src/wire/publication.js';
import { RECALL_KIND, RECALLED_KIND, ROOM_KIND, type Publication } from '../../src/words.js';
import type { RecordCalls, RecordPart } from '../calls/records.js';
import { PIN_KIND, UNPIN_KIND } from './pins.js';

export interface RecordingParts {
  readonly records: RecordCalls;
  readonly clock: Clock;
}

/** Publications of this span, unix milliseconds: from `from` on, before `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const PARTS: readonly RecordPart[] = ['log', 'archive'];
const PAGE = 500;
/** Publications fetched for one piece of the recording. */
const PIECE = 256;
/** Sorted at once; longer would keep the process from everything else for too long. */
const BLOCK = 10_000;
/** What the room says of itself is no part of what was said. */
const OWN_KINDS: readonly string[] = [RECALL_KIND, RECALLED_KIND, ROOM_KIND, PIN_KIND, UNPIN_KIND];

/** Where a publication lies. */
interface Place {
  readonly at: number;
  readonly part: RecordPart;
  readonly offset: number;
}

/** In order of `at`; those of the same time in the order in which they were kept. */
export async function* recordingOf(
  room: RoomId,
  span: Span,
  parts: RecordingParts,
): AsyncGenerator<Publication, void, void> {
  const merged = new Merged(await sortedBlocks(room, span, parts));
  for (let piece = merged.take(PIECE); piece.length > 0; piece = merged.take(PIECE)) {
    yield* await fetchPiece(room, piece, parts.records);
    await pause(parts.clock);
  }
}

async function sortedBlocks(room: RoomId, span: Span, parts: RecordingParts): Promise<Place[][]> {
  const blocks: Place[][] = [];
  let block: Place[] = [];
  const close = (): void => {
    if (block.length > 0) blocks.push(block.sort(byTime));
    block = [];
  };
  for (const part of PARTS) {
    for await (const page of pagesOf(room, part, parts)) {
      for (const [offset, json] of page) {
        const { at, kind, to } = parsePublication(json);
        if (to !== undefined) continue;
        if (at < span.from || at >= span.to || OWN_KINDS.includes(kind)) continue;
        block.push({ at, part, offset });
        if (block.length === BLOCK) close();
      }
    }
    close();
  }
  return blocks;
}

async function* pagesOf(room: RoomId, part: RecordPart, { records, clock }: RecordingParts) {
  let from: number | undefined = 1;
  while (from !== undefined) {
    const page = await records.page(room, part, from, PAGE);
    if (page.entries.length > 0) yield page.entries;
    from = page.next;
    await pause(clock);
  }
}

/** Sorted blocks as one order; what was taken is not given again. */
class Merged {
  readonly #blocks: readonly Place[][];
  readonly #next: number[];

  constructor(blocks: readonly Place[][]) {
    this.#blocks = blocks;
    this.#next = blocks.map(() => 0);
  }

  /** The earliest `count` that are left. */
  take(count: number): Place[] {
    const out: Place[] = [];
    while (out.length < count) {
      const place = this.#earliest();
      if (place === undefined) break;
      out.push(place);
    }
    return out;
  }

  #earliest(): Place | undefined {
    let best: Place | undefined;
    let from = 0;
    for (let i = 0; i < this.#blocks.length; i++) {
      const head = this.#blocks[i]![this.#next[i]!];
      if (head === undefined || (best !== undefined && byTime(head, best) >= 0)) continue;
      best = head;
      from = i;
    }
    if (best !== undefined) this.#next[from]!++;
    return best;
  }
}

/** The publications at these places, in their order; what was dropped meanwhile is left out. */
async function fetchPiece(
  room: RoomId,
  piece: readonly Place[],
  records: RecordCalls,
): Promise<Publication[]> {
  const texts = { log: new Map<number, string>(), archive: new Map<number, string>() };
  for (const part of PARTS) {
    const offsets = piece.filter((place) => place.part === part).map(({ offset }) => offset);
    for (const [from, count] of runsOf(offsets.sort((a, b) => a - b))) {
      await fetchRun(room, part, { from, count, records, into: texts[part] });
    }
  }
  const out: Publication[] = [];
  for (const { part, offset } of piece) {
    const json = texts[part].get(offset);
    const publication = json === undefined ? undefined : parsePublication(json);
    if (publication !== undefined && publication.kind !== RECALLED_KIND) out.push(publication);
  }
  return out;
}

async function fetchRun(
  room: RoomId,
  part: RecordPart,
  run: {
    readonly from: number;
    readonly count: number;
    readonly records: RecordCalls;
    readonly into: Map<number, string>;
  },
): Promise<void> {
  const end = run.from + run.count;
  for (let next: number | undefined = run.from; next !== undefined && next < end;) {
    const page = await run.records.page(room, part, next, end - next);
    for (const [offset, json] of page.entries) if (offset < end) run.into.set(offset, json);
    next = page.next;
  }
}

/** Rising offsets as runs without a gap. */
export function runsOf(offsets: readonly number[]): [from: number, count: number][] {
  const runs: [number, number][] = [];
  for (const offset of offsets) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === offset) last[1]++;
    else runs.push([offset, 1]);
  }
  return runs;
}

function byTime(a: Place, b: Place): number {
  if (a.at !== b.at) return a.at - b.at;
  return a.part === b.part ? a.offset - b.offset : a.part === 'log' ? -1 : 1;
}

/** Gives the rest of the process its turn. */
function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(0, resolve));
}
