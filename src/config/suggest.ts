/** Owns guessing what a misspelt name was meant to be. The only importer of fastest-levenshtein. */
import { closest, distance } from 'fastest-levenshtein';

/** The known name nearest to `name`; undefined when none is known. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  return known.length === 0 ? undefined : closest(name, known);
}

/** Whether the two are so close that one is probably a slip of the other. */
export function isSlip(name: string, known: string): boolean {
  const allowed = Math.ceil(Math.max(name.length, known.length) / 3);
  return distance(name.toLowerCase(), known.toLowerCase()) <= allowed;
}
