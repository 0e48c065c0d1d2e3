/**
 * Owns what a tag expression means: which tags satisfy it, how it is written down, and the one form
 * that equal expressions share. Reads no text (src/tags/tag-parser.ts) and knows no viewer.
 */

/** `and` and `or` have two or more parts, none of them of the same kind as the whole. */
export type TagExpression =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'not'; readonly of: TagExpression }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly TagExpression[] };

/** Whether a viewer with these tags is meant. */
export function matchesTags(expression: TagExpression, tags: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case 'tag':
      return tags.has(expression.tag);
    case 'not':
      return !matchesTags(expression.of, tags);
    case 'and':
      return expression.parts.every((part) => matchesTags(part, tags));
    case 'or':
      return expression.parts.some((part) => matchesTags(part, tags));
  }
}

/** How strongly a kind binds; a part that binds less than its whole stands in parentheses. */
const BINDING = { or: 0, and: 1, not: 2, tag: 3 } as const;

/** The expression without white space and needless parentheses; parsing it gives it back. */
export function printTags(expression: TagExpression): string {
  switch (expression.kind) {
    case 'tag':
      return expression.tag;
    case 'not':
      return `!${printPart(expression.of, 'not')}`;
    case 'and':
      return expression.parts.map((part) => printPart(part, 'and')).join('&&');
    case 'or':
      return expression.parts.map((part) => printPart(part, 'or')).join('||');
  }
}

function printPart(part: TagExpression, whole: keyof typeof BINDING): string {
  const text = printTags(part);
  return BINDING[part.kind] < BINDING[whole] ? `(${text})` : text;
}

/** `parts` as one expression: those of the same kind are opened up, a single one stands alone. */
export function joinTags(kind: 'and' | 'or', parts: readonly TagExpression[]): TagExpression {
  const opened = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
  return opened.length === 1 ? opened[0]! : { kind, parts: opened };
}

/**
 * The text under which a cohort is kept: order, repeats, double negation and parentheses make no
 * difference. Never longer than the text parsed. Expressions that are equal by deeper laws (de
 * Morgan, absorption) keep texts of their own.
 */
export function canonicalTags(expression: TagExpression): string {
  return printTags(canonical(expression));
}

function canonical(expression: TagExpression): TagExpression {
  if (expression.kind === 'tag') return expression;
  if (expression.kind === 'not') {
    const of = canonical(expression.of);
    return of.kind === 'not' ? of.of : { kind: 'not', of };
  }
  const joined = joinTags(expression.kind, expression.parts.map(canonical));
  if (joined.kind === 'tag' || joined.kind === 'not') return joined;
  const byText = new Map(joined.parts.map((part) => [printTags(part), part]));
  const texts = [...byText.keys()].sort();
  return joinTags(
    joined.kind,
    texts.map((text) => byText.get(text)!),
  );
}
