/**
 * Owns making foreign text safe to print on a terminal, one line: whatever a terminal would obey or
 * reorder by (control, escape, bidirectional and invisible characters) is shown as `\u{…}`.
 */

/**
 * C0 and C1 controls (escape sequences, line breaks), bidirectional marks and overrides (Trojan
 * Source, CVE-2021-42574), line separators, invisible joiners other than those emoji need (U+200D),
 * tags, byte order marks, interlinear annotations.
 */
const OBEYED = new RegExp(
  '[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b\\u200c\\u200e\\u200f' +
    '\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]',
  'gu',
);

/** The text on one line with nothing in it that a terminal would obey; lone surrogates replaced. */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(OBEYED, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/** `printable`, at most `charactersMax` long; a cut is shown by `…`. */
export function printableStart(text: string, charactersMax: number): string {
  const safe = printable(text);
  return safe.length <= charactersMax ? safe : `${safe.slice(0, charactersMax).toWellFormed()}…`;
}
