/**
 * Owns the JSON text of a publication. The text made here is the text in the log, on the bus and on
 * the socket: it is never parsed again on the way down.
 */
import fastJson from 'fast-json-stringify';
import type { Publication } from '../words.js';
import { PublicationSchema } from './schema.js';

const stringify = fastJson(PublicationSchema as unknown as fastJson.Schema);

/** One line of JSON without line breaks, `id` first. */
export function encodePublication(publication: Publication): string {
  return stringify(publication);
}

/** The publication of a text made by `encodePublication`; for tools and stores, not the hot path. */
export function parsePublication(json: string): Publication {
  return JSON.parse(json) as Publication;
}
