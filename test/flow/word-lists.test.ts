/** Word lists of a running process: real files that change, and the thread that builds them. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { WordLists, type BuildWords } from '../../src/adapters/word-lists.js';
import { silentLog, type Log } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { readWordLists } from '../../src/words-filter/list-files.js';
import type { WordFilter } from '../../src/words-filter/word-filter.js';

let folder: string;
let lists: WordLists | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-words-'));
});
afterEach(async () => {
  await lists?.close();
  lists = undefined;
  await rm(folder, { recursive: true, force: true });
});

const here: BuildWords = async (files) => readWordLists(files);
const inFolder = (name: string) => join(folder, name);

async function write(name: string, ...lines: string[]): Promise<string> {
  await writeFile(inFolder(name), lines.join('\n'));
  return inFolder(name);
}

function open(build: BuildWords = here) {
  const problems: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (_, fields) => void problems.push(String(fields?.['problem'])),
  };
  lists = new WordLists({ clock: new SystemClock(), log, meter: new Meter(), build });
  return { lists, problems };
}

const actionOf = (text: string) => lists!.filter?.judge(text).action;

it('R-WORD-2 a changed list holds without a restart, written or renamed over', async () => {
  const file = await write('a.txt', 'one\tblock');
  const { lists } = open();
  await lists.open([file]);
  expect(actionOf('one')).toBe('block');
  await write('a.txt', 'two\tblock');
  await expect.poll(() => actionOf('two'), { timeout: 5000 }).toBe('block');
  expect(actionOf('one')).toBe('pass');
  await rename(await write('fresh.txt', 'three\tmask'), file);
  await expect.poll(() => actionOf('three'), { timeout: 5000 }).toBe('mask');
});

it('R-WORD-2 a list that is no good is told by file and line, and the old one stays', async () => {
  const files = [await write('a.txt', 'one\tblock'), await write('b.txt', '# more', 'two\tmask')];
  const { lists, problems } = open();
  await lists.open(files);
  await write('b.txt', '# more', 'two\tmask', 'three\tbanish');
  await expect.poll(() => problems.length, { timeout: 5000 }).toBe(1);
  expect(problems[0]).toContain(`${files[1]}:3`);
  expect(problems[0]).toContain('block, review, mask');
  expect([actionOf('one'), actionOf('two')]).toEqual(['block', 'mask']);
});

it('R-WORD-2 a list that is no good at the start is refused in one sentence', async () => {
  const { lists } = open();
  const missing = lists.open([inFolder('missing.txt')]);
  await expect(missing).rejects.toMatchObject({
    code: 'config',
    message: `Word list ${inFolder('missing.txt')}: there is no such file`,
  });
});

it('R-WORD-2 other files are taken up whole', async () => {
  const a = await write('a.txt', 'one\tblock');
  const b = await write('b.txt', 'two\tblock');
  const { lists } = open();
  await lists.open([a]);
  lists.follow([b]);
  await expect.poll(() => actionOf('two'), { timeout: 5000 }).toBe('block');
  expect(actionOf('one')).toBe('pass');
  lists.follow([]);
  await expect.poll(() => lists.filter).toBeUndefined();
});

it('R-WORD-2 changes while a list is built lead to one more building, not many', async () => {
  const file = await write('a.txt', 'one\tblock');
  let builds = 0;
  let go: (() => void) | undefined;
  const { lists } = open(async (files) => {
    builds++;
    if (builds === 2) await new Promise<void>((done) => (go = done));
    return readWordLists(files);
  });
  await lists.open([file]);
  lists.follow([await write('b.txt', 'two\tblock')]);
  for (const name of ['c', 'd', 'e']) lists.follow([await write(name, `${name}x\tblock`)]);
  await expect.poll(() => go !== undefined).toBe(true);
  go!();
  await expect.poll(() => actionOf('ex')).toBe('block');
  expect(builds).toBe(3);
});

it('R-WORD-6 a hundred thousand words are built in a thread while the process goes on', async () => {
  // The thread's program is JavaScript: the built one.
  const built = (await import(
    new URL('../../dist/src/adapters/word-lists.js', import.meta.url).href
  )) as { buildInThread: (files: readonly string[]) => Promise<WordFilter> };
  const random = seededRandom(5);
  const char = () => String.fromCharCode(0x4e00 + random.below(5000));
  const words = new Set<string>();
  while (words.size < 100_000) words.add(Array.from({ length: 4 }, char).join(''));
  const file = await write('many.txt', ...words);
  let turns = 0;
  const turning = setInterval(() => turns++, 5);
  const filter = await built.buildInThread([file]);
  clearInterval(turning);
  expect(filter.words).toBe(100_000);
  expect(turns).toBeGreaterThan(10);
  const some = [...words].filter((_, i) => i % 1000 === 0);
  for (const word of some) {
    expect(filter.judge(`before ${word} after`)).toEqual({ action: 'block', word });
  }
  await write('many.txt', 'one\tno-action');
  await expect(built.buildInThread([file])).rejects.toThrow('many.txt:1');
});
