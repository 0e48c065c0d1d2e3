/** Time, randomness, the environment and the terminal are reached through their one door. */
import ts from 'typescript';
import { expect, it } from 'vitest';
import { PRODUCTION, each, importsOf, parse, placeOf, sourceFiles } from '../kit/source-tree.js';

const TIME = 'the Clock port (src/ports/clock.ts)';
const CHANCE = 'src/random.ts';

/** What is banned and what to use instead. */
const BANNED: Readonly<Record<string, string>> = {
  'Date.now': TIME,
  'new Date()': TIME,
  'performance.now': TIME,
  'process.hrtime': TIME,
  setTimeout: TIME,
  setInterval: TIME,
  setImmediate: TIME,
  'node:timers': TIME,
  'node:timers/promises': TIME,
  'Math.random': CHANCE,
  randomBytes: CHANCE,
  randomUUID: CHANCE,
  randomInt: CHANCE,
  console: 'the Log port (src/ports/log.ts); src/cli writes to its streams',
  'process.env': 'src/config',
};
const TIMES = Object.keys(BANNED).filter((name) => BANNED[name] === TIME);

interface Allowed {
  readonly where: RegExp;
  readonly what: readonly string[];
  readonly why: string;
}

const ALLOWED: readonly Allowed[] = [
  { where: /^src\/adapters\//, what: TIMES, why: 'what stands behind the ports' },
  { where: /^client\/clock\.ts$/, what: [...TIMES, 'Math.random'], why: 'the doors of the SDK' },
  { where: /^src\/random\.ts$/, what: ['randomBytes'], why: 'the door to the entropy' },
  { where: /^src\/config(\/|\.ts$)/, what: ['process.env'], why: 'environment is configuration' },
  {
    where: /^(src\/cli\/.*|barrage|all)\.ts$/,
    what: [...TIMES, 'console', 'process.env'],
    why: 'programs for a terminal and the composition root',
  },
  {
    where: /^edge\/(socket-u?ws|u?ws-[a-z-]+)\.ts$/,
    what: ['setTimeout', 'setImmediate', 'process.env'],
    why: 'the adapters of the socket libraries; one reads its header bound from the environment',
  },
];

function bannedIn(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const owner = node.expression.text;
    if (owner === 'globalThis') return known(node.name.text);
    return owner === 'console' ? 'console' : known(`${owner}.${node.name.text}`);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date') {
    return (node.arguments?.length ?? 0) === 0 ? 'new Date()' : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.getText() === 'Date') return 'new Date()';
  return ts.isIdentifier(node) && isUsed(node) ? known(node.text) : undefined;
}

/** A name that stands for itself: no member of something else and no part of a type. */
function isUsed(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isPropertyAccessExpression(parent))
    return parent.expression === name && name.text !== 'console';
  if (ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent)) return false;
  return !((parent as ts.NamedDeclaration).name === name && !ts.isImportSpecifier(parent));
}

function known(name: string): string | undefined {
  return Object.hasOwn(BANNED, name) ? name : undefined;
}

/** Banned uses of one source as `file:line name; use …`. */
function flawsOf(tree: ts.SourceFile): string[] {
  const flaws: string[] = [];
  const tell = (place: string, name: string) => {
    const isAllowed = ALLOWED.some(
      ({ where, what }) => where.test(tree.fileName) && what.includes(name),
    );
    if (!isAllowed) flaws.push(`${place} ${name}; use ${BANNED[name]}`);
  };
  each(tree, (node) => {
    const name = bannedIn(node);
    if (name !== undefined) tell(placeOf(node), name);
  });
  return flaws;
}

it('H-3 no clock, randomness, environment or terminal outside its door', () => {
  const files = sourceFiles(PRODUCTION);
  const flaws = files.flatMap((file) => flawsOf(parse(file)));
  for (const { file, place, target } of files.flatMap(importsOf)) {
    const isAllowed = ALLOWED.some(({ where, what }) => where.test(file) && what.includes(target));
    if (known(target) !== undefined && !isAllowed) {
      flaws.push(`${place} ${target}; use ${BANNED[target]}`);
    }
  }
  expect(flaws).toEqual([]);
});

it('H-3 the rule itself notices each banned call', () => {
  const text = [
    'Date.now();',
    'new Date();',
    'Math.random();',
    'setTimeout(f, 1);',
    'const later = setInterval;',
    'globalThis.setImmediate(f);',
    'console.log(1);',
    'x = process.env;',
    'new Date(5); "Date.now()"; // Math.random()',
    'type T = typeof setTimeout; const o = { setTimeout: 1 }; o.setTimeout; clock.console.x;',
  ].join('\n');
  const tree = ts.createSourceFile('room/x.ts', text, ts.ScriptTarget.Latest, true);
  const lines = flawsOf(tree).map((flaw) => flaw.split(' ')[0]);
  expect(lines).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((line) => `room/x.ts:${line}`));
});
