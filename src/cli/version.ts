/** Owns the version: that of the package.json above this file, in sources and in the build alike. */
import { readFileSync } from 'node:fs';

export function readVersion(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
      if (name === 'barrage' && typeof version === 'string') return version;
    } catch {
      // The next folder up.
    }
  }
  return 'unknown';
}
