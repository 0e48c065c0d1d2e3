/**
 * Owns writing settings as a file: the commented default file, and the values in force with their
 * secrets left out.
 */
import { isLeaf, LEAVES, TABLE, type Section, type Settings } from './schema.js';
import type { Leaf } from './leaves.js';
import { valueAt } from './load.js';
import { variableOf } from './sources.js';
import { formatYaml } from './yaml-text.js';

const HEAD = `# Configuration of barrage. Every key may be left out; the values here are the defaults.
# An environment variable goes over the file (edge.port is ${variableOf('edge.port')}) and a flag over
# both (--set edge.port=9090). Durations: ms, s, m, h, d. Sizes: B, KiB, MiB, GiB.
# (restart) marks what a running service takes up only when it starts again.
`;

/** A file that sets every key to its default, each with its meaning and bounds. */
export function defaultFile(): string {
  return `${HEAD}${sectionText(TABLE as unknown as Section, 0)}`;
}

function sectionText(section: Section, depth: number): string {
  const indent = '  '.repeat(depth);
  return Object.entries(section)
    .map(([name, entry]) => {
      const gap = depth === 0 ? '\n' : '';
      if (!isLeaf(entry)) return `${gap}${indent}${name}:\n${sectionText(entry, depth + 1)}`;
      return `${gap}${leafText(name, entry as unknown as Leaf<unknown>, indent)}`;
    })
    .join('');
}

function leafText(name: string, leaf: Leaf<unknown>, indent: string): string {
  const restart = leaf.restart === true ? ' (restart)' : '';
  const comment = `# ${leaf.about} [${leaf.rule}]${restart}`;
  const lines = [comment, formatYaml({ [name]: leaf.show(leaf.value) })].join('\n').split('\n');
  return lines.map((line) => `${indent}${line}\n`).join('');
}

/** The settings in force as a file would have them, secrets hidden. */
export function shownSettings(settings: Settings): string {
  const root: Record<string, unknown> = {};
  for (const { path, leaf } of LEAVES) {
    const names = path.split('.');
    let section = root;
    for (const name of names.slice(0, -1)) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    section[names.at(-1) ?? ''] = leaf.show(valueAt(settings, path));
  }
  return formatYaml(root);
}
