/**
 * Owns putting the sources together: later over earlier, every value checked, relations checked,
 * all problems told at once. Reads no file and no process environment itself.
 */
import { BarrageError } from '../errors.js';
import { printableStart } from '../formats/printable.js';
import { problemLine, type Given, type Problem } from './given.js';
import { findBreaches } from './relations.js';
import { LEAVES, type NamedLeaf, type Settings } from './schema.js';
import { fromEnvironment, fromFile, fromFlags, type FlagText } from './sources.js';

export interface Sources {
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: readonly FlagText[];
}

export type Loaded =
  | { readonly settings: Settings; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly settings?: never };

/** The settings of all sources, or everything that is wrong with them. */
export function loadSettings({ file, env, flags }: Sources): Loaded {
  const gathered = [
    file === undefined ? { given: [], problems: [] } : fromFile(file.text, file.name),
    fromEnvironment(env),
    fromFlags(flags),
  ];
  const problems: Problem[] = gathered.flatMap((part) => part.problems);
  const given = new Map<string, Given>();
  for (const part of gathered) for (const one of part.given) given.set(one.path, one);
  const values = new Map<string, unknown>();
  for (const named of LEAVES) checkLeaf(named, given.get(named.path), values, problems);
  const settings = toTree(values);
  // Relations are judged with defaults in the place of broken values, so that all is told at once.
  for (const { path, against, message } of findBreaches(settings)) {
    const source = sourceOf(path, given) || sourceOf(against ?? path, given);
    problems.push({ path, source, message });
  }
  return problems.length === 0 ? { settings } : { problems };
}

/** Throws BarrageError `config` that tells every problem, a line each. */
export function refuseProblems(problems: readonly Problem[]): never {
  const lines = problems.map(problemLine);
  const message =
    lines.length === 1
      ? (lines[0] ?? '')
      : `${lines.length} problems in the configuration\n  ${lines.join('\n  ')}`;
  const field = problems[0]?.path;
  throw new BarrageError('config', message, field === undefined ? {} : { field });
}

function checkLeaf(
  { path, leaf }: NamedLeaf,
  given: Given | undefined,
  values: Map<string, unknown>,
  problems: Problem[],
): void {
  values.set(path, leaf.value);
  if (given === undefined) return;
  const { raw, source } = given;
  const checked = leaf.check(raw);
  if ('value' in checked) {
    values.set(path, checked.value);
    return;
  }
  for (const { inside, rule } of checked.flaws) {
    const at = inside === '' ? path : `${path}.${inside}`;
    problems.push({
      path: at,
      source,
      message: inside === '' && leaf.hides !== true ? `${rule}${got(raw)}` : rule,
    });
  }
}

/** What was written, short, and only where no secret can be in it. */
function got(raw: unknown): string {
  if (raw === null) return ' (nothing is given)';
  if (typeof raw === 'object') return '';
  return ` (not ${printableStart(String(raw), 40)})`;
}

function sourceOf(path: string, given: ReadonlyMap<string, Given>): string {
  const related = [...given.values()].filter(
    (one) =>
      path === one.path || path.startsWith(`${one.path}.`) || one.path.startsWith(`${path}.`),
  );
  const sources = [...new Set(related.map((one) => one.source))];
  return sources.join(', ');
}

function toTree(values: ReadonlyMap<string, unknown>): Settings {
  const root: Record<string, unknown> = {};
  for (const [path, value] of values) {
    const names = path.split('.');
    let section = root;
    for (const name of names.slice(0, -1)) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    section[names.at(-1) ?? ''] = value;
  }
  return root as unknown as Settings;
}

/** The value of a dotted path. */
export function valueAt(settings: Settings, path: string): unknown {
  let value: unknown = settings;
  for (const name of path.split('.')) value = (value as Record<string, unknown>)[name];
  return value;
}

/** The same settings with the values of `from` under these paths. */
export function withValues(
  settings: Settings,
  from: Settings,
  paths: ReadonlySet<string>,
): Settings {
  const pairs = LEAVES.map(
    ({ path }) => [path, valueAt(paths.has(path) ? from : settings, path)] as const,
  );
  return toTree(new Map(pairs));
}
