import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { allBanner } from '../../src/cli/all-banner.js';
import { askToken } from '../../src/cli/token-source.js';
import { defaultFile } from '../../src/config/default-file.js';
import type { ConfigManager } from '../../src/config/manager.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { BarrageError } from '../../src/errors.js';
import { Tokens } from '../../src/tokens.js';
import { runToEnd, startProgram } from '../kit/program-run.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barrage-cli-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function fileWith(text: string, name = 'barrage.yaml'): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('configuration commands', () => {
  it('C-6 default-config prints what check-config accepts', async () => {
    const printed = await runToEnd(['default-config']);
    expect(printed).toEqual({ code: 0, out: defaultFile(), err: '' });
    const file = fileWith(printed.out);
    expect(await runToEnd(['check-config', file])).toEqual({
      code: 0,
      out: `OK ${file}\n`,
      err: '',
    });
  });

  it('C-2 check-config tells every problem and ends with 1', async () => {
    const file = fileWith('edge: {prot: 1, idle: 5}');
    const { code, out, err } = await runToEnd(['check-config', file], { BARRAGE_LOG_LEVL: 'x' });
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'barrage: 3 problems in the configuration\n' +
        `  ${file}:1: edge.prot: unknown key; did you mean edge.port?\n` +
        '  BARRAGE_LOG_LEVL: unknown variable; did you mean BARRAGE_LOG_LEVEL?\n' +
        `  ${file}:1: edge.idle: needs a unit, e.g. 25s (not 5)\n`,
    );
  });

  it('C-1 the file is --config, else BARRAGE_CONFIG; direct flags are like --set', async () => {
    const [one, two] = [fileWith('edge: {port: 1}', '1'), fileWith('edge: {port: 2}', '2')];
    const portOf = async (argv: readonly string[], env = {}) => {
      const { out } = await runToEnd(['check-config', '--print', ...argv], env);
      return Number(/^edge:\n(?:.*\n)*? {2}port: (\d+)$/m.exec(out)?.[1]);
    };
    expect(await portOf([])).toBe(8080);
    expect(await portOf([], { BARRAGE_CONFIG: one })).toBe(1);
    expect(await portOf(['--config', two], { BARRAGE_CONFIG: one })).toBe(2);
    expect(await portOf(['--config', two, '--viewer-port', '3'])).toBe(3);
    expect(await portOf(['--set', 'edge.port=3', '--set', 'edge.port=4'])).toBe(4);
    const missing = join(folder, 'missing.yaml');
    const { code, err } = await runToEnd(['check-config', '--config', missing]);
    expect([code, err]).toEqual([1, `barrage: ${missing}: there is no such file\n`]);
  });
});

describe('the program', () => {
  it('C-4 all runs with the chosen configuration and reloads at SIGHUP', async () => {
    const file = fileWith('edge: {linger: 5s}');
    let manager: ConfigManager | undefined;
    let finish = (): void => undefined;
    const started = new Promise<void>((begun) => {
      const all = (_: unknown, own: ConfigManager): Promise<void> => {
        manager = own;
        begun();
        return new Promise((done) => (finish = done));
      };
      run = startProgram(['--config', file, '--studio-port', '9'], {}, { all });
    });
    await started;
    expect(manager?.current.edge.lingerMs).toBe(5000);
    expect(manager?.current.studio.port).toBe(9);
    writeFileSync(file, 'edge: {linger: 6s}');
    run?.hangup();
    expect(manager?.current.edge.lingerMs).toBe(6000);
    finish();
    expect(await run?.ended).toBe(0);
  });
  let run: ReturnType<typeof startProgram> | undefined;

  it('O-2 a failure to start is one line and exit code 1, with a stack only on demand', async () => {
    const all = () => Promise.reject(new BarrageError('port_in_use', 'port 8080 is in use'));
    const plain = startProgram(['all'], {}, { all });
    expect(await plain.ended).toBe(1);
    expect(plain.err()).toBe('barrage: port 8080 is in use\n');
    const debug = startProgram(['all', '--debug'], {}, { all });
    expect(await debug.ended).toBe(1);
    expect(debug.err()).toMatch(/^barrage: port 8080 is in use\nBarrageError: .*\n +at /);
    const odd = startProgram([], {}, { all: () => Promise.reject(new TypeError('x\u001b[2J')) });
    expect(await odd.ended).toBe(1);
    expect(odd.err()).toBe('barrage: x\\u{1b}[2J\nbarrage: --debug shows where it happened\n');
  });

  it.each([
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
    [['--help'], 0, /tail.*\n.*\n?.*replay/],
    [['al', '--no-such'], 1, /^barrage: unknown option '--no-such'/],
    [['tokn', '--room', 'x'], 1, /^barrage: /],
    [['token'], 1, /^barrage: required option '--room <room>'/],
    [['token', '--room', 'a b'], 1, /^barrage: "a b" is no room id/],
    [['token', '--room', 'a', '--user', 'a b'], 1, /^barrage: "a b" is no user id/],
    [['token', '--room', 'a', '--role', 'king'], 1, /guest, member, moderator, host/],
    [['token', '--room', 'a', '--role', 'host'], 1, /^barrage: --role host needs --user/],
    [['token', '--room', 'a', '--level', '1.5'], 1, /must be a whole number, 0 to 1000/],
    [['tail', 'a', '--url', 'http://x'], 1, /^barrage: --url must be a URL with ws:/],
    [['replay', 'x.xml', '--room', 'a', '--speed', '0'], 1, /^barrage: --speed must be max or/],
    [['check-config', '--set', 'edge.prot=1'], 1, /did you mean edge\.port\?/],
  ])('O-2 %j ends with %i', async (argv, expected, pattern) => {
    const { code, out, err } = await runToEnd(argv);
    expect(code).toBe(expected);
    expect(out + err).toMatch(pattern);
  });
});

