import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { runReplay, type ReplayOptions } from '../../src/cli/replay.js';
import { parseBilibiliXml } from '../../src/formats/bilibili-xml.js';
import { seededRandom } from '../../src/random.js';
import { Tokens } from '../../src/tokens.js';
import { runToEnd, startProgram } from '../kit/program-run.js';
import {
  joined,
  startScriptedEdge,
  type Line,
  type ScriptedEdge,
  type ScriptedViewer,
} from '../kit/scripted-edge.js';

const SECRET = 'r'.repeat(40);
let folder: string;
let edge: ScriptedEdge | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barrage-replay-'));
});

afterEach(async () => {
  await edge?.stop();
  edge = undefined;
  rmSync(folder, { recursive: true });
});

interface Said {
  readonly at?: number;
  readonly user?: string;
  readonly text?: string;
}

function xmlOf(said: readonly Said[]): string {
  const elements = said.map(
    ({ at = 0, user = 'u1', text = 'hi' }) => `<d p="${at},1,25,255,0,0,${user},1">${text}</d>`,
  );
  return `<i>${elements.join('\n')}</i>`;
}

function manyOf(count: number, users: number): Said[] {
  return Array.from({ length: count }, (_, n) => ({
    at: n / 1000,
    user: `u${n % users}`,
    text: `t${n}`,
  }));
}

/** The command line of a replay of these comments. */
function argvOf(said: readonly Said[], ...more: readonly string[]): string[] {
  const file = join(folder, 'comments.xml');
  writeFileSync(file, xmlOf(said));
  const keys = `tokens.keys=[{kid: k, secret: ${SECRET}}]`;
  const fixed = ['--room', 'lobby', '--url', edge!.url, '--set', keys];
  return ['replay', file, ...fixed, ...more];
}

function verdict(command: Line, word: string): Line {
  return { type: 'verdict', room: 'lobby', id: command['id'], verdict: word };
}

/** Joins everyone and answers what they say. */
function answering(answer: (command: Line, viewer: ScriptedViewer) => void) {
  return (command: Line, viewer: ScriptedViewer): void => {
    if (command['type'] === 'join') viewer.say(joined());
    if (command['type'] === 'send') answer(command, viewer);
  };
}

/** The report as numbers by name. */
function booksOf(report: string): Record<string, number> {
  const rows = [...report.matchAll(/^ *([\w, ().:-]+?) +(\d+)$/gm)];
  return Object.fromEntries(rows.map(([, name, count]) => [name!, Number(count)]));
}

