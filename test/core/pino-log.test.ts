import { expect, it } from 'vitest';
import { createPinoLog } from '../../src/adapters/pino-log.js';

function linesOf(isTTY: boolean, level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const log = createPinoLog(level, { isTTY, write: (text: string) => lines.push(text) });
  return { log, lines };
}

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.abc-_123';

it('O-1 lines are JSON when nobody watches', () => {
  const { log, lines } = linesOf(false);
  log.with({ room: 'lobby' }).warn('a lane is full', { lane: 'low', size: 3, level: 'x' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/\n$/);
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect(line).toMatchObject({ level: 'warn', msg: 'a lane is full', room: 'lobby', size: 3 });
  expect(line['level_']).toBe('x');
  expect(String(line['time'])).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

it('O-1 lines are short and readable on a terminal, with nothing in them it would obey', () => {
  const { log, lines } = linesOf(true);
  log.info('edge is listening', { port: 8080, room: 'a b', list: [1, 2] });
  log.error('\u001b[2J\u202egone', { error: new Error('broken\nhere') });
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d INFO {2}edge is listening {2}port=8080 {2}room="a b" {2}list=\[1,2\]\n$/,
  );
  expect(lines[1]).toContain('ERROR \\u{1b}[2J\\u{202e}gone  error={"name":"Error","text":"broken');
  expect(lines[1]!.trimEnd()).not.toMatch(/[\u0000-\u001f\u202e]/);
});

it('O-1 secrets are taken out of fields, texts and errors', () => {
  const { log, lines } = linesOf(false);
  log.with({ token: 'hunter2' }).info(`joined with ${JWT}`, {
    apiKey: 'hunter2',
    keys: [{ id: 'a', secret: 'hunter2' }],
    headers: { authorization: 'Bearer hunter2', host: 'h' },
    url: 'ws://h/v1/ws?room=r&token=hunter2#x',
    said: 'Authorization: Bearer hunter2',
    error: new Error('bad token=hunter2', { cause: new Error(JWT) }),
  });
  const text = lines.join('');
  expect(text).not.toContain('hunter2');
  expect(text).not.toContain(JWT.slice(0, 20));
  expect(text).toContain('"host":"h"');
  expect(text).toContain('ws://h/v1/ws?room=r&token=(hidden)#x');
});

it('O-1 counts about secrets, cycles and odd values are no trouble', () => {
  const { log, lines } = linesOf(false);
  const ring: Record<string, unknown> = {};
  ring['self'] = ring;
  log.info('odd', { keys: 2, ring, big: 12n, none: undefined, wide: Array(1000).fill(1) });
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect(line).toMatchObject({ keys: 2, big: '12' });
  expect(lines[0]!.length).toBeLessThan(1000);
});

it('C-4 the level changes while running, also of logs made before', () => {
  const { log, lines } = linesOf(false);
  const child = log.with({ part: 'edge' });
  child.debug('unseen');
  log.setLevel('debug');
  child.debug('seen');
  log.setLevel('silent');
  child.error('unseen');
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['seen']);
});
