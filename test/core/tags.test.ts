/** Tag expressions: grammar, bounds, meaning and the one form of equals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import {
  canonicalTags,
  joinTags,
  matchesTags,
  printTags,
  type TagExpression,
} from '../../src/tags/tag-expression.js';
import {
  TAG_EXPRESSION_CHARACTERS_MAX,
  TAG_EXPRESSION_DEPTH_MAX,
  TAG_EXPRESSION_TAGS_MAX,
  TAG_PATTERN,
  parseTags,
} from '../../src/tags/tag-parser.js';

function matches(text: string, ...tags: readonly string[]): boolean {
  return matchesTags(parseTags(text), new Set(tags));
}

function errorOf(text: string): BarrageError {
  try {
    parseTags(text, 'where');
  } catch (error) {
    if (error instanceof BarrageError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(text)} was taken`);
}

describe('grammar', () => {
  it.each([
    ['vip', ['vip'], true],
    ['vip', ['VIP'], false],
    ['!vip', [], true],
    ['!!vip', ['vip'], true],
    ['a&&b', ['a'], false],
    ['a && b', ['a', 'b'], true],
    ['a||b', ['b'], true],
    ['a || b && c', ['a'], true],
    ['(a || b) && c', ['a'], false],
    ['!a && b', ['b'], true],
    ['!(a && b)', ['b'], true],
    ['vip && !muted-in-class2 || (host && level3)', ['vip', 'muted-in-class2'], false],
    ['vip && !muted-in-class2 || (host && level3)', ['host', 'level3', 'muted-in-class2'], true],
    [' \t\n( a.b:c_d-1 )\r\n', ['a.b:c_d-1'], true],
    ['constructor || __proto__', [], false],
  ])('%j with %j is %j', (text, tags, expected) => {
    expect(matches(text, ...tags)).toBe(expected);
  });

  it.each([
    ['', 'a tag', 0],
    ['   ', 'a tag', 3],
    ['a &&', 'a tag', 4],
    ['&& a', 'a tag', 0],
    ['a b', 'an operator', 2],
    ['a & b', 'an operator', 2],
    ['a | b', 'an operator', 2],
    ['(a', 'an operator (&&, ||) or )', 2],
    ['a)', 'an operator', 1],
    ['()', 'a tag', 1],
    ['a && 标签', 'a tag', 5],
    ['a\u0000', 'an operator', 1],
    ['a!b', 'an operator', 1],
    [`a||${'x'.repeat(65)}`, 'a tag of maxLength 64', 3],
  ])('%j is refused at its place', (text, rule, place) => {
    const error = errorOf(text);
    expect(error).toMatchObject({ code: 'invalid', field: 'where' });
    expect(error.rule).toContain(rule);
    expect(error.rule).toMatch(new RegExp(`, at position ${place}$`));
  });

  it('what is named as a tag passes the pattern of tags', () => {
    expect('x'.repeat(64)).toMatch(new RegExp(TAG_PATTERN));
    expect(parseTags('x'.repeat(64))).toEqual({ kind: 'tag', tag: 'x'.repeat(64) });
    expect('a!').not.toMatch(new RegExp(TAG_PATTERN));
  });
});

describe('bounds', () => {
  const nested = (signs: string, depth: number) =>
    `${signs.repeat(depth)}a${signs === '(' ? ')'.repeat(depth) : ''}`;

  it.each(['(', '!'])('depth of %s', (sign) => {
    expect(matches(nested(sign, TAG_EXPRESSION_DEPTH_MAX), 'a')).toBe(true);
    const error = errorOf(nested(sign, TAG_EXPRESSION_DEPTH_MAX + 1));
    expect(error.rule).toBe(`maxDepth ${TAG_EXPRESSION_DEPTH_MAX}, at position 33`);
  });

  it('number of tags', () => {
    const all = (count: number) => Array.from({ length: count }, () => 'a').join('&&');
    expect(matches(all(TAG_EXPRESSION_TAGS_MAX), 'a')).toBe(true);
    expect(errorOf(all(TAG_EXPRESSION_TAGS_MAX + 1)).rule).toContain('maxTags 64');
  });

  it('length', () => {
    const padded = (length: number) => 'a'.padEnd(length);
    expect(matches(padded(TAG_EXPRESSION_CHARACTERS_MAX), 'a')).toBe(true);
    expect(errorOf(padded(TAG_EXPRESSION_CHARACTERS_MAX + 1)).rule).toBe('maxLength 512');
  });
});

const names = ['a', 'b', 'vip', 'level:3', 'x.y-z_1'];
const leaf = fc.constantFrom(...names).map((tag): TagExpression => ({ kind: 'tag', tag }));
const { expression } = fc.letrec<{ expression: TagExpression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    tie('expression').map((of): TagExpression => ({ kind: 'not', of })),
    fc
      .tuple(
        fc.constantFrom('and' as const, 'or' as const),
        fc.array(tie('expression'), { minLength: 1, maxLength: 3 }),
      )
      .map(([kind, parts]) => joinTags(kind, parts)),
  ),
}));
const tagSet = fc.subarray(names).map((tags) => new Set(tags));

/** The meaning in another way: a truth value for each kind, by the words of logic. */
function reference(of: TagExpression, tags: ReadonlySet<string>): boolean {
  if (of.kind === 'tag') return [...tags].includes(of.tag);
  if (of.kind === 'not') return reference(of.of, tags) === false;
  const truths = of.parts.map((part) => reference(part, tags));
  return of.kind === 'and' ? !truths.includes(false) : truths.includes(true);
}

/** Within what a text may hold. */
function fits(of: TagExpression): boolean {
  const text = printTags(of);
  const tags = text.split(/[^A-Za-z0-9_.:-]+/).filter((tag) => tag !== '').length;
  return text.length <= TAG_EXPRESSION_CHARACTERS_MAX && tags <= TAG_EXPRESSION_TAGS_MAX;
}

describe('properties', () => {
  it('parsing what was printed gives the expression back', () => {
    fc.assert(
      fc.property(expression.filter(fits), (of) => {
        expect(parseTags(printTags(of))).toEqual(of);
      }),
      { numRuns: 1000 },
    );
  });

  it('it matches the tags its meaning says, in canonical form too', () => {
    fc.assert(
      fc.property(expression.filter(fits), tagSet, (of, tags) => {
        const expected = reference(of, tags);
        expect(matchesTags(of, tags)).toBe(expected);
        expect(matchesTags(parseTags(canonicalTags(of)), tags)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('the canonical text is its own and never longer than what was printed', () => {
    fc.assert(
      fc.property(expression.filter(fits), (of) => {
        const text = canonicalTags(of);
        expect(text.length).toBeLessThanOrEqual(printTags(of).length);
        expect(canonicalTags(parseTags(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('any text is an expression or refused as invalid', () => {
    const signs = fc.constantFrom('a', 'vip', '&&', '||', '!', '(', ')', ' ', '&', '|', '标', '\0');
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 40 }), (parts) => {
        const text = parts.join('');
        let printed: string;
        try {
          printed = printTags(parseTags(text));
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid', field: 'tags' });
          return;
        }
        expect(printed.length).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['b && a', 'a&&b'],
    ['a || (b || a)', 'a||b'],
    ['!!a', 'a'],
    ['!(a || a)', '!a'],
    ['c && (b || a) && c', '(a||b)&&c'],
    ['!(b && a)', '!(a&&b)'],
  ])('the canonical text of %j is %j', (text, expected) => {
    expect(canonicalTags(parseTags(text))).toBe(expected);
  });
});
