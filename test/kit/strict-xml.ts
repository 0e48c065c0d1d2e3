/**
 * Well-formedness of XML 1.0 as far as danmaku files need it: one root, matched tags, quoted and
 * unique attributes, known entities, allowed characters. Throws at the first flaw.
 */

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

const NAME = '[A-Za-z_][A-Za-z0-9_.-]*';
const ENTITY = '&(?:amp|lt|gt|quot|apos);';
const TOKEN = new RegExp(
  [
    `<(?<open>${NAME})(?<attributes>(?:\\s+${NAME}="(?:[^<&"]|${ENTITY})*")*)\\s*>`,
    `</(?<close>${NAME})\\s*>`,
    `(?<text>(?:[^<>&]|${ENTITY})+)`,
  ].join('|'),
  'y',
);
const PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n';
// eslint-disable-next-line no-control-regex
const NOT_A_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const MARKS: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

/** The elements under the root, in order, each with its own text. */
export function scanXml(xml: string): XmlElement[] {
  if (!xml.startsWith(PROLOG)) throw new Error('no XML declaration');
  const wrong = NOT_A_CHARACTER.exec(xml);
  if (wrong !== null) throw new Error(`a character XML forbids at ${wrong.index}`);
  const open: XmlElement[] = [];
  const out: XmlElement[] = [];
  let roots = 0;
  TOKEN.lastIndex = PROLOG.length;
  while (TOKEN.lastIndex < xml.length) {
    const place = TOKEN.lastIndex;
    const groups = TOKEN.exec(xml)?.groups;
    if (groups === undefined) throw new Error(`no markup and no text at ${place}`);
    const { open: name, close, text, attributes } = groups;
    if (name !== undefined) {
      if (open.length === 0 && roots++ > 0) throw new Error(`a second root at ${place}`);
      const element = { name, attributes: attributesOf(attributes ?? ''), text: '' };
      if (open.length > 0) out.push(element);
      open.push(element);
    } else if (close !== undefined) {
      if (open.pop()?.name !== close) throw new Error(`</${close}> closes nothing at ${place}`);
    } else if (open.length > 0) open.at(-1)!.text += decode(text!);
    else if (text!.trim() !== '') throw new Error(`text outside the root at ${place}`);
  }
  if (open.length > 0 || roots === 0) throw new Error('the root is not closed');
  return out;
}

function attributesOf(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([^\s=]+)="([^"]*)"/g)) {
    if (name in out) throw new Error(`attribute ${name} twice`);
    out[name] = decode(value);
  }
  return out;
}

function decode(text: string): string {
  return text.replace(/&(\w+);/g, (_, name: string) => MARKS[name]!);
}
