/**
 * Owns how a received line reads on a terminal, and keeping the viewer's place: what is new, what is
 * a repeat, what is missing. Everything from outside is made printable. Knows no socket.
 */
import { printable, printableStart } from '../formats/printable.js';
import type { Position } from '../words.js';
import { Repeats } from './acks.js';
import type { WireLine } from './viewer-link.js';

const DATA_CHARACTERS_MAX = 200;
const KIND_WIDTH = 8;

/** What one `tail` has seen of its room. */
export interface TailPlace {
  position: Position | undefined;
  /** Danmaku the room let go under load. */
  shed: number;
  /** Keepable publications that never came. */
  missed: number;
  readonly repeats: Repeats;
}

export function newPlace(): TailPlace {
  return { position: undefined, shed: 0, missed: 0, repeats: new Repeats() };
}

/** The lines to print for a received line; moves `place` on. */
export function readableLines(line: WireLine, place: TailPlace): string[] {
  switch (line.type) {
    case 'frame':
      return frameLines(line, place);
    case 'joined':
      return joinedLines(line, place);
    case 'welcome':
      return [`-- connected to ${word(line['edge'])} as ${word(line['viewer'])}`];
    case 'error':
      return [`-- error ${word(line['code'])}: ${word(line['message'])}`];
    case 'bye':
      return [`-- bye ${word(line['code'])} ${word(line['reason'])}`];
    case 'pong':
      return [];
    default:
      return [`-- ${printableStart(JSON.stringify(line), 500)}`];
  }
}

function joinedLines(line: WireLine, place: TailPlace): string[] {
  const before = place.position;
  const position = { epoch: numberOf(line['epoch']), offset: numberOf(line['offset']) };
  const room = `${word(line['room'])}: ${word(line['online'])} online, at #${position.offset}`;
  const lines = [`-- joined ${room}${resumeWords(line, before)}`];
  const known = before?.offset ?? -1;
  const publications = objectsOf(line['publications']);
  const fresh = newOf(
    publications.filter(({ offset }) => typeof offset !== 'number' || offset > known),
    place,
  );
  if (before !== undefined && line['recovered'] !== true) {
    const held = fresh.filter(({ offset }) => typeof offset === 'number').length;
    const missed = Math.max(0, position.offset - before.offset - held);
    place.missed += missed;
    if (missed > 0)
      lines.push(`-- gap: ${missed} of #${before.offset + 1}-${position.offset} missed`);
  }
  place.position = position;
  return [...lines, ...fresh.map(publicationLine)];
}

function resumeWords(line: WireLine, before: Position | undefined): string {
  if (before === undefined) return '';
  return line['recovered'] === true ? `, resumed from #${before.offset}` : ', not resumed';
}

function frameLines(line: WireLine, place: TailPlace): string[] {
  const all = objectsOf(line['publications']);
  const lines: string[] = [];
  // Offsets count every publication of a frame; what was here before is not shown again.
  const publications = line['class'] === 'keep' ? all : newOf(all, place);
  if (line['class'] === 'keep') lines.push(...keepLines(line, publications, place));
  else lines.push(...publications.map(publicationLine));
  const shed = numberOf(line['shed']);
  place.shed += shed;
  if (shed > 0) lines.push(`-- shed ${shed} (${place.shed} in all)`);
  return lines;
}

function keepLines(line: WireLine, publications: readonly Fields[], place: TailPlace): string[] {
  const [epoch, first] = [numberOf(line['epoch']), numberOf(line['offset'])];
  const before = place.position;
  const last = first + publications.length - 1;
  if (before !== undefined && epoch < before.epoch) return ['-- a frame of an older owner ignored'];
  const known = before?.offset ?? first - 1;
  const lines: string[] = [];
  // What lies from `from` up to the frame and is not here was meant for others.
  const from = typeof line['from'] === 'number' ? line['from'] : first;
  if (from > known + 1) {
    place.missed += from - known - 1;
    lines.push(`-- gap: #${known + 1}-${from - 1} missed`);
  }
  const fresh = newOf(
    publications.filter((_, index) => first + index > known),
    place,
  );
  place.position = { epoch, offset: Math.max(known, last) };
  return [...lines, ...fresh.map(publicationLine)];
}

function newOf(publications: readonly Fields[], { repeats }: TailPlace): readonly Fields[] {
  return publications.filter((publication) => !repeats.isRepeat(publication));
}

type Fields = Readonly<Record<string, unknown>>;

function publicationLine(publication: Fields): string {
  const { at, kind, offset, text, count, data, style } = publication;
  const parts = [
    timeOf(at),
    word(kind).padEnd(KIND_WIDTH),
    typeof offset === 'number' ? `#${offset}` : '',
    speakerOf(publication['user']),
    typeof text === 'string' ? printable(text) : '',
    typeof count === 'number' ? `×${count}` : '',
    modeOf(style),
    data === undefined ? '' : printableStart(JSON.stringify(data), DATA_CHARACTERS_MAX),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** UTC, to the second. */
function timeOf(at: unknown): string {
  const time = new Date(typeof at === 'number' ? at : Number.NaN);
  return Number.isNaN(time.getTime()) ? '--:--:--' : time.toISOString().slice(11, 19);
}

function speakerOf(user: unknown): string {
  if (typeof user !== 'object' || user === null) return '';
  const { id, name } = user as Fields;
  return name === undefined ? `${word(id)}:` : `${word(name)} (${word(id)}):`;
}

function modeOf(style: unknown): string {
  const mode = (style as { mode?: unknown } | null | undefined)?.mode;
  return mode === 'top' || mode === 'bottom' ? `[${mode}]` : '';
}

function word(value: unknown): string {
  if (value === undefined || value === null) return '?';
  return printableStart(typeof value === 'string' ? value : JSON.stringify(value), 300);
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function objectsOf(value: unknown): Fields[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Fields => typeof item === 'object' && item !== null);
}
