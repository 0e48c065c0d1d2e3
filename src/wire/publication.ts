/**
 * Owns the JSON text of a publication. The text made here is the text in the log, on the bus and on
 * the socket: it is never parsed again on the way down.
 */
import fastJson from 'fast-json-stringify';
import { encodeTarget, joinLogged, parseTarget, splitLogged } from '../target.js';
import type { Publication } from '../words.js';
import { PublicationSchema } from './schema.js';

const stringify = fastJson(PublicationSchema as unknown as fastJson.Schema);

/** One line of JSON without line breaks, `id` first. */
export function encodePublication(publication: Publication): string {
  return stringify(publication);
}

/** The text for the log: the publication's own, and its target beside it when it has one. */
export function encodeLogged(publication: Publication): string {
  const { to } = publication;
  return joinLogged(stringify(publication), to === undefined ? undefined : encodeTarget(to));
}

/**
 * The publication of a text made by `encodePublication` or `encodeLogged`; for tools and stores, not
 * the hot path.
 */
export function parsePublication(text: string): Publication {
  const { json, target } = splitLogged(text);
  const publication = JSON.parse(json) as Publication;
  if (target === undefined) return publication;
  // A target that cannot be read is nobody: never everyone.
  return { ...publication, to: parseTarget(target) ?? { users: [] } };
}
