/**
 * Owns making one filter of several list files: read whole, bounded together, and errors that name
 * file and line. Runs where reading and building may take time.
 */
import { readFileSync, statSync } from 'node:fs';
import { BarrageError } from '../errors.js';
import type { WordFilter } from './word-filter.js';
import { parseWordList, WORD_LIST_BYTES_MAX } from './word-list.js';

const LINE_BREAK = Buffer.from('\n');

/** Throws BarrageError `config` naming the file, and the line where there is one. */
export function readWordLists(files: readonly string[]): WordFilter {
  const parts: Buffer[] = [];
  const starts: number[] = [];
  let lines = 0;
  let bytes = 0;
  for (const file of files) {
    const content = readList(file, WORD_LIST_BYTES_MAX - bytes);
    starts.push(lines);
    parts.push(content, LINE_BREAK);
    lines += countLines(content) + 1;
    bytes += content.byteLength + 1;
  }
  try {
    return parseWordList(Buffer.concat(parts));
  } catch (error) {
    throw named(error, files, starts);
  }
}

function readList(file: string, bytesMax: number): Buffer {
  try {
    if (statSync(file).size >= bytesMax) {
      throw new BarrageError('too_large', `the lists are more than ${WORD_LIST_BYTES_MAX} bytes`);
    }
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw refusal(file, code === 'ENOENT' ? 'there is no such file' : message);
  }
}

function countLines(content: Buffer): number {
  let lines = 0;
  for (let at = content.indexOf(0x0a); at >= 0; at = content.indexOf(0x0a, at + 1)) lines++;
  return lines;
}

/** The error with the place in its own file: the lists were read as one. */
function named(error: unknown, files: readonly string[], starts: readonly number[]): BarrageError {
  if (!(error instanceof BarrageError)) throw error;
  const line = Number(/^line (\d+)$/.exec(error.field ?? '')?.[1] ?? 0);
  const place = starts.findLastIndex((start) => start < line);
  const file = files[place];
  if (file === undefined) return refusal(files.join(', '), error.message);
  return refusal(`${file}:${line - starts[place]!}`, `must be: ${error.rule ?? error.message}`);
}

function refusal(place: string, why: string): BarrageError {
  return new BarrageError('config', `Word list ${place}: ${why}`, { field: 'words.lists' });
}
