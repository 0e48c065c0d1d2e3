/**
 * Owns writing Bilibili's XML danmaku files, what src/formats/bilibili-xml.ts reads. Only what has a
 * text is written; how many a publication stands for goes into an attribute of its own.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Style } from '../words.js';
import { Chunk, type Recorded, type RecordedSource, type WrittenCounts } from './recorded.js';

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<i>\n<source>barrage</source>\n';
const TAIL = '</i>\n';
const MODES = { scroll: 1, bottom: 4, top: 5 } as const;
const SIZE = 25;
const WHITE = 0xffffff;

/** What XML 1.0 forbids or discourages: controls but tab and line feed, and non-characters. */
// eslint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/g;
const markup = /[&<>"]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/**
 * The file in chunks of text; `startMs` is the stream's start, unix ms, and what is older stands at
 * second 0. Returns the counts.
 */
export async function* writeBilibiliXml(
  source: RecordedSource,
  startMs: number,
): AsyncGenerator<string, WrittenCounts, void> {
  const chunk = new Chunk();
  chunk.add(HEAD);
  let written = 0;
  let textless = 0;
  for await (const one of source) {
    const line = lineOf(one, startMs);
    if (line === undefined) {
      textless++;
      continue;
    }
    written++;
    const full = chunk.add(line);
    if (full !== undefined) yield full;
  }
  chunk.add(TAIL);
  yield chunk.take();
  return { written, textless, crowded: 0 };
}

/** Undefined when there is nothing to show. */
function lineOf(one: Recorded, startMs: number): string | undefined {
  const text = (one.text ?? '').toWellFormed().replace(forbidden, '');
  if (text === '') return undefined;
  const { mode = 'scroll', size = SIZE, color }: Style = one.style ?? {};
  const p = [
    (Math.max(0, one.at - startMs) / 1000).toFixed(3),
    MODES[mode],
    size,
    color === undefined ? WHITE : parseInt(color.slice(1), 16),
    Math.floor(one.at / 1000),
    0,
    userHash(one.user?.id ?? ''),
    rowId(one.id),
  ].join();
  const count = one.count === undefined || one.count === 1 ? '' : ` count="${one.count}"`;
  return `<d p="${p}"${count}>${escapeMarkup(text)}</d>\n`;
}

function escapeMarkup(text: string): string {
  return text.replace(markup, (char) => ENTITIES[char]!);
}

/** As Bilibili does with an account's number: CRC-32 (IEEE) of its text, hexadecimal, not padded. */
export function userHash(user: string): string {
  return crc32(user).toString(16);
}

/** A row number of 48 bits, the same for a publication in every file. */
function rowId(id: string): number {
  return createHash('sha256').update(id).digest().readUIntBE(0, 6);
}
