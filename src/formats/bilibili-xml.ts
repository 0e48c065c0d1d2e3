/**
 * Owns reading Bilibili's XML danmaku files: `<d p="second,mode,size,colour,unix time,pool,user
 * hash,row id">text</d>`. Tolerant where real files are odd (raw markup characters, control
 * characters, unknown entities); what cannot be read is counted. Knows nothing of rooms.
 */

export interface BilibiliComment {
  /** When it appears, milliseconds from the start of the video. */
  readonly atMs: number;
  /** 1-3 scroll, 4 bottom, 5 top, 6 reverse, 7 positioned, 8 code, 9 BAS. */
  readonly mode: number;
  /** 25 is the usual size. */
  readonly size: number;
  /** 0xRRGGBB. */
  readonly color: number;
  /** Hash of the author's account. */
  readonly user: string;
  readonly text: string;
}

export interface BilibiliFile {
  /** In order of their time; those of the same time in the file's order. */
  readonly comments: readonly BilibiliComment[];
  /** Elements that are no comment: no or bad `p`, no end. */
  readonly broken: number;
}

const CDATA = '<![CDATA[';

/** Reads the whole file's text. Takes time linear in its length and never throws. */
export function parseBilibiliXml(xml: string): BilibiliFile {
  const comments: BilibiliComment[] = [];
  let broken = 0;
  let place = 0;
  for (;;) {
    const open = nextElement(xml, place);
    if (open === undefined) break;
    const body = readBody(xml, open);
    place = body.next;
    const comment = body.whole ? commentOf(open.attributes, body.text) : undefined;
    if (comment === undefined) broken++;
    else comments.push(comment);
  }
  comments.sort((a, b) => a.atMs - b.atMs);
  return { comments, broken };
}

interface Opening {
  readonly attributes: string;
  /** Place after the opening tag. */
  readonly end: number;
  readonly isEmpty: boolean;
}

/** The next `<d …>` at or after `from`, passing over XML comments and other elements. */
function nextElement(xml: string, from: number): Opening | undefined {
  let place = from;
  for (;;) {
    const start = xml.indexOf('<', place);
    if (start < 0) return undefined;
    if (xml.startsWith('<!--', start)) {
      const end = xml.indexOf('-->', start + 4);
      if (end < 0) return undefined;
      place = end + 3;
    } else if (opensElement(xml, start)) {
      const end = tagEnd(xml, start + 2);
      if (end === undefined) return { attributes: '', end: xml.length, isEmpty: false };
      const isEmpty = xml[end - 1] === '/';
      const attributes = xml.slice(start + 2, isEmpty ? end - 1 : end);
      return { attributes, end: end + 1, isEmpty };
    } else {
      place = start + 1;
    }
  }
}

function opensElement(xml: string, at: number): boolean {
  return xml[at + 1] === 'd' && /[\s>/]/.test(xml[at + 2] ?? '');
}

function closesElement(xml: string, at: number): boolean {
  return xml.startsWith('</d', at) && /[\s>]/.test(xml[at + 3] ?? '');
}

/** The place of the `>` that ends a tag, quoted ones passed over; undefined when there is none. */
function tagEnd(xml: string, from: number): number | undefined {
  let quote = '';
  for (let place = from; place < xml.length; place++) {
    const char = xml[place] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '>') return place;
  }
  return undefined;
}

interface Body {
  readonly text: string;
  readonly next: number;
  /** False when the file or the next element came before the end. */
  readonly whole: boolean;
}

function readBody(xml: string, open: Opening): Body {
  if (open.isEmpty) return { text: '', next: open.end, whole: true };
  const parts: string[] = [];
  let from = open.end;
  let place = open.end;
  for (;;) {
    const at = xml.indexOf('<', place);
    if (at < 0) return { text: '', next: xml.length, whole: false };
    if (closesElement(xml, at)) {
      parts.push(decodeEntities(xml.slice(from, at)));
      const end = xml.indexOf('>', at);
      return { text: parts.join(''), next: end < 0 ? xml.length : end + 1, whole: end >= 0 };
    }
    if (opensElement(xml, at)) return { text: '', next: at, whole: false };
    if (!xml.startsWith(CDATA, at)) {
      place = at + 1;
      continue;
    }
    parts.push(decodeEntities(xml.slice(from, at)));
    const end = xml.indexOf(']]>', at);
    if (end < 0) return { text: '', next: xml.length, whole: false };
    parts.push(xml.slice(at + CDATA.length, end).replace(/\r\n?/g, '\n'));
    from = end + 3;
    place = from;
  }
}

const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

/** Entities and line ends as XML reads them; an unknown entity stays as it is written. */
export function decodeEntities(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, dec, hex, name) => {
      if (name !== undefined) return NAMED[name as string] ?? (whole as string);
      const code = dec === undefined ? parseInt(hex as string, 16) : Number(dec);
      const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
      return isCharacter ? String.fromCodePoint(code) : '\ufffd';
    });
}

/** Attribute `p` as a comment; undefined when a part of it is missing or out of range. */
function commentOf(attributes: string, text: string): BilibiliComment | undefined {
  const match = /(?:^|\s)p\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(attributes);
  if (match === null) return undefined;
  const parts = decodeEntities(match[1] ?? match[2] ?? '').split(',');
  const [seconds, mode, size, color] = parts.slice(0, 4).map(numberOf);
  const user = parts[6]?.trim() ?? '';
  if (seconds === undefined || mode === undefined) return undefined;
  if (size === undefined || color === undefined) return undefined;
  if (seconds < 0 || seconds > 1e7 || user === '') return undefined;
  if (![mode, size, color].every(Number.isSafeInteger) || mode < 1 || mode > 9) return undefined;
  if (size < 0 || color < 0 || color > 0xffffff) return undefined;
  return { atMs: Math.round(seconds * 1000), mode, size, color, user, text };
}

function numberOf(part: string): number | undefined {
  return /^\s*-?\d+(\.\d+)?(e[+-]?\d+)?\s*$/i.test(part) ? Number(part) : undefined;
}

/**
 * The words of a comment: those inside the JSON array of a positioned one
 * (`["x","y","1-0","5","text",…]`), else the text as it is.
 */
export function wordsOf(comment: BilibiliComment): string {
  if (comment.mode !== 7 || !comment.text.startsWith('[')) return comment.text;
  try {
    const art = JSON.parse(comment.text) as unknown;
    const words: unknown = Array.isArray(art) ? art[4] : undefined;
    return typeof words === 'string' ? words : comment.text;
  } catch {
    return comment.text;
  }
}
