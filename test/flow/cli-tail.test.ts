import { afterEach, describe, expect, it } from 'vitest';
import { acksOf } from '../../src/cli/acks.js';
import { newPlace, readableLines } from '../../src/cli/tail-lines.js';
import { printable, printableStart } from '../../src/formats/printable.js';
import { runToEnd, startProgram } from '../kit/program-run.js';
import { joined, startScriptedEdge, type Line, type ScriptedEdge } from '../kit/scripted-edge.js';

let edge: ScriptedEdge | undefined;

afterEach(async () => {
  await edge?.stop();
  edge = undefined;
});

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

function keep(first: number, texts: readonly string[], more: Line = {}): Line {
  const publications = texts.map((text, index) => ({
    id: `k${first + index}`,
    kind: 'notice',
    lane: 'control',
    offset: first + index,
    at: AT,
    text,
  }));
  return {
    type: 'frame',
    room: 'lobby',
    class: 'keep',
    epoch: 1,
    offset: first,
    publications,
    ...more,
  };
}

function drop(publication: Line, shed = 0): Line {
  const publications = [{ id: 'd', kind: 'danmaku', lane: 'normal', at: AT, ...publication }];
  return { type: 'frame', room: 'lobby', class: 'drop', epoch: 1, publications, shed };
}

describe('printing', () => {
  it.each([
    ['plain 弹幕 😀 é', 'plain 弹幕 😀 é'],
    ['\u001b[2J\u001b]0;x\u0007', '\\u{1b}[2J\\u{1b}]0;x\\u{7}'],
    ['a\nb\tc\r\u0000\u007f', 'a\\u{a}b\\u{9}c\\u{d}\\u{0}\\u{7f}'],
    ['\u009b31m', '\\u{9b}31m'],
    [
      '\u202egnp.exe\u2066\u2069\u200f\u061c',
      '\\u{202e}gnp.exe\\u{2066}\\u{2069}\\u{200f}\\u{61c}',
    ],
    ['a\u2028b\ufeffc\u200bd', 'a\\u{2028}b\\u{feff}c\\u{200b}d'],
    ['\u{e0041}\ud800', '\\u{e0041}\ufffd'],
    ['👩\u200d💻', '👩\u200d💻'],
  ])('O-5 %j is printed with nothing a terminal would obey', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it('O-5 no control, escape, bidirectional or line separating character is left', () => {
    let all = '';
    for (let code = 0; code < 0x110000; code++) all += String.fromCodePoint(code);
    expect(printable(all)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}]/u);
    expect(printableStart('😀😀', 1)).toBe('\ufffd…');
  });

  it.each([
    [
      drop({ user: { id: 'u1', name: 'Ann\u001b' }, text: 'hi\nthere', count: 3 }),
      ['03:04:05 danmaku  Ann\\u{1b} (u1): hi\\u{a}there ×3'],
    ],
    [
      drop({ user: { id: 'u\u202e1' }, text: 'x', style: { mode: 'top' }, data: { a: '\u009b' } }),
      ['03:04:05 danmaku  u\\u{202e}1: x [top] {"a":"\\u{9b}"}'],
    ],
    [drop({ text: 'x' }, 4), ['03:04:05 danmaku  x', '-- shed 4 (4 in all)']],
    [keep(7, ['a', 'b']), ['03:04:05 notice   #7 a', '03:04:05 notice   #8 b']],
    [{ type: 'error', code: 'x\u0007', message: 'y\u0007' }, ['-- error x\\u{7}: y\\u{7}']],
    [{ type: 'odd\u001b', a: 1 }, ['-- {"type":"odd\\u001b","a":1}']],
    [{ type: 'frame', class: 'drop', publications: 'none' }, []],
    [
      { type: 'frame', class: 'drop', publications: [null, 5, { at: 'x', kind: 7, user: 'u' }] },
      ['--:--:-- 7       '],
    ],
    [{ type: 'pong', now: 1 }, []],
  ] as [Line & { type: string }, string[]][])('O-5 %j reads as %j', (line, expected) => {
    expect(readableLines(line, newPlace()).map((text) => text.trimEnd())).toEqual(
      expected.map((text) => text.trimEnd()),
    );
  });

  it('R-ACK-1 W-4 what wants an answer is answered, shown once, and nothing of others is a gap', () => {
    const place = newPlace();
    readableLines(
      { type: 'joined', room: 'r', epoch: 1, offset: 4, online: 1, recovered: false },
      place,
    );
    const mine = {
      id: 'p8',
      kind: 'notice',
      lane: 'high',
      offset: 8,
      at: 0,
      text: 'mine',
      ack: true,
    };
    const frame = { type: 'frame', room: 'r', class: 'keep', epoch: 1, offset: 8, from: 5 };
    const first = { ...frame, publications: [mine] };
    const again = { type: 'frame', room: 'r', class: 'drop', resent: true, publications: [mine] };
    expect(readableLines(first, place)).toEqual(['00:00:00 notice   #8 mine']);
    expect(readableLines(again, place)).toEqual([]);
    expect(place).toMatchObject({ position: { epoch: 1, offset: 8 }, missed: 0 });
    const hole = { ...frame, offset: 20, from: 12, publications: [] };
    expect(readableLines(hole, place)).toEqual(['-- gap: #9-11 missed']);
    for (const line of [first, again]) {
      expect(acksOf(line)).toEqual([{ type: 'ack', room: 'r', ids: ['p8'] }]);
    }
    const many = Array.from({ length: 150 }, (_, i) => ({ id: `${i}`, ack: true }));
    const sizes = acksOf({ type: 'frame', publications: many }).map(({ ids }) => ids as string[]);
    expect(sizes.map(({ length }) => length)).toEqual([100, 50]);
    expect(acksOf({ type: 'frame', publications: [null, { id: 'x' }, { ack: true }] })).toEqual([]);
  });

  it('O-5 gaps, repeats and older owners are told from the place', () => {
    const place = newPlace();
    const read = (line: Line) => readableLines(line as Line & { type: string }, place);
    expect(read(joined({ offset: 4 }))[0]).toBe('-- joined lobby: 1 online, at #4');
    expect(read(keep(5, ['five']))).toEqual(['03:04:05 notice   #5 five']);
    expect(read(keep(4, ['four', 'five', 'six']))).toEqual(['03:04:05 notice   #6 six']);
    expect(read(keep(9, ['nine']))).toEqual(['-- gap: #7-8 missed', '03:04:05 notice   #9 nine']);
    expect(read(keep(10, ['ten'], { epoch: 0 }))).toEqual(['-- a frame of an older owner ignored']);
    expect(place).toMatchObject({ position: { epoch: 1, offset: 9 }, shed: 0, missed: 2 });
    const window = {
      offset: 20,
      publications: [{ offset: 20, at: AT, kind: 'notice', text: 'z' }],
    };
    expect(read(joined(window))).toEqual([
      '-- joined lobby: 1 online, at #20, not resumed',
      '-- gap: 10 of #10-20 missed',
      '03:04:05 notice   #20 z',
    ]);
  });
});

