/** Files, functions and lines stay of a size one can read. */
import ts from 'typescript';
import { expect, it } from 'vitest';
import {
  PRODUCTION,
  each,
  listFiles,
  parse,
  placeOf,
  read,
  sourceFiles,
} from '../kit/source-tree.js';

const FILE_LINES_MAX = 350;
const TEST_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const LINE_CHARACTERS_MAX = 120;

/** Source of any kind; lock files, reports and data are made by programs or are none. */
const written = () =>
  listFiles().filter(
    (file) => /\.(ts|js|mjs|css|html|sh)$/.test(file) && !file.startsWith('bench/report/'),
  );

function linesOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  const from = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line;
  return tree.getLineAndCharacterOfPosition(node.end).line - from + 1;
}

/** A function that registers tests only groups them; each of them is measured by itself. */
function isGroup(node: ts.Node): boolean {
  let found = false;
  each(node, (inner) => {
    if (!ts.isCallExpression(inner)) return;
    found ||= /^(it|test|describe)(\.each\b.*)?$/s.test(inner.expression.getText());
  });
  return found;
}

function longFunctions(tree: ts.SourceFile): string[] {
  const flaws: string[] = [];
  each(tree, (node) => {
    if (!ts.isFunctionLike(node)) return;
    const lines = linesOf(node);
    if (lines > FUNCTION_LINES_MAX && !isGroup(node)) {
      flaws.push(`${placeOf(node)} a function of ${lines} lines; split it (70 at most)`);
    }
  });
  return flaws;
}

it('H-4 no file is too long', () => {
  const flaws = written().flatMap((file) => {
    const lines = read(file).trimEnd().split('\n').length;
    const max = file.startsWith('test/') ? TEST_LINES_MAX : FILE_LINES_MAX;
    return lines > max ? [`${file}:${max} goes on to ${lines} lines; find its second noun`] : [];
  });
  expect(flaws).toEqual([]);
});

it('H-4 no function is too long', () => {
  expect(sourceFiles().flatMap((file) => longFunctions(parse(file)))).toEqual([]);
});

it('H-4 no line is too long', () => {
  const flaws = written().flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, i) =>
        line.length > LINE_CHARACTERS_MAX
          ? [`${file}:${i + 1} has ${line.length} characters; break it (120 at most)`]
          : [],
      ),
  );
  expect(flaws).toEqual([]);
});

it('H-4 the rule itself notices a long function', () => {
  const text = `const f = () => {\n${'g();\n'.repeat(70)}};`;
  const tree = ts.createSourceFile('room/x.ts', text, ts.ScriptTarget.Latest, true);
  expect(longFunctions(tree)).toHaveLength(1);
});

it('every file of the service opens by saying what it owns', () => {
  const flaws = sourceFiles([...PRODUCTION, 'web', 'bench'])
    .filter((file) => !/^(#!.*\n)?\/\*\*/.test(read(file)))
    .map((file) => `${file}:1 begin with a doc comment: what it owns, what it does not know`);
  expect(flaws).toEqual([]);
});
