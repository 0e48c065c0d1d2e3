/**
 * Owns reading the three sources of settings: file, environment and flags. Every name is resolved
 * here, so that an unknown one is a problem with a suggestion; no value is judged.
 */
import {
  findEntry,
  findLeaf,
  unknownKey,
  type Gathered,
  type Given,
  type Problem,
} from './given.js';
import { LEAVES, type NamedLeaf } from './schema.js';
import { nearest } from './suggest.js';
import { parseYaml, parseYamlValue, type YamlNode } from './yaml-text.js';

/** The settings of a file's text; `name` is how the file is called in problems. */
export function fromFile(text: string, name: string): Gathered {
  const parsed = parseYaml(text);
  if ('flaws' in parsed) {
    const problems = parsed.flaws.map(({ line, message }) => ({
      path: '',
      source: `${name}:${line}`,
      message,
    }));
    return { given: [], problems };
  }
  const given: Given[] = [];
  const problems: Problem[] = [];
  if (parsed.tree !== undefined) walk(parsed.tree, '', { name, given, problems });
  return { given, problems };
}

interface Walk {
  readonly name: string;
  readonly given: Given[];
  readonly problems: Problem[];
}

function walk(node: YamlNode, path: string, into: Walk): void {
  const source = `${into.name}:${node.line}`;
  const entry = findEntry(path);
  if (entry === undefined) {
    into.problems.push(unknownKey(path, source));
  } else if (entry['leaf'] === true) {
    into.given.push({ path, raw: node.value, source });
  } else if (node.entries !== undefined) {
    for (const { key, node: inner } of node.entries) {
      const inside = path === '' ? key : `${path}.${key}`;
      // A dot would let one key be written in two ways.
      if (key.includes('.')) into.problems.push(unknownKey(inside, `${into.name}:${inner.line}`));
      else walk(inner, inside, into);
    }
  } else if (node.value !== null) {
    const keys = Object.keys(entry).join(', ');
    into.problems.push({ path, source, message: `must be a section with the keys ${keys}` });
  }
}

const PREFIX = 'BARRAGE_';
/** Names the configuration file itself. */
export const CONFIG_VARIABLE = 'BARRAGE_CONFIG';

/** `edge.connectionsPerAddress` → `BARRAGE_EDGE_CONNECTIONS_PER_ADDRESS`. */
export function variableOf(path: string): string {
  const words = path.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('.', '_');
  return PREFIX + words.toUpperCase();
}

const byVariable = new Map(LEAVES.map((named) => [variableOf(named.path), named]));

/**
 * Kubernetes gives every pod variables for each service; one called `barrage…` would look like
 * settings of ours (`BARRAGE_EDGE_PORT=tcp://10.0.0.1:8080`).
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /^(tcp|udp|sctp):\/\//.test(value) ||
    /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)
  );
}

/** The settings among environment variables; an empty variable counts as not set. */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Gathered {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE) continue;
    if (value === undefined || value === '' || isServiceLink(name, value)) continue;
    const named = byVariable.get(name);
    if (named !== undefined) addText(named, value, name, { given, problems });
    else {
      const meant = nearest(name, [...byVariable.keys(), CONFIG_VARIABLE]);
      const message = `unknown variable; did you mean ${meant ?? CONFIG_VARIABLE}?`;
      problems.push({ path: '', source: name, message });
    }
  }
  return { given, problems };
}

/** A flag that sets a key: `--set edge.port=9090`, or a direct one (`--viewer-port 9090`). */
export interface FlagText {
  readonly flag: string;
  /** `path=value` */
  readonly text: string;
}

export function fromFlags(flags: readonly FlagText[]): Gathered {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const { flag, text } of flags) {
    const equals = text.indexOf('=');
    const path = equals < 0 ? text : text.slice(0, equals);
    const named = findLeaf(path);
    const source = `${flag} ${path}`.trim();
    if (named === undefined) problems.push(unknownPath(path, source));
    else if (equals < 0) problems.push({ path, source, message: `needs a value: ${path}=…` });
    else addText(named, text.slice(equals + 1), source, { given, problems });
  }
  return { given, problems };
}

function unknownPath(path: string, source: string): Problem {
  const section = findEntry(path);
  return section === undefined
    ? unknownKey(path, source)
    : { path, source, message: `is a section; its keys are ${Object.keys(section).join(', ')}` };
}

interface Into {
  readonly given: Given[];
  readonly problems: Problem[];
}

function addText({ path, leaf }: NamedLeaf, text: string, source: string, into: Into): void {
  if (leaf.form === 'text') {
    into.given.push({ path, raw: text, source });
    return;
  }
  if (leaf.form === 'texts' && !text.trimStart().startsWith('[')) {
    const items = text.split(',').map((item) => item.trim());
    into.given.push({ path, raw: items.filter((item) => item !== ''), source });
    return;
  }
  try {
    into.given.push({ path, raw: parseYamlValue(text), source });
  } catch (error) {
    const why = error instanceof Error && leaf.hides !== true ? `: ${error.message}` : '';
    into.problems.push({ path, source, message: `cannot be read${why}` });
  }
}
