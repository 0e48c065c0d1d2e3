/**
 * Owns reading the JSON texts of a power's records; one that cannot be read is named in the error.
 */
import { BarrageError } from '../../src/errors.js';
import type { RawRecords } from './power.js';

/** The value of one record; undefined when there is none. Throws BarrageError `store_failed`. */
export function readRecord<T>(records: RawRecords, name: string): T | undefined {
  const json = records.get(name);
  if (json === undefined) return undefined;
  try {
    const value = JSON.parse(json) as T | null;
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below, with the record's name.
  }
  throw new BarrageError('store_failed', `the record "${name}" is unreadable`);
}

/** The values of all records under a prefix, by what follows it. */
export function readRecords<T>(records: RawRecords, prefix: string): Map<string, T> {
  const out = new Map<string, T>();
  for (const name of records.keys()) {
    if (!name.startsWith(prefix)) continue;
    const value = readRecord<T>(records, name);
    if (value !== undefined) out.set(name.slice(prefix.length), value);
  }
  return out;
}
