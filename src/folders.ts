/** Owns making folders. Knows nothing of what is kept in them. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it. As mkdir's own `recursive`, which in Node 20 never ends where a
 * parent takes no folders (/proc). Throws what mkdir throws.
 */
export function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  try {
    mkdirSync(folder);
  } catch (error) {
    const parent = dirname(folder);
    const isMissing = (error as { code?: unknown }).code === 'ENOENT';
    if (!isMissing || statSync(parent, { throwIfNoEntry: false }) !== undefined) throw error;
    makeFolder(parent);
    mkdirSync(folder);
  }
}
