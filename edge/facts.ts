/**
 * Owns the facts of a room that who joins is shown (attributes and the like): JSON texts as the room
 * made them, put together once for all who join between two changes. Never parses them.
 */
import type { Fact, FactChange } from '../src/wire/internal.js';

/** What stands for those that there are none of. */
const ALWAYS: Readonly<Record<string, string>> = { attributes: '{}', cdn: 'null' };

export class Facts {
  readonly #facts = new Map<string, string | Map<string, string>>();
  #text: string | undefined;

  constructor(facts: readonly Fact[] = []) {
    this.apply(facts);
  }

  /** Takes all anew, as from a newer snapshot. */
  replace(facts: readonly Fact[] = []): void {
    this.#facts.clear();
    this.apply(facts);
  }

  apply(changes: readonly FactChange[]): void {
    this.#text = undefined;
    for (const [name, key, json] of changes) {
      const held = this.#facts.get(name);
      if (key === null) {
        if (json === null) this.#facts.delete(name);
        else this.#facts.set(name, json);
      } else if (held instanceof Map) {
        if (json === null) held.delete(key);
        else held.set(key, json);
      } else if (json !== null) {
        this.#facts.set(name, new Map([[key, json]]));
      }
    }
  }

  /** One fact as a JSON text; undefined when there is none of the name. */
  json(name: string): string | undefined {
    const held = this.#facts.get(name);
    if (held === undefined || typeof held === 'string') return held;
    const members = [...held].map(([key, json]) => `${JSON.stringify(key)}:${json}`);
    return `{${members.join(',')}}`;
  }

  /** One name's facts, with its version when it has one, as a JSON object. */
  answer(name: string): string {
    const version = this.json(`${name}Version`);
    const more = version === undefined ? '' : `,${JSON.stringify(`${name}Version`)}:${version}`;
    return `{${JSON.stringify(name)}:${this.json(name) ?? '{}'}${more}}`;
  }

  /** All of them as members of a JSON object, without its braces; some are always there. */
  get text(): string {
    this.#text ??= [...new Set([...Object.keys(ALWAYS), ...this.#facts.keys()])]
      .map((name) => `${JSON.stringify(name)}:${this.json(name) ?? ALWAYS[name]}`)
      .join(',');
    return this.#text;
  }
}
