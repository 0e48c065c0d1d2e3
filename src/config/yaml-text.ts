/**
 * Owns reading and writing YAML: text to a tree that knows its lines. Knows no setting. The only
 * importer of yaml.
 */
import {
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  stringify,
  type Document,
  type Node,
} from 'yaml';

export interface YamlNode {
  readonly line: number;
  readonly value: unknown;
  /** Only of a map. */
  readonly entries?: readonly { readonly key: string; readonly node: YamlNode }[];
}

export interface YamlFlaw {
  readonly line: number;
  readonly message: string;
}

/** The tree of the text (undefined when it is empty), or every syntax error with its line. */
export function parseYaml(
  text: string,
): { readonly tree: YamlNode | undefined } | { readonly flaws: readonly YamlFlaw[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return {
      flaws: document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        message: error.message.split('\n')[0] ?? error.code,
      })),
    };
  }
  try {
    // Also refuses aliases that multiply (maxAliasCount), before any part of the tree is used.
    document.toJS();
    const root = document.contents;
    return { tree: root === null ? undefined : nodeOf(root, document, lines) };
  } catch (error) {
    return {
      flaws: [{ line: 1, message: error instanceof Error ? error.message : String(error) }],
    };
  }
}

const DEPTH_MAX = 8;

function nodeOf(node: Node, document: Document, lines: LineCounter, depth = 0): YamlNode {
  const line = lines.linePos(node.range?.[0] ?? 0).line;
  const target = isAlias(node) ? (node.resolve(document) ?? node) : node;
  const value: unknown = node.toJS(document);
  if (!isMap(target) || depth === DEPTH_MAX) return { line, value };
  const entries = target.items.map((pair) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const at = lines.linePos((pair.key as Node).range?.[0] ?? 0).line;
    const inner = pair.value as Node | null;
    const own = inner === null ? { value: null } : nodeOf(inner, document, lines, depth + 1);
    return { key, node: { ...own, line: at } };
  });
  return { line, value, entries };
}

/** The value of one line of YAML, as written in a variable or flag; throws on a syntax error. */
export function parseYamlValue(text: string): unknown {
  const parsed = parseYaml(text);
  if ('flaws' in parsed) throw new Error(parsed.flaws[0]?.message ?? 'no YAML');
  return parsed.tree?.value ?? null;
}

/** A value as block YAML without a final line break. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, flowCollectionPadding: true }).trimEnd();
}
