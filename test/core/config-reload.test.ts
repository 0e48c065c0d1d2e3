import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { changeLine, type Change } from '../../src/config/changes.js';
import { problemLine, type Problem } from '../../src/config/given.js';
import { logReloads, openConfig, type ConfigManager } from '../../src/config/manager.js';
import type { Log } from '../../src/ports/log.js';

let folder: string;
let manager: ConfigManager | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barrage-config-'));
});

afterEach(async () => {
  await manager?.close();
  manager = undefined;
  rmSync(folder, { recursive: true });
});

function open(text: string, file = join(folder, 'barrage.yaml')): ConfigManager {
  writeFileSync(file, text);
  manager = openConfig({ file, env: {}, flags: [] });
  return manager;
}

function nextChange(of: ConfigManager): Promise<readonly Change[]> {
  return new Promise((resolve) => of.onChange((_, changes) => resolve(changes)));
}

function nextRefusal(of: ConfigManager): Promise<readonly Problem[]> {
  return new Promise((resolve) => of.onRefused(resolve));
}

describe('reload', () => {
  it('C-4 a changed file is taken up and reported key by key', () => {
    const config = open('edge: {heartbeat: 25s}\nroom: {tick: 100ms}');
    writeFileSync(join(folder, 'barrage.yaml'), 'edge: {heartbeat: 30s}\nroom: {textBytes: 2KiB}');
    const { changes } = config.reload();
    expect(changes?.map(changeLine)).toEqual([
      'edge.heartbeat: 25s → 30s',
      'room.textBytes: 1KiB → 2KiB',
    ]);
    expect(config.current.edge.heartbeatMs).toBe(30_000);
    expect(config.current.room.textBytes).toBe(2048);
    expect(config.reload().changes).toEqual([]);
  });

  it('C-4 a bad file is refused with all its problems and the old stays in force', () => {
    const config = open('edge: {heartbeat: 30s}');
    const before = config.current;
    const told: Problem[] = [];
    config.onRefused((problems) => told.push(...problems));
    config.onChange(() => expect.unreachable('nothing changed'));
    const file = join(folder, 'barrage.yaml');
    writeFileSync(file, 'edge: {heartbeat: 20s, prot: 1}\nbus: kafka');
    expect(config.reload().problems).toHaveLength(2);
    expect(config.reload().problems).toHaveLength(2);
    expect(told.map(problemLine)).toEqual([
      `${file}:1: edge.prot: unknown key; did you mean edge.port?`,
      `${file}:2: bus: must be one of memory, nats (not kafka)`,
    ]);
    expect(config.current).toBe(before);
    rmSync(file);
    expect(config.reload().problems?.map(problemLine)).toEqual([`${file}: there is no such file`]);
    expect(config.current).toBe(before);
  });

  it('C-4 environment and flags stay over a changed file', () => {
    const file = join(folder, 'barrage.yaml');
    writeFileSync(file, 'log: {level: info}');
    manager = openConfig({ file, env: { BARRAGE_LOG_LEVEL: 'debug' }, flags: [] });
    writeFileSync(file, 'log: {level: error}');
    expect(manager.reload().changes).toEqual([]);
    expect(manager.current.log.level).toBe('debug');
  });

  it('C-4 secrets are hidden in reports, a changed one is still told', () => {
    const secrets = ['a'.repeat(40), 'b'.repeat(40)];
    const keys = (secret: string) => `tokens: {keys: [{kid: k, secret: ${secret}}]}`;
    const config = open(keys(secrets[0]!));
    writeFileSync(join(folder, 'barrage.yaml'), keys(secrets[1]!));
    const lines = config.reload().changes!.map(changeLine).join('\n');
    expect(lines).toBe('tokens.keys: [{"kid":"k","secret":"(hidden)"}] → (hidden), another one');
    expect(config.current.tokens.keys[0]?.secret).toBe(secrets[1]);
  });

  it('C-5 what needs a restart is said so and keeps its value until then', () => {
    const config = open('edge: {port: 8080}');
    const file = join(folder, 'barrage.yaml');
    writeFileSync(
      file,
      'edge: {port: 9090, linger: 5s}\nstore: memory\ndata: {folder: /elsewhere}',
    );
    const { changes } = config.reload();
    expect(changes?.map(({ path, needsRestart }) => [path, needsRestart])).toEqual([
      ['edge.port', true],
      ['edge.linger', false],
      ['data.folder', true],
      ['store', true],
    ]);
    expect(changeLine(changes![0]!)).toBe('edge.port: 8080 → 9090 (after a restart)');
    expect(config.current.edge).toMatchObject({ port: 8080, lingerMs: 5000 });
    expect(config.current).toMatchObject({ store: 'embedded', data: { folder: './data' } });
    expect(config.reload().changes).toEqual([]);
    writeFileSync(file, 'edge: {linger: 5s}');
    expect(config.reload().changes?.map(changeLine)[0]).toBe(
      'edge.port: 9090 → 8080 (after a restart)',
    );
  });

  it('C-4 changes and refusals become log lines', () => {
    const config = open('');
    const lines: string[] = [];
    const note = (text: string, fields?: object) => void lines.push(text + JSON.stringify(fields));
    const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
    const following = logReloads(config, log);
    const file = join(folder, 'barrage.yaml');
    writeFileSync(file, 'drain: {window: 9s}');
    config.reload();
    writeFileSync(file, 'drain: {window: 9}');
    config.reload();
    following.cancel();
    writeFileSync(file, '');
    config.reload();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('drain.window: 5s → 9s');
    expect(lines[1]).toContain('needs a unit');
  });
});