describe('the books', () => {
  it('O-4 sent is the sum of the verdicts, whatever they are', async () => {
    const words = ['published', 'rate_limited', 'merged', 'shed', 'sampled_out', 'invalid'];
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        const n = Number(String(command['text']).slice(1));
        viewer.say(verdict(command, words[n % words.length]!));
      }),
    );
    const { code, out } = await runToEnd(argvOf(manyOf(300, 40), '--speed', 'max'));
    expect(booksOf(out)).toEqual({
      comments: 300,
      unsendable: 0,
      sent: 300,
      ...Object.fromEntries(words.map((word) => [word, 50])),
    });
    expect(out).toContain('40 connections; the books balance');
    expect(code).toBe(0);
  });

  it('O-4 each author is a user of its own, with a token signed here and its own style', async () => {
    const seen = new Map<string, Line[]>();
    edge = await startScriptedEdge((command, viewer) => {
      answering((send) => viewer.say(verdict(send, 'published')))(command, viewer);
      const token = String(viewer.commands[0]?.['token']);
      const claims = new Tokens([{ kid: 'k', secret: SECRET }], 'barrage').verify(token);
      const { user, rooms } = claims as unknown as { user: string; rooms: string[] };
      expect(rooms).toEqual(['lobby']);
      seen.set(user, viewer.commands.slice(1));
    });
    const said = [
      { user: 'ann' },
      { user: 'bob', at: 0.01, text: '&lt;3' },
      { user: 'ann', at: 0.02 },
    ];
    expect((await runToEnd(argvOf(said, '--speed', 'max'))).code).toBe(0);
    expect([...seen.keys()].sort()).toEqual(['ann', 'bob']);
    const style = { mode: 'scroll', color: '#0000ff', size: 25 };
    const send = { type: 'send', room: 'lobby', id: 1, kind: 'danmaku', style };
    expect(seen.get('bob')).toEqual([{ ...send, text: '<3' }]);
    expect(seen.get('ann')).toEqual([
      { ...send, text: 'hi' },
      { ...send, id: 2, text: 'hi' },
    ]);
  });

  it('O-4 what cannot be sent is counted before, what is too long for the room is sent', async () => {
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        const isLong = String(command['text']).length > 100;
        viewer.say(verdict(command, isLong ? 'invalid' : 'published'));
      }),
    );
    const texts = ['fine', 'bell&#7;', '  ', 'y'.repeat(9000), 'z'.repeat(500)];
    const { code, out } = await runToEnd(
      argvOf(
        texts.map((text) => ({ text })),
        '--speed',
        'max',
      ),
    );
    const counts = { comments: 5, unsendable: 3, sent: 2, published: 1, invalid: 1 };
    expect(booksOf(out)).toEqual(counts);
    expect(code).toBe(0);
  });

  it('O-4 an edge that closes in the middle leaves what it did not answer on the books', async () => {
    let closed = 0;
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        const n = Number(String(command['text']).slice(1));
        // Closes on the third of every ten, before answering it and whatever is behind it.
        if (n % 10 === 3 && closed < 5) {
          closed++;
          viewer.close(4001, '{"retryAfterMs":1}');
        } else viewer.say(verdict(command, n % 2 === 0 ? 'published' : 'rate_limited'));
      }),
    );
    const { code, out } = await runToEnd(argvOf(manyOf(200, 20), '--speed', 'max'));
    const books = booksOf(out);
    const answered = (books['published'] ?? 0) + (books['rate_limited'] ?? 0);
    expect(closed).toBe(5);
    expect(books['sent']).toBe(200);
    expect(books['unanswered']).toBeGreaterThanOrEqual(5);
    expect(answered + books['unanswered']!).toBe(200);
    expect(out).toContain('THE BOOKS DO NOT BALANCE');
    expect(code).toBe(1);
  });

  it('O-4 a user who may not come back leaves what it had to say unsent, by reason', async () => {
    edge = await startScriptedEdge((command, viewer) => {
      if (command['type'] === 'join' && viewer.number === 2) viewer.close(4502, 'banned');
      else answering((send) => viewer.say(verdict(send, 'published')))(command, viewer);
    });
    const said = [...manyOf(4, 2), { at: 0.4, user: 'u1' }, { at: 0.4, user: 'u0' }];
    const { code, out } = await runToEnd(argvOf(said));
    const counts = { comments: 6, unsendable: 0, sent: 3, published: 3 };
    expect(booksOf(out)).toEqual({ ...counts, 'unsent, closed with 4502': 3 });
    expect(edge.viewers).toHaveLength(2);
    expect(code).toBe(1);
  });

  it('O-4 verdicts nobody waits for are not counted', async () => {
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        const twice = verdict(command, 'published');
        viewer.say(twice, twice, { ...twice, id: 999 }, { ...twice, id: 'x' });
      }),
    );
    const { code, out } = await runToEnd(argvOf(manyOf(10, 2), '--speed', 'max'));
    expect(booksOf(out)).toMatchObject({ sent: 10, published: 10 });
    expect(code).toBe(0);
  });

  it.each(['unknown_room', 'unauthorized'])(
    'O-4 a room refused as %s ends the replay',
    async (code) => {
      edge = await startScriptedEdge((_, viewer) => {
        viewer.say({ type: 'error', code, message: 'no', room: 'lobby' });
      });
      const run = await runToEnd(argvOf(manyOf(50, 50), '--speed', 'max'));
      expect([run.code, run.err, run.out]).toEqual([1, `barrage: ${code}: no\n`, '']);
    },
  );

  it('O-4 a user not let in still gets its verdicts, one told to wait joins later', async () => {
    let asked = 0;
    edge = await startScriptedEdge((command, viewer) => {
      const error = (code: string, more: Line = {}) =>
        viewer.say({ type: 'error', code, message: 'no', room: 'lobby', ...more });
      if (command['type'] === 'join' && viewer.number === 1) error('banned');
      else if (command['type'] === 'join' && ++asked === 1)
        error('rate_limited', { retryAfterMs: 5 });
      else if (command['type'] === 'join') viewer.say(joined());
      else viewer.say(verdict(command, viewer.number === 1 ? 'not_joined' : 'published'));
    });
    const { code, out } = await runToEnd(argvOf(manyOf(4, 2), '--speed', 'max'));
    expect(booksOf(out)).toMatchObject({ sent: 4, not_joined: 2, published: 2 });
    expect(code).toBe(0);
  });

  it('O-4 no edge, no file and no key are told in one line', async () => {
    edge = await startScriptedEdge(() => undefined);
    const argv = argvOf(manyOf(3, 3), '--speed', 'max');
    await edge.stop();
    const gone = await runToEnd(argv);
    expect(gone.err).toMatch(/^barrage: cannot connect to .*ECONNREFUSED.*\n$/);
    const noFile = await runToEnd(argv.with(1, join(folder, 'none.xml')));
    expect(noFile.err).toMatch(/none\.xml cannot be read \(ENOENT\)\n$/);
    const noKey = await runToEnd([...argv.slice(0, 6), '--data', join(folder, 'none')]);
    expect(noKey.err).toMatch(/^barrage: no token key/);
    expect([gone.code, noFile.code, noKey.code]).toEqual([1, 1, 1]);
  });
});

