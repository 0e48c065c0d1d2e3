/**
 * Owns reading tag expressions: `vip && !muted || (host && level3)`, `!` before `&&` before `||`.
 * Bounded recursive descent; refuses with the position. Knows nothing of what they are used for.
 */
import { BarrageError } from '../errors.js';
import { joinTags, type TagExpression } from './tag-expression.js';

export const TAG_EXPRESSION_CHARACTERS_MAX = 512;
/** Open parentheses and negations around a tag. */
export const TAG_EXPRESSION_DEPTH_MAX = 32;
/** Tags named in one expression, repeats included. */
export const TAG_EXPRESSION_TAGS_MAX = 64;
export const TAG_PATTERN = '^[A-Za-z0-9_.:-]{1,64}$';

const TAG_CHARACTERS_MAX = 64;
const tagAt = /[A-Za-z0-9_.:-]+/y;
const spaceAt = /[ \t\r\n]*/y;

/**
 * The expression of a text. Throws BarrageError `invalid` with the rule broken and the position, in
 * UTF-16 code units from 0; `field` is what the caller calls the text.
 */
export function parseTags(text: string, field = 'tags'): TagExpression {
  if (text.length > TAG_EXPRESSION_CHARACTERS_MAX) {
    throw flaw(field, `maxLength ${TAG_EXPRESSION_CHARACTERS_MAX}`);
  }
  const reader = new Reader(text, field);
  const expression = parseOr(reader, 0);
  if (!reader.isAtEnd()) throw reader.flaw('an operator (&&, ||) or the end');
  return expression;
}

class Reader {
  readonly #text: string;
  readonly #field: string;
  #place = 0;
  #tags = 0;

  constructor(text: string, field: string) {
    this.#text = text;
    this.#field = field;
    this.#passSpace();
  }

  isAtEnd(): boolean {
    return this.#place === this.#text.length;
  }

  /** Takes the sign if it stands here. */
  take(sign: string): boolean {
    if (!this.#text.startsWith(sign, this.#place)) return false;
    this.#place += sign.length;
    this.#passSpace();
    return true;
  }

  takeTag(): string {
    tagAt.lastIndex = this.#place;
    const tag = tagAt.exec(this.#text)?.[0];
    if (tag === undefined) throw this.flaw('a tag (A-Z a-z 0-9 _ . : -), ! or (');
    if (tag.length > TAG_CHARACTERS_MAX)
      throw this.flaw(`a tag of maxLength ${TAG_CHARACTERS_MAX}`);
    if (++this.#tags > TAG_EXPRESSION_TAGS_MAX) {
      throw this.flaw(`maxTags ${TAG_EXPRESSION_TAGS_MAX}`);
    }
    this.#place += tag.length;
    this.#passSpace();
    return tag;
  }

  flaw(rule: string): BarrageError {
    return flaw(this.#field, `${rule}, at position ${this.#place}`);
  }

  #passSpace(): void {
    spaceAt.lastIndex = this.#place;
    spaceAt.test(this.#text);
    this.#place = spaceAt.lastIndex;
  }
}

function parseOr(reader: Reader, depth: number): TagExpression {
  const parts = [parseAnd(reader, depth)];
  while (reader.take('||')) parts.push(parseAnd(reader, depth));
  return joinTags('or', parts);
}

function parseAnd(reader: Reader, depth: number): TagExpression {
  const parts = [parseNot(reader, depth)];
  while (reader.take('&&')) parts.push(parseNot(reader, depth));
  return joinTags('and', parts);
}

function parseNot(reader: Reader, depth: number): TagExpression {
  if (depth > TAG_EXPRESSION_DEPTH_MAX) throw reader.flaw(`maxDepth ${TAG_EXPRESSION_DEPTH_MAX}`);
  if (reader.take('!')) return { kind: 'not', of: parseNot(reader, depth + 1) };
  if (!reader.take('(')) return { kind: 'tag', tag: reader.takeTag() };
  const inner = parseOr(reader, depth + 1);
  if (!reader.take(')')) throw reader.flaw('an operator (&&, ||) or )');
  return inner;
}

function flaw(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
