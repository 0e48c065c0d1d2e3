/**
 * The repository's own files for the tests of the house rules: which there are, what they import and
 * where a thing stands. Git's list when there is git, else a walk.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const NOT_OURS = new Set(['node_modules', 'dist', '.git', 'data', 'coverage']);
const parsed = new Map<string, ts.SourceFile>();
const imports = new Map<string, readonly Import[]>();
let all: readonly string[] | undefined;

/** Every file of the repository, tracked or new, as a path with `/` from its root. */
export function listFiles(): readonly string[] {
  all ??= (fromGit() ?? walk('')).filter((file) => existsSync(join(ROOT, file))).sort();
  return all;
}

function fromGit(): string[] | undefined {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const out = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
    const files = out.split('\0').filter((file) => file !== '');
    return files.length > 0 ? [...new Set(files)] : undefined;
  } catch {
    return undefined;
  }
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : walk(path);
    return [path];
  });
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** TypeScript and JavaScript files, those of `folders` (or single files) only when given. */
export function sourceFiles(folders?: readonly string[]): readonly string[] {
  return listFiles().filter(
    (file) =>
      /\.(ts|js|mjs)$/.test(file) &&
      (folders === undefined ||
        folders.some((folder) => file === folder || file.startsWith(`${folder}/`))),
  );
}

/** What runs in production, at viewers' too; tests, benches and the page's own scripts apart. */
export const PRODUCTION = [
  'barrage.ts',
  'run',
  'src',
  'edge',
  'room',
  'cdn-pusher',
  'client',
] as const;

export function parse(file: string): ts.SourceFile {
  let tree = parsed.get(file);
  if (tree === undefined) {
    tree = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    parsed.set(file, tree);
  }
  return tree;
}

/** Calls `visit` for every node, parents first. */
export function each(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => each(child, visit));
}

/** `file:line` of a node. */
export function placeOf(node: ts.Node): string {
  const tree = node.getSourceFile();
  const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
  return `${tree.fileName}:${line + 1}`;
}

export interface Import {
  readonly file: string;
  /** `file:line`. */
  readonly place: string;
  /** A path from the root for our own files, a package's name or `node:…` otherwise. */
  readonly target: string;
  readonly isOurs: boolean;
}

/** Everything a file imports: static, re-exported, dynamic and by `require`. Reads no syntax tree. */
export function importsOf(file: string): readonly Import[] {
  let found = imports.get(file);
  if (found === undefined) imports.set(file, (found = findImports(file)));
  return found;
}

function findImports(file: string): readonly Import[] {
  const text = read(file);
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => {
    const isOurs = fileName.startsWith('.');
    const target = isOurs ? resolveOwn(file, fileName) : packageOf(fileName);
    const line = text.slice(0, pos).split('\n').length;
    return { file, place: `${file}:${line}`, target, isOurs };
  });
}

function resolveOwn(file: string, text: string): string {
  const path = posix.normalize(posix.join(posix.dirname(file), text));
  const typed = path.replace(/\.js$/, '.ts');
  return existsSync(join(ROOT, typed)) ? typed : path;
}

function packageOf(text: string): string {
  if (text.startsWith('node:')) return text;
  const [first, second] = text.split('/');
  return first!.startsWith('@') ? `${first}/${second}` : first!;
}