describe('tokens', () => {
  const secret = 'x'.repeat(40);

  it('T-1 token prints one signed with the configured key', async () => {
    const file = fileWith(`tokens: {keys: [{kid: k, secret: ${secret}}], audience: here}`);
    const argv = ['token', '--config', file, '--room', 'lobby', '--room', 'hall', '--user', 'u1'];
    const more = ['--name', 'Ann', '--role', 'host', '--level', '7', '--ttl', '2h'];
    const { code, out } = await runToEnd([...argv, ...more]);
    expect(code).toBe(0);
    const claims = new Tokens([{ kid: 'k', secret }], 'here').verify(out.trim());
    expect(claims).toMatchObject({ user: 'u1', name: 'Ann', role: 'host', level: 7 });
    expect(claims).toMatchObject({ rooms: ['lobby', 'hall'] });
    const { expiresAt } = claims as { expiresAt: number };
    expect(expiresAt - Date.now()).toBeGreaterThan(2 * 3_600_000 - 60_000);
    expect(expiresAt - Date.now()).toBeLessThan(2 * 3_600_000 + 60_000);
    const guest = await runToEnd(['token', '--config', file, '--room', '*']);
    const seen = new Tokens([{ kid: 'k', secret }], 'here').verify(guest.out.trim());
    expect(seen).toMatchObject({ user: undefined, role: 'guest', rooms: ['*'] });
  });

  it('T-1 token signs with the key made at first start, and says so when there is none', async () => {
    const data = join(folder, 'data');
    const argv = ['token', '--data', data, '--room', 'lobby', '--user', 'u1'];
    const none = await runToEnd(argv);
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^barrage: no token key: .*start the service once.*\n$/);
    const begin = startProgram(
      ['--data', data],
      {},
      {
        all: (config) => Promise.resolve(void ensureSecrets(config)),
      },
    );
    expect(await begin.ended).toBe(0);
    const { out } = await runToEnd(argv);
    const [header] = out.split('.');
    expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toMatchObject({
      alg: 'HS256',
    });
  });

  it('T-1 a token can be asked of the studio API, waiting when told to', async () => {
    const calls: { authorization: string | undefined; body: unknown }[] = [];
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        calls.push({ authorization: request.headers.authorization, body });
        if (calls.length === 1) response.writeHead(429, { 'retry-after': '0' }).end('{}');
        else if (calls.length === 2) response.end('{"token":"t.t.t","expiresAt":1}');
        else response.writeHead(401).end('{"error":{"message":"no such\\u0007key"}}');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const request = { user: 'u1', rooms: ['lobby'], ttlMs: 60_000 };
    const ask = () => askToken(url, 'the-key', request, new SystemClock());
    expect(await ask()).toBe('t.t.t');
    expect(calls[1]).toEqual({ authorization: 'Bearer the-key', body: request });
    await expect(ask()).rejects.toThrow('refused a token with status 401: no such\\u{7}key');
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    await expect(ask()).rejects.toThrow(/^cannot ask http:\/\/127\.0\.0\.1:\d+ for a token: ./);
  });
});

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const part of request) text += String(part);
  return JSON.parse(text);
}

describe('where to go next', () => {
  const parts = {
    version: '1.2.3',
    viewerPort: 8080,
    studioPort: 8081,
    room: 'lobby',
    viewerToken: 'a.b+c',
    apiKey: "it's",
    secretsFile: 'data/secrets.json',
  };

  it('O-1 the text names page, call, socket and documentation with what opens them', () => {
    const text = allBanner(parts);
    expect(text).toContain('http://localhost:8081/#room=lobby&token=a.b%2Bc\n');
    expect(text).toContain('ws://localhost:8080/v1/ws?room=lobby&token=a.b%2Bc\n');
    expect(text).toContain('http://localhost:8081/docs\n');
    expect(text).toContain(`curl -sS 'http://localhost:8081/v1/rooms/lobby/publications'`);
    expect(text).toContain(`-H 'Authorization: Bearer it'\\''s'`);
    expect(/-d '(.*)'/.exec(text)?.[1]).toSatisfy((body: string) => 'kind' in JSON.parse(body));
  });

  it('O-1 where others may read it the key is named, not told', () => {
    const text = allBanner({ ...parts, apiKey: undefined });
    expect(text).not.toContain("it'");
    expect(text).toContain('$KEY');
    expect(text).toContain('data/secrets.json');
  });
});
