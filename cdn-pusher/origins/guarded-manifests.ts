/**
 * Owns the rule that an older epoch's manifest never replaces a newer one's, at origins reached by
 * HTTP: by `If-Match` where the origin honours it (tried once), else by reading before each write. In
 * the second case two writers within one round trip can still cross; the next manifest of the newer
 * one heals that, and viewers never go back in epochs.
 */
import { BarrageError } from '../../src/errors.js';
import type { OriginFile } from '../origin.js';
import { isOlderThan } from './epoch.js';

export interface Condition {
  /** Only over the file with this tag. */
  readonly ifMatch?: string;
  /** Only when there is none. */
  readonly ifAbsent?: true;
}

export interface ManifestAccess {
  read(
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly tag: string | undefined } | undefined>;
  /** The new tag if the origin tells it; `changed` when the condition does not hold. */
  write(
    name: string,
    file: OriginFile,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<{ readonly tag: string | undefined } | 'changed'>;
}

/** Written again and again with a condition that cannot hold, to learn whether that is heard. */
const PROBE_NAME = 'probe.json';
const PROBE_TAG = '"00000000000000000000000000000000"';
const TRIES = 3;
/** Tags remembered; one that is not costs a read. */
const TAGS_MAX = 10_000;

export class GuardedManifests {
  readonly #access: ManifestAccess;
  readonly #tags = new Map<string, string>();
  #isConditional: Promise<boolean> | undefined;

  constructor(access: ManifestAccess) {
    this.#access = access;
  }

  async put(
    name: string,
    file: OriginFile,
    epoch: number,
    signal: AbortSignal,
  ): Promise<'written' | 'fenced'> {
    const isConditional = await this.#learn(file, signal);
    for (let tries = 0; tries < TRIES; tries++) {
      let tag = isConditional ? this.#tags.get(name) : undefined;
      if (tag === undefined) {
        const current = await this.#access.read(name, signal);
        if (current !== undefined && isOlderThan(epoch, current.bytes)) return 'fenced';
        tag = current === undefined ? '' : current.tag;
      }
      const written = await this.#access.write(name, file, conditionOf(isConditional, tag), signal);
      this.#tags.delete(name);
      if (written === 'changed') continue;
      if (isConditional && written.tag !== undefined) this.#remember(name, written.tag);
      return 'written';
    }
    throw new BarrageError('conflict', `${name} changed under each of ${TRIES} writes`);
  }

  #remember(name: string, tag: string): void {
    if (this.#tags.size >= TAGS_MAX) this.#tags.clear();
    this.#tags.set(name, tag);
  }

  #learn(file: OriginFile, signal: AbortSignal): Promise<boolean> {
    this.#isConditional ??= this.#probe(file, signal).catch((error: unknown) => {
      this.#isConditional = undefined;
      throw error;
    });
    return this.#isConditional;
  }

  async #probe(file: OriginFile, signal: AbortSignal): Promise<boolean> {
    const probe = { ...file, bytes: Buffer.from('{}\n'), compressed: [] };
    await this.#access.write(PROBE_NAME, probe, {}, signal);
    const again = await this.#access.write(PROBE_NAME, probe, { ifMatch: PROBE_TAG }, signal);
    return again === 'changed';
  }
}

/** `tag` is '' when there is no file, undefined when the origin gives none. */
function conditionOf(isConditional: boolean, tag: string | undefined): Condition {
  if (!isConditional || tag === undefined) return {};
  return tag === '' ? { ifAbsent: true } : { ifMatch: tag };
}
