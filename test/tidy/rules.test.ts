/** The numbered rules of docs/SPEC.md and the tests that prove them name each other. */
import ts from 'typescript';
import { expect, it } from 'vitest';
import { each, parse, placeOf, read, sourceFiles } from '../kit/source-tree.js';

const ID = /^[A-Z]+(?:-[A-Z]+)?-\d+$/;
const TESTS = new Set(['it', 'test']);
const UNFINISHED = new Set(['skip', 'only', 'todo', 'fails', 'skipIf', 'runIf']);

interface Title {
  readonly place: string;
  readonly text: string;
}

/** `it`, `it.each(table)`, `describe.skip`, …: its first word and the words after. */
function wordsOf(callee: ts.Expression): readonly string[] {
  if (ts.isIdentifier(callee)) return [callee.text];
  if (ts.isPropertyAccessExpression(callee)) {
    return [...wordsOf(callee.expression), callee.name.text];
  }
  if (ts.isCallExpression(callee)) return wordsOf(callee.expression);
  return ts.isTaggedTemplateExpression(callee) ? wordsOf(callee.tag) : [];
}

function titleOf(node: ts.Node): Title | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const first = node.arguments[0];
  if (first === undefined || !TESTS.has(wordsOf(node.expression)[0] ?? '')) return undefined;
  const place = placeOf(node);
  if (ts.isStringLiteralLike(first)) return { place, text: first.text };
  return ts.isTemplateExpression(first) ? { place, text: first.head.text } : undefined;
}

/** Suites shared by several test files hold titles too. */
const testFiles = () => sourceFiles(['test']);

function titles(): Title[] {
  const out: Title[] = [];
  for (const file of testFiles()) {
    each(parse(file), (node) => {
      const title = titleOf(node);
      if (title !== undefined) out.push(title);
    });
  }
  return out;
}

/** The ids a title begins with; it may prove several. */
function idsOf(title: string): string[] {
  const words = title.split(/[\s,:]+/);
  const end = words.findIndex((word) => !ID.test(word));
  return end === -1 ? words : words.slice(0, end);
}

function rules(): Map<string, number> {
  const out = new Map<string, number>();
  read('docs/SPEC.md')
    .split('\n')
    .forEach((line, i) => {
      const id = /^- \*\*([A-Z0-9-]+)\*\*/.exec(line)?.[1];
      if (id === undefined) return;
      if (!ID.test(id)) throw new Error(`docs/SPEC.md:${i + 1} ${id} is no rule number`);
      if (out.has(id)) throw new Error(`docs/SPEC.md:${i + 1} ${id} is there twice`);
      out.set(id, i + 1);
    });
  return out;
}

it('H-5 every rule has a test', () => {
  const proven = new Set(titles().flatMap(({ text }) => idsOf(text)));
  const flaws = [...rules()]
    .filter(([id]) => !proven.has(id))
    .map(([id, line]) => `docs/SPEC.md:${line} ${id}: no test title begins with it; write one`);
  expect(flaws).toEqual([]);
});

it('H-5 every rule a test names is there', () => {
  const known = rules();
  const flaws = titles().flatMap(({ place, text }) =>
    idsOf(text)
      .filter((id) => !known.has(id))
      .map((id) => `${place} ${id} is not in docs/SPEC.md; name one that is`),
  );
  expect(flaws).toEqual([]);
});

it('H-5 reads ids and titles as they are written', () => {
  expect(idsOf('R-TICK-2 control ticks early')).toEqual(['R-TICK-2']);
  expect(idsOf('W-3, W-9 bytes stay')).toEqual(['W-3', 'W-9']);
  expect(idsOf('a room of W-9')).toEqual([]);
  expect(rules().size).toBeGreaterThan(80);
});

it('no test is left out or marked as unfinished', () => {
  const flaws: string[] = [];
  for (const file of testFiles()) {
    each(parse(file), (node) => {
      if (!ts.isCallExpression(node)) return;
      const [first = '', ...rest] = wordsOf(node.expression);
      const mark = rest.find((word) => UNFINISHED.has(word));
      if (mark !== undefined && (TESTS.has(first) || first === 'describe')) {
        flaws.push(`${placeOf(node)} ${first}.${mark}; let it run or delete it`);
      }
    });
  }
  expect(flaws).toEqual([]);
});
