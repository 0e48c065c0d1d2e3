/** What stands in the files: nothing unfinished, no machine's paths, links that lead somewhere, our words. */
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { ROOT, each, listFiles, parse, placeOf, read, sourceFiles } from '../kit/source-tree.js';

const TEXT =
  /\.(ts|js|mjs|json|ya?ml|md|css|html|svg|sh|toml|conf|service|txt|xml)$|^[^.]+$|\.ci\//;
const text = () => listFiles().filter((file) => TEXT.test(file) && file !== 'package-lock.json');

// Put together here so that this file does not hold what it looks for.
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
const FOLDERS = ['work', 'home', 'root', 'Users'].map((name) => `/${name}/`);
const MACHINE_PATH = new RegExp(`(^|[\\s"'\`(=:,\\[])(${FOLDERS.join('|')})`);

/** Words that mean something else here, and the ones to use. */
const AVOID: Readonly<Record<string, string>> = {
  client: 'viewer',
  clients: 'viewers',
  peer: 'viewer or edge',
  peers: 'viewers or edges',
  channel: 'room',
  channels: 'rooms',
  topic: 'subject or room',
  topics: 'subjects or rooms',
  admin: 'operator, studio or moderator',
  packet: 'frame or command',
  packets: 'frames or commands',
};
/** The socket library calls its groups topics. */
const MAY_SAY_TOPIC = /^edge\/(socket-uws|fan-?out[a-z-]*)\.ts$/;

function linesWith(files: readonly string[], pattern: RegExp, instead: string): string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, i) => {
        const found = pattern.exec(line);
        return found === null ? [] : [`${file}:${i + 1} "${found[0].trim()}"; ${instead}`];
      }),
  );
}

it('no file holds marks of unfinished work', () => {
  expect(linesWith(text(), UNFINISHED, 'finish it or write down why not in docs/')).toEqual([]);
});

it('no file holds a path of one machine', () => {
  expect(linesWith(text(), MACHINE_PATH, 'use a path from the repository or a setting')).toEqual(
    [],
  );
});

it('links between the documents lead somewhere', () => {
  const flaws: string[] = [];
  for (const file of listFiles().filter((name) => name.endsWith('.md'))) {
    read(file)
      .replace(/^```.*?^```/gms, (block) => '\n'.repeat(block.split('\n').length - 1))
      .split('\n')
      .forEach((line, i) => {
        for (const [, target] of line.matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
          if (/^([a-z]+:|#)/i.test(target!)) continue;
          const path = posix.join(posix.dirname(file), decodeURI(target!.split('#')[0]!));
          if (!existsSync(join(ROOT, path))) flaws.push(`${file}:${i + 1} ${target} is not there`);
        }
      });
  }
  expect(flaws).toEqual([]);
});

function exportedNames(tree: ts.SourceFile): ts.Identifier[] {
  const out: ts.Identifier[] = [];
  each(tree, (node) => {
    if (!ts.canHaveModifiers(node)) return;
    const isExported = ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
    if (isExported !== true) return;
    const named = ts.isVariableStatement(node) ? node.declarationList.declarations : [node];
    for (const one of named) {
      const name = (one as ts.NamedDeclaration).name;
      if (name !== undefined && ts.isIdentifier(name)) out.push(name);
    }
  });
  return out;
}

/** `roomPeerCount` and `ROOM_PEER_COUNT` are the words room, peer, count. */
function wordsOf(name: string): string[] {
  const spaced = /^[A-Z0-9_]+$/.test(name) ? name : name.replace(/([A-Z])/g, '_$1');
  return spaced.toLowerCase().split('_');
}

it('exported names use the words of docs/SPEC.md', () => {
  expect(wordsOf('roomPeerCount')).toEqual(['room', 'peer', 'count']);
  const flaws: string[] = [];
  for (const file of sourceFiles(['src', 'edge', 'room'])) {
    for (const name of exportedNames(parse(file))) {
      const word = wordsOf(name.text).find((one) => Object.hasOwn(AVOID, one));
      if (word === undefined || (/^topics?$/.test(word) && MAY_SAY_TOPIC.test(file))) continue;
      flaws.push(`${placeOf(name)} ${name.text}; say ${AVOID[word]} instead of ${word}`);
    }
  }
  expect(flaws).toEqual([]);
});