describe('a room', () => {
  it('O-5 tail shows what comes, and comes back with its position when the connection ends', async () => {
    edge = await startScriptedEdge((command, viewer) => {
      if (command['type'] !== 'join') return;
      if (viewer.number === 1) {
        viewer.say(
          joined({ epoch: 3, offset: 5 }),
          keep(6, ['first'], { epoch: 3 }),
          drop({ text: 'x' }, 2),
        );
        viewer.close(4000, '{"reason":"drain","retryAfterMs":10}');
      } else if (viewer.number === 2) {
        viewer.cut();
      } else {
        const missed = { offset: 7, at: AT, kind: 'notice', text: 'second' };
        viewer.say(joined({ epoch: 3, offset: 7, recovered: true, publications: [missed] }));
        viewer.sayRaw('no json\u001b');
        viewer.say(keep(8, ['third'], { epoch: 3 }));
      }
    });
    const run = startProgram(['tail', 'lobby', '--url', edge.url, '--token', 't']);
    await run.said(/#8 third/);
    run.stop();
    expect(await run.ended).toBe(0);
    const joins = edge.viewers.map(({ commands }) => commands[0]);
    const again = { type: 'join', room: 'lobby', token: 't', since: { epoch: 3, offset: 6 } };
    expect(joins).toEqual([{ type: 'join', room: 'lobby', token: 't' }, again, again]);
    const lines = run.out().split('\n');
    expect(lines.filter((line) => line.includes('#') && line.includes('notice'))).toEqual([
      '03:04:05 notice   #6 first',
      '03:04:05 notice   #7 second',
      '03:04:05 notice   #8 third',
    ]);
    expect(run.out()).toContain('-- joined lobby: 1 online, at #7, resumed from #6');
    expect(run.out()).toContain('-- unreadable: no json\\u{1b}');
    expect(run.out()).toContain('-- disconnected: code 4000');
    expect(run.out()).toContain('-- ended; shed 2, missed 0');
    expect(run.out()).not.toContain('\u001b');
  });

  it.each([
    ['unknown_room', (v: { say(line: Line): void }) => v.say(errorLine('unknown_room'))],
    ['unauthorized', (v: { say(line: Line): void }) => v.say(errorLine('unauthorized'))],
  ])('O-5 tail ends with 1 when the join is refused as %s', async (code, answer) => {
    edge = await startScriptedEdge((_, viewer) => answer(viewer));
    const { code: exit, err } = await runToEnd(['tail', 'lobby', '--url', edge.url]);
    expect([exit, err]).toEqual([1, `barrage: ${code}: because\\u{7}\n`]);
    expect(edge.viewers).toHaveLength(1);
  });

  it('O-5 tail does not come back when told not to', async () => {
    edge = await startScriptedEdge((_, viewer) => {
      viewer.say(joined());
      viewer.close(4502, 'banned');
    });
    const { code, err } = await runToEnd(['tail', 'lobby', '--url', edge.url]);
    expect([code, err]).toEqual([1, 'barrage: the edge ended the connection: code 4502 banned\n']);
  });

  it('O-5 tail ends when the room does', async () => {
    edge = await startScriptedEdge((_, viewer) => {
      viewer.say(joined(), { type: 'bye', room: 'lobby', code: 4503, reason: 'kicked' });
    });
    const { code, out } = await runToEnd(['tail', 'lobby', '--url', edge.url]);
    expect(code).toBe(0);
    expect(out).toContain('-- bye 4503 kicked\n-- ended; shed 0, missed 0\n');
  });

  it('O-2 an edge that is not there is told in one line', async () => {
    edge = await startScriptedEdge(() => undefined);
    const { url } = edge;
    await edge.stop();
    const { code, err } = await runToEnd(['tail', 'lobby', '--url', url]);
    expect(code).toBe(1);
    expect(err).toMatch(/^barrage: cannot connect to ws:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/);
  });
});

function errorLine(code: string): Line {
  return { type: 'error', code, message: 'because\u0007', room: 'lobby' };
}