it('C-4 a listener that fails is told and the others hear of the change', () => {
  const config = open('');
  const heard: string[] = [];
  const told: string[] = [];
  config.onRefused((problems) => told.push(...problems.map(problemLine)));
  config.onChange(() => {
    throw new Error('the disk is full');
  });
  config.onChange((next) => heard.push(next.log.level));
  const file = join(folder, 'barrage.yaml');
  writeFileSync(file, 'log: {level: warn}');
  expect(config.reload().changes).toHaveLength(1);
  expect(heard).toEqual(['warn']);
  expect(told).toEqual([`${file}: was taken up only in part: the disk is full`]);
});

describe('watching', () => {
  it('C-4 a file written in place is noticed', async () => {
    const config = open('log: {level: info}');
    await config.watch(new SystemClock());
    const changed = nextChange(config);
    writeFileSync(join(folder, 'barrage.yaml'), 'log: {level: warn}');
    expect((await changed).map(changeLine)).toEqual(['log.level: info → warn']);
  });

  it('C-4 a file renamed over by an editor is noticed, twice', async () => {
    const config = open('log: {level: info}');
    await config.watch(new SystemClock());
    for (const level of ['warn', 'error'] as const) {
      const changed = nextChange(config);
      writeFileSync(join(folder, '.barrage.yaml.swp'), `log: {level: ${level}}`);
      renameSync(join(folder, '.barrage.yaml.swp'), join(folder, 'barrage.yaml'));
      await changed;
      expect(config.current.log.level).toBe(level);
    }
  });

  it('C-4 a ConfigMap swapped under its symbolic links is noticed, twice', async () => {
    const version = (name: string, level: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'barrage.yaml'), `log: {level: ${level}}`);
    };
    version('..2026_1', 'info');
    symlinkSync('..2026_1', join(folder, '..data'));
    symlinkSync(join('..data', 'barrage.yaml'), join(folder, 'barrage.yaml'));
    manager = openConfig({ file: join(folder, 'barrage.yaml'), env: {}, flags: [] });
    await manager.watch(new SystemClock());
    for (const [name, level] of [
      ['..2026_2', 'warn'],
      ['..2026_3', 'error'],
    ] as const) {
      const changed = nextChange(manager);
      version(name, level);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      await changed;
      expect(manager.current.log.level).toBe(level);
    }
  });

  it('C-4 a bad file is noticed and refused, the next good one taken up', async () => {
    const config = open('log: {level: info}');
    await config.watch(new SystemClock());
    const refused = nextRefusal(config);
    writeFileSync(join(folder, 'barrage.yaml'), 'log: {level: loud}');
    expect((await refused)[0]?.path).toBe('log.level');
    expect(config.current.log.level).toBe('info');
    const changed = nextChange(config);
    writeFileSync(join(folder, 'barrage.yaml'), 'log: {level: warn}');
    await changed;
    expect(config.current.log.level).toBe('warn');
  });
});
