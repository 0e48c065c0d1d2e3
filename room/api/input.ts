/**
 * Owns what schemas cannot say of a studio's input: well-formed strings anywhere, printable text,
 * bounded data, kinds that are the room's own; and the fingerprint by which a repeat is known.
 */
import { createHash } from 'node:crypto';
import {
  COMBO_KIND,
  EMOJI_KIND,
  ATTRIBUTES_KIND,
  POLL_KIND,
  QUEUE_KIND,
  RECALL_KIND,
  RECALLED_KIND,
  ROOM_KIND,
  VOTE_KIND,
} from '../../src/words.js';
import { contentFlaw } from '../../src/wire/commands.js';
import type { Draft } from '../calls/calls.js';
import { invalid } from './errors.js';

const OWN_KINDS: readonly string[] = [
  COMBO_KIND,
  EMOJI_KIND,
  ...[RECALL_KIND, RECALLED_KIND, ROOM_KIND],
  ...[ATTRIBUTES_KIND, QUEUE_KIND, POLL_KIND, VOTE_KIND],
];

/** Path of the first string or name that is not well-formed Unicode. Any depth, no recursion. */
export function illFormedPath(input: unknown): string | undefined {
  const waiting: [path: string, value: unknown][] = [['', input]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [path, value] = next;
    if (typeof value === 'string' && !value.isWellFormed()) return path;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      const place = path === '' ? name : `${path.slice(0, 80)}.${name}`;
      if (!name.isWellFormed()) return path;
      waiting.push([place, inner]);
    }
  }
  return undefined;
}

/** Throws `invalid` naming field and rule when the draft breaks what its schema cannot say. */
export function checkDraft(draft: Draft): void {
  if (OWN_KINDS.includes(draft.kind)) throw invalid('kind', "not one of the room's own kinds");
  const path = illFormedPath(draft);
  if (path !== undefined) throw invalid(path, 'well-formed Unicode');
  const flaw = contentFlaw(draft);
  if (flaw !== undefined) throw invalid(flaw.field, flaw.rule);
}

/** SHA-256 of the draft as JSON with names in order, so that the order of fields is no difference. */
export function fingerprintOf(draft: Draft): string {
  return createHash('sha256').update(canonicalJson(draft)).digest('base64url');
}

/** JSON text with the names of every object in order of their code units. Depth must be bounded. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`);
  return `{${fields.join(',')}}`;
}

/** A body by the name of what it is: JSON has no undefined, so an optional field is there or not. */
export function asGiven<T>(body: object): T {
  return body as T;
}
