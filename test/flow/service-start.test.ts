/** The service as an operator meets it: starting, stopping, failing to start, reloading. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

const PROGRAM = fileURLToPath(new URL('../../dist/barrage.js', import.meta.url));
let service: Service | undefined;

afterEach(async () => {
  await service?.stop().catch(() => undefined);
  service = undefined;
});

/** Runs the program to its end, which is asked for when its output matches `until`. */
function run(args: readonly string[], until?: RegExp) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    let asked = false;
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
      if (until?.test(out) !== true || asked) return;
      asked = true;
      child.kill('SIGTERM');
    });
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve({ code, out, err });
    });
  });
}

it('O-1 a first start needs no configuration and says where to go next', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-first-'));
  const { code, out } = await run(
    ['all', '--set', 'edge.port=0', '--set', 'studio.port=0', '--data', join(folder, 'data')],
    /docs\n/,
  );
  expect(code).toBe(0);
  expect(out).toMatch(/http:\/\/localhost:\d+\/#room=lobby&token=\S+/);
  expect(out).toMatch(/curl .*\/v1\/rooms\/lobby\/publications/);
  const secrets = JSON.parse(
    await readFile(join(folder, 'data', 'secrets.json'), 'utf8'),
  ) as object;
  expect(Object.keys(secrets).length).toBeGreaterThan(0);
});

it('O-2 a port in use is said in one line', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  const { port } = squatter.address() as { port: number };
  const folder = await mkdtemp(join(tmpdir(), 'barrage-port-'));
  for (const taken of ['edge', 'studio']) {
    const { code, err } = await run([
      'all',
      ...['edge', 'studio'].flatMap((section) => [
        '--set',
        `${section}.host=127.0.0.1`,
        '--set',
        `${section}.port=${section === taken ? port : 0}`,
      ]),
      '--data',
      join(folder, taken),
    ]);
    expect(code).toBe(1);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).toContain(String(port));
  }
  squatter.close();
});

it('O-2 an unusable data folder is said in one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-data-'));
  const file = join(folder, 'a-file');
  await writeFile(file, 'not a folder');
  const { code, err } = await run([
    'all',
    '--set',
    'edge.port=0',
    '--set',
    'studio.port=0',
    '--data',
    join(file, 'data'),
  ]);
  expect(code).toBe(1);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(err).toContain('a-file');
});

it('O-2 a second service on the same data is refused in one line', async () => {
  service = await startService();
  const { code, err } = await run([
    'all',
    '--config',
    service.configFile,
    '--set',
    'edge.port=0',
    '--set',
    'studio.port=0',
  ]);
  expect(code).toBe(1);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(err).toContain(String(service.pid));
});

it('C-2 a configuration with a typo is refused with a suggestion', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-typo-'));
  const file = join(folder, 'barrage.yaml');
  await writeFile(file, 'edge:\n  prot: 8080\n');
  const { code, err } = await run(['all', '--config', file]);
  expect(code).toBe(1);
  expect(err).toContain('edge.prot');
  expect(err).toContain('port');
});

it('O-3 SIGTERM ends the service cleanly and loses nothing acknowledged', async () => {
  service = await startService();
  const viewer = await Viewer.connect(service.viewerPort, { room: 'lobby' });
  await viewer.line('joined');
  const acked: string[] = [];
  const posting = (async () => {
    for (let n = 0; ; n++) {
      try {
        const answer = await service!.studio('POST', '/v1/rooms/lobby/publications', {
          kind: 'gift',
          text: `g${n}`,
        });
        if (answer.status !== 200) return;
        acked.push(`g${n}`);
      } catch {
        return;
      }
    }
  })();
  await viewer.until(() => viewer.publications.length > 5, 'some publications');
  expect(await service.stop(true)).toBe(0);
  await posting;
  await viewer.until(() => viewer.closed !== undefined, 'the close');
  expect(viewer.closed?.code).toBe(4000);
  expect(JSON.parse(viewer.closed!.reason)).toHaveProperty('retryAfterMs');

  service = await startService({ folder: service.folder });
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { recent: 200 });
  const history = await service.studio('GET', '/v1/rooms/lobby/publications?from=1&limit=200');
  const texts = history.body.publications.map((p: { text: string }) => p.text);
  for (const text of acked.slice(0, 200)) expect(texts).toContain(text);
});

it('R-SET-2 a changed configuration file acts within a second, a bad one is refused', async () => {
  service = await startService({ config: { room: { slowMode: '0s' } } });
  const config = parse(await readFile(service.configFile, 'utf8')) as Record<string, object>;
  const limits = async () =>
    (await service!.studio('GET', '/v1/rooms/lobby/limits')).body.effective.slowModeMs as number;
  expect(await limits()).toBe(0);
  await writeFile(service.configFile, stringify({ ...config, room: { slowMode: '9s' } }));
  const changed = Date.now();
  while ((await limits()) !== 9000) {
    if (Date.now() - changed > 1000) throw new Error('not in force after a second');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await writeFile(service.configFile, stringify({ ...config, room: { slowMod: '3s' } }));
  const refused = () => service!.log.some((line) => line.includes('slowMod'));
  const wrote = Date.now();
  while (!refused()) {
    if (Date.now() - wrote > 2000) throw new Error('the bad file was not reported');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await limits()).toBe(9000);
});
