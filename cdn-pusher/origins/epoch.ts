/** Owns the reading of the epoch of a manifest at an origin; one that cannot be read fences nobody. */
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';

/** The manifest, or undefined for bytes that are none. */
export function readManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    return decodeManifest(bytes);
  } catch {
    return undefined;
  }
}

/** Whether who writes under `epoch` has been replaced by who wrote `current`. */
export function isOlderThan(epoch: number, current: Uint8Array): boolean {
  const manifest = readManifest(current);
  return manifest !== undefined && manifest.epoch > epoch;
}
