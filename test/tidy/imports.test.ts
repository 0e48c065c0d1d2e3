/** Who may import whom: between our own folders, and of what others made. */
import { expect, it } from 'vitest';
import { PRODUCTION, importsOf, read, sourceFiles, type Import } from '../kit/source-tree.js';

/** What a top folder may import of our own; the programs at the root, `bench` and `test` may import all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  src: ['src'],
  edge: ['edge', 'src'],
  room: ['room', 'src'],
  'cdn-pusher': ['cdn-pusher', 'src'],
  client: ['client'],
  web: ['web', 'client'],
};

/** What a `core/` may use of `src/`: words and small machines. */
const CORE_MAY_NOT = /^src\/(ports|adapters|config|cli|telemetry)\/|^src\/tokens\.ts$/;
const CORE_BUILTINS = /^node:(assert|assert\/strict|buffer)$/;

interface Vendor {
  readonly name: string;
  /** Production files that may import it. */
  readonly where: RegExp;
  /** More than one file may, for the reason given. */
  readonly why?: string;
}

const VENDORS: readonly Vendor[] = [
  { name: 'uWebSockets.js', where: /^edge\/[^/]+\.ts$/ },
  { name: 'nats', where: /^src\/adapters\/nats-bus-wire\.ts$/ },
  { name: 'ioredis', where: /^src\/adapters\/redis-link\.ts$/ },
  { name: 'classic-level', where: /^src\/adapters\// },
  { name: '@aws-sdk/client-s3', where: /^cdn-pusher\/origins\// },
  { name: 'lmdb', where: /^src\/adapters\// },
  { name: 'fast-json-stringify', where: /^src\/wire\//, why: 'one serializer a wire format' },
  { name: 'ajv', where: /^src\/wire\// },
  { name: '@sinclair/typebox', where: /^(src|room\/api)\//, why: 'schemas are data' },
  { name: 'fast-jwt', where: /^src\/tokens\.ts$/ },
  { name: 'pino', where: /^src\/adapters\// },
  { name: 'prom-client', where: /^(src\/adapters|room\/api)\// },
  { name: 'chokidar', where: /^src\/(config|adapters)\// },
  { name: 'yaml', where: /^src\/(config|adapters)\// },
  { name: 'zod', where: /^src\/config\// },
  { name: 'fastest-levenshtein', where: /^src\/(config|adapters)\// },
  { name: 'cockatiel', where: /^src\/adapters\// },
  { name: 'commander', where: /^(src\/cli\/.*|barrage)\.ts$/ },
  {
    name: 'ws',
    where: /^(src\/cli\/|edge\/socket-ws\.ts$)/,
    why: 'the viewer of the command line, and the sockets where uWebSockets.js has no binary',
  },
  { name: 'xxhash-wasm', where: /^src\// },
  { name: 'fastify', where: /^room\/api\//, why: 'a file a group of routes' },
  { name: '@fastify/static', where: /^room\/api\// },
  { name: '@fastify/swagger', where: /^room\/api\// },
  { name: '@fastify/swagger-ui', where: /^room\/api\// },
];

/** Packages no file imports, each with what needs it. */
const NOT_IMPORTED: Readonly<Record<string, string>> = {
  prettier: 'a program: npm run check',
  artplayer: 'a script in the page of test/flow/client-browser.test.ts',
  'artplayer-plugin-danmuku': 'the same',
  danmaku: 'the same',
  dplayer: 'the same',
  '@types/node': 'types',
};

const production = () => sourceFiles(PRODUCTION).flatMap(importsOf);
const top = (path: string) => path.split('/')[0]!;

function directionFlaw({ file, place, target, isOurs }: Import): string | undefined {
  if (!isOurs) return undefined;
  if (top(target) === 'test' && top(file) !== 'test') return `${place} imports a test (${target})`;
  const allowed = MAY_IMPORT[top(file)];
  if (allowed === undefined || allowed.includes(top(target))) return undefined;
  return `${place} imports ${target}; ${top(file)}/ may import ${allowed.join('/, ')}/ only`;
}

function coreFlaw({ file, place, target, isOurs }: Import): string | undefined {
  const core = /^(.*\/)?core\//.exec(file)?.[0];
  if (core === undefined || !PRODUCTION.some((folder) => file.startsWith(folder))) return undefined;
  const isFine = isOurs
    ? target.startsWith(core) ||
      target === `${top(file)}/types.ts` ||
      (target.startsWith('src/') && !CORE_MAY_NOT.test(target))
    : CORE_BUILTINS.test(target);
  return isFine ? undefined : `${place} imports ${target}; take its result as an argument instead`;
}

it('H-1 imports go from services to src and never between services or back', () => {
  const flaws = sourceFiles().flatMap(importsOf).map(directionFlaw);
  expect(flaws.filter((flaw) => flaw !== undefined)).toEqual([]);
});

it('H-1 a core imports only words and small machines', () => {
  const flaws = production().map(coreFlaw);
  expect(flaws.filter((flaw) => flaw !== undefined)).toEqual([]);
});

it('H-1 the rule itself notices a wrong direction', () => {
  const wrong = { file: 'edge/a.ts', place: 'edge/a.ts:1', target: 'room/b.ts', isOurs: true };
  expect(directionFlaw(wrong)).toContain('edge/a.ts:1 imports room/b.ts');
  const timer = { file: 'room/core/a.ts', place: 'x:1', target: 'node:timers', isOurs: false };
  expect(coreFlaw(timer)).toContain('node:timers');
});

it('H-2 each vendor is imported in its one place', () => {
  const flaws: string[] = [];
  const files = new Map<string, Set<string>>();
  for (const { file, place, target, isOurs } of production()) {
    if (isOurs || target.startsWith('node:')) continue;
    const vendor = VENDORS.find(({ name }) => name === target);
    if (vendor === undefined) flaws.push(`${place} imports ${target}; no production file may`);
    else if (!vendor.where.test(file)) {
      flaws.push(`${place} imports ${target}; only ${vendor.where.source} may`);
    }
    files.set(target, (files.get(target) ?? new Set()).add(file));
  }
  for (const { name, why } of VENDORS) {
    const by = [...(files.get(name) ?? [])];
    if (why === undefined && by.length > 1) {
      flaws.push(`${name} is imported by ${by.join(' and ')}; import one of these files instead`);
    }
  }
  expect(flaws).toEqual([]);
});

it('H-2 tools of tests and benches stay there', () => {
  const places: Readonly<Record<string, RegExp>> = {
    vitest: /^(test\/|vitest\.config\.ts$)/,
    'fast-check': /^test\//,
    'playwright-core': /^test\//,
    s3rver: /^test\//,
    autocannon: /^(bench|test)\//,
  };
  const flaws = sourceFiles()
    .flatMap(importsOf)
    .filter(({ file, target }) => places[target] !== undefined && !places[target].test(file))
    .map(({ place, target }) => `${place} imports ${target}; ${places[target]?.source} only`);
  expect(flaws).toEqual([]);
});

it('H-2 package.json names what is imported and nothing else', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const imported = new Map<string, string>();
  const flaws: string[] = [];
  for (const { file, place, target, isOurs } of sourceFiles().flatMap(importsOf)) {
    if (isOurs || target.startsWith('node:')) continue;
    imported.set(target, place);
    const isProduction = PRODUCTION.some((folder) => top(file) === folder);
    const declared = isProduction ? dependencies : { ...dependencies, ...devDependencies };
    if (!Object.hasOwn(declared, target)) flaws.push(`${place}: add ${target} to package.json`);
  }
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    const of = name.startsWith('@types/') ? name.slice('@types/'.length) : name;
    const isKnown = Object.hasOwn(NOT_IMPORTED, name);
    if (!imported.has(of) && !isKnown) flaws.push(`package.json: nothing imports ${name}; drop it`);
    if (imported.has(name) && isKnown) {
      flaws.push(`${imported.get(name)} imports ${name}; drop it from NOT_IMPORTED`);
    }
  }
  expect(flaws).toEqual([]);
});
