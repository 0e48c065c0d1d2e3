/**
 * Owns what a source of settings hands over: values under dotted names with the place they were
 * written at, and problems. Knows how a name is resolved, not where values come from.
 */
import { isLeaf, LEAVES, TABLE, type NamedLeaf, type Section } from './schema.js';
import { isSlip, nearest } from './suggest.js';

/** A value as written, before it is checked. */
export interface Given {
  readonly path: string;
  readonly raw: unknown;
  /** Where it was written: `barrage.yaml:12`, `BARRAGE_EDGE_PORT`, `--set edge.port`. */
  readonly source: string;
}

export interface Problem {
  readonly path: string;
  readonly source: string;
  readonly message: string;
}

export interface Gathered {
  readonly given: readonly Given[];
  readonly problems: readonly Problem[];
}

/** `barrage.yaml:12: edge.prot: unknown key; did you mean edge.port?` */
export function problemLine({ path, source, message }: Problem): string {
  return [source, path, message].filter((part) => part !== '').join(': ');
}

const byPath = new Map(LEAVES.map((named) => [named.path, named]));

export function findLeaf(path: string): NamedLeaf | undefined {
  return byPath.get(path);
}

/** The leaf or section of a dotted path, the table itself for the empty one. */
export function findEntry(path: string): NamedLeaf['leaf'] | Section | undefined {
  let entry = TABLE as unknown as Section;
  if (path === '') return entry;
  for (const name of path.split('.')) {
    if (isLeaf(entry as never) || !Object.hasOwn(entry, name)) return undefined;
    entry = entry[name] as Section;
  }
  return entry;
}

/** Says that a dotted path is no key and which one was probably meant. */
export function unknownKey(path: string, source: string): Problem {
  const meant = suggestPath(path);
  return { path, source, message: `unknown key${meant === undefined ? '' : `; ${meant}`}` };
}

function suggestPath(path: string): string | undefined {
  const dot = path.lastIndexOf('.');
  const [parent, name] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
  const section = findEntry(parent);
  const siblings = section === undefined || section['leaf'] === true ? [] : Object.keys(section);
  const sibling = nearest(name, siblings);
  const under = (found: string) => (parent === '' ? found : `${parent}.${found}`);
  if (sibling !== undefined && isSlip(name, sibling)) return `did you mean ${under(sibling)}?`;
  const namesake = LEAVES.find((leaf) => leaf.path.split('.').at(-1) === name);
  if (namesake !== undefined) return `did you mean ${namesake.path}?`;
  const meant = sibling === undefined ? nearest(path, [...byPath.keys()]) : under(sibling);
  return meant === undefined ? undefined : `the nearest known is ${meant}`;
}
