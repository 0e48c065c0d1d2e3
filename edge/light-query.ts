/**
 * Owns reading a few values out of a query string without taking all of it apart: most of what comes
 * here is a poll's cursor. What holds escapes is left to the platform. The same answers as
 * URLSearchParams.
 */
import type { Query } from './viewer-server.js';

export class LightQuery implements Query {
  readonly #text: string;
  #whole: URLSearchParams | undefined;

  /** `text` without the question mark; the library has none where there is none. */
  constructor(text: string | undefined = '') {
    this.#text = text;
    if (text.includes('%') || text.includes('+')) this.#whole = new URLSearchParams(text);
  }

  get(name: string): string | null {
    if (this.#whole !== undefined) return this.#whole.get(name);
    const text = this.#text;
    for (let from = 0; from < text.length;) {
      const next = text.indexOf('&', from);
      const end = next < 0 ? text.length : next;
      if (text.startsWith(name, from)) {
        const at = from + name.length;
        if (at === end && end > from) return '';
        if (at < end && text[at] === '=') return text.slice(at + 1, end);
      }
      from = end + 1;
    }
    return null;
  }
}
