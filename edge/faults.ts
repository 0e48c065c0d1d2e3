/**
 * Owns what becomes of an error nobody expected in a callback: counted always, logged once a kind,
 * never passed on. One viewer's bad luck must not end the others.
 */
import type { Log } from '../src/ports/log.js';
import type { EdgeMeters } from './meters.js';

const KINDS_MAX = 200;

/** Reports an error of the place `where`. Never throws. */
export function faultReporter(
  log: Log,
  meters: EdgeMeters,
): (where: string, error: unknown) => void {
  const told = new Set<string>();
  return (where, error) => {
    meters.faults.add();
    const message = error instanceof Error ? error.message : String(error);
    const kind = `${where} ${message.slice(0, 100)}`;
    if (told.has(kind) || told.size >= KINDS_MAX) return;
    told.add(kind);
    const stack = error instanceof Error ? error.stack : undefined;
    log.error('a callback failed; further ones like it are only counted', {
      where,
      message,
      stack,
    });
  };
}
