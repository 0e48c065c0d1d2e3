/**
 * Owns what a viewer answers to publications that are to be acknowledged, and which of them it has
 * had before. Knows no socket.
 */
import type { WireLine } from './viewer-link.js';

/** Ids remembered to tell repeats. */
const IDS_MAX = 1000;
/** Ids in one command (src/wire/schema.ts). */
const IDS_AT_ONCE = 100;

/** The commands that acknowledge what a line brought. */
export function acksOf(line: WireLine): readonly WireLine[] {
  const ids = ackedIds(line);
  const commands: WireLine[] = [];
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
    const room = line['room'] === undefined ? {} : { room: line['room'] };
    commands.push({ type: 'ack', ...room, ids: ids.slice(at, at + IDS_AT_ONCE) });
  }
  return commands;
}

/** Tells what is sent again from what is new. */
export class Repeats {
  readonly #ids = new Set<string>();

  /** Whether the publication, to be acknowledged, was here before; remembers it. */
  isRepeat(publication: Readonly<Record<string, unknown>>): boolean {
    const { id, ack } = publication;
    if (ack !== true || typeof id !== 'string') return false;
    if (this.#ids.has(id)) return true;
    this.#ids.add(id);
    if (this.#ids.size > IDS_MAX) this.#ids.delete(this.#ids.values().next().value!);
    return false;
  }
}

function ackedIds(line: WireLine): string[] {
  if (line.type !== 'frame' && line.type !== 'joined') return [];
  const { publications } = line;
  if (!Array.isArray(publications)) return [];
  return (publications as unknown[]).flatMap((each) => {
    const { id, ack } = (each ?? {}) as { id?: unknown; ack?: unknown };
    return ack === true && typeof id === 'string' ? [id] : [];
  });
}
