/** The program of a thread: makes the filter of the list files it is given, hands it over and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { asBarrageError } from '../errors.js';
import { readWordLists } from '../words-filter/list-files.js';
import type { WordFilterParts } from '../words-filter/word-filter.js';

/** What comes back from the thread. */
export type WordListsMade =
  | { readonly parts: WordFilterParts; readonly problem?: never }
  | { readonly problem: string; readonly parts?: never };

try {
  const { parts } = readWordLists(workerData as readonly string[]);
  const { firstChild, labels, fails, found, root } = parts.automaton;
  const arrays = [parts.ends, parts.ranks, parts.lengths, firstChild, labels, fails, found, root];
  const buffers = arrays.map(({ buffer }) => buffer as ArrayBuffer);
  parentPort?.postMessage({ parts } satisfies WordListsMade, buffers);
} catch (error) {
  parentPort?.postMessage({ problem: asBarrageError(error).message } satisfies WordListsMade);
}
