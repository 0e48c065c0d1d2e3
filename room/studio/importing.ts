/**
 * Owns reading a recording that was made elsewhere into publications of a room's past, while it
 * comes in: what cannot be read is counted and named by its line. Knows no HTTP and no store.
 */
import { asBarrageError } from '../../src/errors.js';
import { styleOf } from '../../src/formats/bilibili-style.js';
import { parseBilibiliXml, wordsOf, type BilibiliComment } from '../../src/formats/bilibili-xml.js';
import { JSON_LINE_CHARACTERS_MAX, parseLine } from '../../src/formats/json-lines.js';
import type { Recorded } from '../../src/formats/recorded.js';
import { parseUserId } from '../../src/ids.js';
import { TEXT_BYTES_HARD_MAX, TEXT_CHARACTERS_HARD_MAX } from '../../src/limits.js';
import { contentFlaw } from '../../src/wire/commands.js';

export const IMPORT_FORMATS = ['xml', 'jsonl'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface ImportFlaw {
  /** Line of the file, from 1; of XML the first line of the part it is in. */
  readonly line: number;
  readonly rule: string;
}

/** Flaws told one by one; the others are counted. */
export const FLAWS_TOLD_MAX = 20;
/** Modes of Bilibili that are programs, not text. */
const CODE_MODE_MIN = 8;
/** XML is read in parts of about this; a comment longer than that is none. */
const XML_PART_CHARACTERS = 256 * 1024;

export class ImportReader {
  readonly flaws: ImportFlaw[] = [];
  skipped = 0;
  readonly #format: ImportFormat;
  readonly #startMs: number;
  readonly #newId: () => string;
  #rest = '';
  #line = 1;

  /** `startMs` is the stream's start, unix ms; `newId` names what has no id of its own. */
  constructor(format: ImportFormat, startMs: number, newId: () => string) {
    this.#format = format;
    this.#startMs = startMs;
    this.#newId = newId;
  }

  /** The publications that are whole with this piece of text. */
  take(text: string): Recorded[] {
    this.#rest += text;
    return this.#format === 'jsonl' ? this.#lines() : this.#elements(false);
  }

  /** What the end of the text makes whole. */
  end(): Recorded[] {
    if (this.#format === 'xml') return this.#elements(true);
    this.#rest += '\n';
    return this.#lines();
  }

  #lines(): Recorded[] {
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop()!;
    const out: Recorded[] = [];
    for (const line of lines) {
      const number = this.#line++;
      if (line.trim() === '') continue;
      const recorded = this.#tried(line, number);
      if (recorded !== undefined) out.push(recorded);
    }
    if (this.#rest.length > JSON_LINE_CHARACTERS_MAX) {
      this.#skip(this.#line, `maxLength ${JSON_LINE_CHARACTERS_MAX}`);
      // The line's end has yet to come; until then it stays one that is too long.
      this.#rest = this.#rest.slice(0, JSON_LINE_CHARACTERS_MAX);
    }
    return out;
  }

  #tried(line: string, number: number): Recorded | undefined {
    try {
      const recorded = parseLine(line, number, this.#startMs);
      if (recorded.at >= 0 && Number.isSafeInteger(recorded.at)) return recorded;
      this.#skip(number, 't: within the time after 1970');
    } catch (error) {
      const { field = '', rule = 'a publication' } = asBarrageError(error);
      const path = field.replace(/^line \d+(: )?/, '');
      this.#skip(number, path === '' ? rule : `${path}: ${rule}`);
    }
    return undefined;
  }

  #elements(isEnd: boolean): Recorded[] {
    const cut = isEnd ? this.#rest.length : cutOf(this.#rest);
    if (cut === 0) {
      if (this.#rest.length > XML_PART_CHARACTERS) this.#giveUp();
      return [];
    }
    const part = this.#rest.slice(0, cut);
    this.#rest = this.#rest.slice(cut);
    const { comments, broken } = parseBilibiliXml(part);
    for (let i = 0; i < broken; i++) this.#skip(this.#line, 'an element with p and an end');
    const out: Recorded[] = [];
    for (const comment of comments) {
      const recorded = this.#ofComment(comment);
      if (recorded !== undefined) out.push(recorded);
    }
    this.#line += linesIn(part);
    return out;
  }

  #ofComment(comment: BilibiliComment): Recorded | undefined {
    const text = wordsOf(comment);
    const user = parseUserId(comment.user);
    const rule = comment.mode >= CODE_MODE_MIN ? 'mode: a text' : textFlaw(text);
    if (user === undefined || rule !== undefined) {
      this.#skip(this.#line, rule ?? 'user: a hash');
      return undefined;
    }
    const at = this.#startMs + comment.atMs;
    return {
      at,
      id: this.#newId(),
      kind: 'danmaku',
      user: { id: user },
      text,
      style: styleOf(comment),
    };
  }

  /** A part this long without an end is no comment of anyone. */
  #giveUp(): void {
    this.#skip(this.#line, 'an element with p and an end');
    this.#line += linesIn(this.#rest);
    this.#rest = '';
  }

  #skip(line: number, rule: string): void {
    this.skipped++;
    if (this.flaws.length < FLAWS_TOLD_MAX) this.flaws.push({ line, rule });
  }
}

/** After the last whole element that is not inside of CDATA or a comment. */
function cutOf(xml: string): number {
  let end = xml.lastIndexOf('</d>');
  for (const [open, close] of [
    ['<![CDATA[', ']]>'],
    ['<!--', '-->'],
  ] as const) {
    const opened = xml.lastIndexOf(open, end);
    if (end >= 0 && opened >= 0 && xml.indexOf(close, opened) === -1) {
      end = xml.lastIndexOf('</d>', opened);
    }
  }
  return end < 0 ? 0 : end + '</d>'.length;
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

function textFlaw(text: string): string | undefined {
  const flaw = contentFlaw({ text });
  if (flaw !== undefined) return `text: ${flaw.rule}`;
  if (Array.from(text).length > TEXT_CHARACTERS_HARD_MAX) {
    return `text: maxLength ${TEXT_CHARACTERS_HARD_MAX}`;
  }
  return Buffer.byteLength(text) > TEXT_BYTES_HARD_MAX
    ? `text: maxBytes ${TEXT_BYTES_HARD_MAX}`
    : undefined;
}