describe('bounds', () => {
  const file = (said: readonly Said[]) => parseBilibiliXml(xmlOf(said));
  const clock = new SystemClock();
  const parts = {
    clock,
    random: seededRandom(1),
    tokenFor: () => Promise.resolve('t'),
    progress: () => undefined,
  };
  const options = (more: Partial<ReplayOptions> = {}): ReplayOptions => ({
    url: edge!.url,
    room: 'lobby',
    speed: Number.POSITIVE_INFINITY,
    connectionsMax: 500,
    inFlightMax: 2000,
    answerWaitMs: 10_000,
    stop: new AbortController().signal,
    ...more,
  });

  it('O-4 connections are bounded; one closes only when its verdicts are in', async () => {
    const unanswered = new Map<number, number>();
    let early = 0;
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        if (!unanswered.has(viewer.number)) unanswered.set(viewer.number, 0);
        unanswered.set(viewer.number, unanswered.get(viewer.number)! + 1);
        setTimeout(() => {
          unanswered.set(viewer.number, unanswered.get(viewer.number)! - 1);
          viewer.say(verdict(command, 'published'));
        }, 2);
      }),
    );
    const { books } = await runReplay(file(manyOf(120, 30)), options({ connectionsMax: 6 }), parts);
    for (const count of unanswered.values()) early += count;
    expect(early).toBe(0);
    expect(books.isBalanced).toBe(true);
    expect(books.verdicts.get('published')).toBe(120);
    // One may be opening while the one it replaces says goodbye.
    expect(edge.openMax()).toBeLessThanOrEqual(12);
    expect(books.connections).toBeGreaterThanOrEqual(30);
  });

  it('O-4 danmaku on the way are bounded', async () => {
    let waiting = 0;
    let most = 0;
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        most = Math.max(most, ++waiting);
        setTimeout(() => {
          waiting--;
          viewer.say(verdict(command, 'published'));
        }, 5);
      }),
    );
    const { books } = await runReplay(file(manyOf(200, 20)), options({ inFlightMax: 10 }), parts);
    expect(books.isBalanced).toBe(true);
    expect(most).toBeLessThanOrEqual(10);
    expect(most).toBeGreaterThan(2);
  });

  it('O-4 the file is replayed at its own pace times the speed', async () => {
    const at: number[] = [];
    const started = clock.now();
    edge = await startScriptedEdge(
      answering((command, viewer) => {
        at.push(clock.now() - started);
        viewer.say(verdict(command, 'published'));
      }),
    );
    // The first is said at once: what is silent before it is left out.
    const said = [{ at: 100 }, { at: 102 }, { at: 106 }];
    const { seconds } = await runReplay(file(said), options({ speed: 20 }), parts);
    expect(seconds).toBeLessThan(5);
    expect(at[0]).toBeLessThan(4000);
    // Timers may fire a millisecond early.
    expect(at[1]).toBeGreaterThanOrEqual(98);
    expect(at[2]).toBeGreaterThanOrEqual(298);
  });

  it('O-4 an edge that falls silent is given up, its danmaku unanswered', async () => {
    edge = await startScriptedEdge(answering(() => undefined));
    const { books } = await runReplay(file(manyOf(5, 1)), options({ answerWaitMs: 100 }), parts);
    expect(books).toMatchObject({ sent: 5, unanswered: 5, isBalanced: false });
  });

  it('O-4 told to stop, it waits for the verdicts of what it sent and reports the rest', async () => {
    edge = await startScriptedEdge(
      answering((send, viewer) => viewer.say(verdict(send, 'merged'))),
    );
    const said = [...manyOf(5, 5), { at: 3600, user: 'late' }];
    const run = startProgram(argvOf(said));
    await run.said(/answered 5/);
    run.stop();
    expect(await run.ended).toBe(1);
    const counts = { comments: 6, unsendable: 0, sent: 5, merged: 5, 'unsent, told to stop': 1 };
    expect(booksOf(run.out())).toEqual(counts);
  });
});
