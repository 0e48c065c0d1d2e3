/**
 * Owns who may call: API keys compared as SHA-256 digests in constant time against every key, so
 * that neither a secret's length nor its place in the list shows in the time an answer takes.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface ApiKey {
  readonly id: string;
  readonly secret: string;
}

interface DigestedKey {
  readonly id: string;
  readonly digest: Buffer;
}

/** The key of a secret, or undefined. `equal` is called once for each key, whatever it answers. */
export function matchKey(
  secret: string,
  keys: readonly DigestedKey[],
  equal: (a: Buffer, b: Buffer) => boolean = timingSafeEqual,
): string | undefined {
  const digest = digestOf(secret);
  let found: string | undefined;
  for (const key of keys) {
    if (equal(digest, key.digest)) found = key.id;
  }
  return found;
}

export function digestKeys(keys: readonly ApiKey[]): DigestedKey[] {
  return keys
    .filter((key) => key.secret !== '')
    .map((key) => ({ id: key.id, digest: digestOf(key.secret) }));
}

/** The secret of `Authorization: Bearer …` or `X-API-Key`; undefined when neither is there. */
export function secretOf(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const own = headers['x-api-key'];
  return typeof own === 'string' && own !== '' ? own : undefined;
}

/** The keys in force; digests are made anew only when the configuration gives another list. */
export class KeyRing {
  readonly #keys: () => readonly ApiKey[];
  #seen: readonly ApiKey[] | undefined;
  #digested: readonly DigestedKey[] = [];

  constructor(keys: () => readonly ApiKey[]) {
    this.#keys = keys;
  }

  /** The id of the key the headers carry, or undefined. */
  find(headers: IncomingHttpHeaders): string | undefined {
    const keys = this.#keys();
    if (keys !== this.#seen) {
      this.#seen = keys;
      this.#digested = digestKeys(keys);
    }
    return matchKey(secretOf(headers) ?? '', this.#digested);
  }
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
