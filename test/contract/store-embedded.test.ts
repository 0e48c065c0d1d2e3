/** What only the embedded store can be asked: kill -9, a full disk, folders that cannot be used. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openEmbeddedStore } from '../../src/adapters/lmdb-store.js';
import { LmdbEnv } from '../../src/adapters/lmdb-env.js';
import { BarrageError } from '../../src/errors.js';
import type { Store } from '../../src/ports/store.js';
import { seededRandom } from '../../src/random.js';
import { ManualClock } from '../kit/manual-clock.js';
import { fenceOf, roomId } from './store-suite.js';

const clock = new ManualClock();
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-embedded-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

function run(name: string, ...args: string[]): ChildProcess {
  const stdio = ['pipe', 'pipe', 'pipe'] as const;
  return spawn(process.execPath, [fixture(name), ...args], { stdio: [...stdio] });
}

/** The lines a child says and, should it end in between, what it said to stderr. */
function linesOf(child: ChildProcess): { lines: Interface; errors: () => string } {
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return { lines: createInterface({ input: child.stdout! }), errors: () => errors };
}

function open(): Promise<Store> {
  return openEmbeddedStore({ folder, clock });
}

async function refusalOf(at: string): Promise<BarrageError> {
  const error: unknown = await openEmbeddedStore({ folder: at, clock }).then(
    (store) => store.close().then(() => new Error('it opened')),
    (reason: unknown) => reason,
  );
  if (!(error instanceof BarrageError)) throw error;
  return error;
}

/** Lets the writer run a while, kills it, and adds what it acknowledged to `acked`. */
async function writeAndKill(acked: Map<string, number>, lines: number): Promise<void> {
  const child = run('store-writer.mjs', folder);
  const { lines: said, errors } = linesOf(child);
  const ended = once(child, 'close');
  let count = 0;
  for await (const line of said) {
    const [room, next] = line.split(' ');
    if (room !== undefined && next !== undefined) acked.set(room, Number(next));
    if (++count === lines) child.kill('SIGKILL');
  }
  const [, signal] = await ended;
  expect(signal, errors()).toBe('SIGKILL');
}

it('S-1 after kill -9 every acknowledged entry is there once, in order, and no half of a commit', async () => {
  const random = seededRandom(7);
  const acked = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    await writeAndKill(acked, 30 + random.below(800));
    const store = await open();
    for (const [room, next] of acked) {
      const loaded = (await store.load(roomId(room)))!;
      expect(loaded.nextOffset).toBeGreaterThanOrEqual(next);
      const meta = { first: loaded.firstOffset, next: loaded.nextOffset };
      expect(JSON.parse(loaded.records.get('meta')!)).toEqual(meta);
      const entries = await store.readLog(roomId(room), 1, 1000, 1 << 20);
      const expected = Array.from({ length: meta.next - meta.first }, (_, i) => meta.first + i);
      expect(entries.map(({ offset }) => offset)).toEqual(expected);
      expect(entries.map(({ json }) => json)).toEqual(
        expected.map((offset) => `{"id":"${room}.${offset}"}`),
      );
    }
    await store.close();
  }
  expect([...acked.keys()].sort()).toEqual(['a', 'b', 'c']);
}, 30_000);

interface SmallDisk {
  readonly child: ChildProcess;
  free(): void;
  remove(): void;
}

/** A 4 MiB file system when we may mount one, otherwise a limit on the size of files. */
function fillSmallDisk(): SmallDisk {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk], { stdio: 'ignore' });
  } catch {
    const limited = ['-c', 'ulimit -S -f 2048; exec "$0" "$@"', process.execPath];
    const child = spawn('sh', [...limited, fixture('store-filler.mjs'), disk]);
    const free = () => execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited:']);
    return { child, free, remove: () => undefined };
  }
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(1 << 20));
  return {
    child: run('store-filler.mjs', disk),
    free: () => rmSync(ballast),
    remove: () => execFileSync('umount', [disk]),
  };
}

it('S-4 a full disk is store_full, what was acknowledged stays, and writing goes on when there is room', async () => {
  const disk = fillSmallDisk();
  try {
    const { lines, errors } = linesOf(disk.child);
    const said = lines[Symbol.asyncIterator]();
    const told = async () => {
      const line = (await said.next()).value as string | undefined;
      if (line === undefined) throw new Error(`the filler died: ${errors()}`);
      return JSON.parse(line);
    };
    const full = await told();
    expect(full.next).toBeGreaterThan(1000);
    for (const refusal of full.refusals) {
      expect(refusal).toMatchObject({ code: 'store_full', retryAfterMs: expect.any(Number) });
    }
    expect(full).toMatchObject({ loaded: full.next, meta: String(full.next) });
    expect(full.newest).toHaveLength(1);
    disk.free();
    disk.child.stdin!.write('there is room\n');
    const freed = await told();
    expect(freed.results).toEqual(new Array(10).fill('written'));
    expect(freed.next).toBe(full.next + 200);
    const store = await openEmbeddedStore({ folder: join(folder, 'disk'), clock });
    const entries = await store.readLog(roomId('room'), 1, 1_000_000, 1 << 30);
    await store.close();
    expect(entries.map(({ json }) => JSON.parse(json).id)).toEqual(
      Array.from({ length: freed.next - 1 }, (_, i) => `p${i + 1}`),
    );
  } finally {
    disk.child.kill('SIGKILL');
    disk.remove();
  }
}, 30_000);

it('S-4 a first start on a disk without any room is refused in words, not by a signal', async () => {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const filler = fixture('store-filler.mjs');
  let child: ChildProcess;
  let remove = () => undefined as unknown;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', disk], { stdio: 'ignore' });
    remove = () => execFileSync('umount', [disk]);
    expect(() => writeFileSync(join(disk, 'ballast'), Buffer.alloc(2 << 20))).toThrow('ENOSPC');
    child = run('store-filler.mjs', disk);
  } catch {
    child = spawn('sh', ['-c', 'ulimit -S -f 0; exec "$0" "$@"', process.execPath, filler, disk]);
  }
  try {
    const { errors } = linesOf(child);
    const [code, signal] = await once(child, 'close');
    expect([code, signal]).toEqual([1, null]);
    expect(errors()).toContain(`BarrageError: data folder ${disk} `);
    expect(errors()).toContain("code: 'data_folder'");
  } finally {
    child.kill('SIGKILL');
    remove();
  }
});

it('S-6 a folder in use is refused, naming the process, and free again when that was killed', async () => {
  const child = run('store-writer.mjs', folder);
  const { lines, errors } = linesOf(child);
  const ended = once(child, 'close');
  await Promise.race([once(lines, 'line'), ended]);
  expect(child.exitCode, errors()).toBeNull();
  const refused = await refusalOf(folder);
  expect(refused.code).toBe('data_folder');
  expect(refused.message).toBe(`data folder ${folder} is in use by process ${child.pid}`);
  child.kill('SIGKILL');
  await ended;
  await (await open()).close();
});

it('S-6 a folder is used once within a process too, and free after close', async () => {
  const store = await open();
  expect((await refusalOf(folder)).message).toContain(`in use by process ${process.pid}`);
  await store.close();
  await (await open()).close();
  expect(await readdir(folder)).not.toContain('owner.lock');
});

it('S-6 a lock left behind by a process that is gone, or by an earlier one of our pid, stops nobody', async () => {
  await (await open()).close();
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'close');
  const host = hostname();
  const left = [
    { pid: gone.pid, started: '1', host, nonce: 'a' },
    { pid: process.pid, started: '1', host, nonce: 'b' },
    // The pid of a living process that started at another time: it was given out again.
    { pid: process.ppid, started: '1', host, nonce: 'c' },
  ];
  for (const holder of left) {
    writeFileSync(join(folder, 'owner.lock'), JSON.stringify(holder));
    await (await open()).close();
  }
  const elsewhere = { pid: 1, started: '1', host: 'another-host', nonce: 'd' };
  writeFileSync(join(folder, 'owner.lock'), JSON.stringify(elsewhere));
  expect((await refusalOf(folder)).message).toContain('in use by process 1 on another-host');
});

it('S-6 what is no folder, or cannot be written, is refused in one sentence', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const at of [file, join(file, 'below')]) {
    const refused = await refusalOf(at);
    expect(refused).toMatchObject({ code: 'data_folder', field: 'dataFolder' });
    expect(refused.message).toBe(`data folder ${at} is not a folder`);
  }
  const unwritable = await refusalOf('/proc/barrage');
  expect(unwritable.code).toBe('data_folder');
  expect(unwritable.message).toMatch(/^data folder \/proc\/barrage [^\n]+$/);
});

it('S-6 a folder of another layout is refused', async () => {
  await (await open()).close();
  const env = new LmdbEnv(join(folder, 'barrage.mdb'));
  await env.write([['v', '{"layout":99}']]);
  await env.close();
  expect((await refusalOf(folder)).message).toContain('another layout: {"layout":99}');
});

it('S-6 a file that is no store, or was cut short, is refused and left as it was', async () => {
  const store = await open();
  const room = roomId('room');
  const fence = await fenceOf(store, room);
  const json = Array.from({ length: 100 }, (_, i) => `{"id":"${i}"}`);
  await store.commit(room, fence, { append: { from: 1, json } });
  await store.close();
  const file = join(folder, 'barrage.mdb');
  const whole = readFileSync(file);
  const bad = [Buffer.alloc(100_000, 'x'), Buffer.from('x'), whole.subarray(0, 8192)];
  bad.push(whole.subarray(0, 5000), Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(9000)]));
  for (const bytes of bad) {
    writeFileSync(file, bytes);
    const refused = await refusalOf(folder);
    expect(refused.code).toBe('data_folder');
    expect(refused.message).toMatch(/: barrage\.mdb is (not a store|damaged: [a-z ]+)$/);
    expect(readFileSync(file)).toEqual(bytes);
  }
  writeFileSync(file, whole);
  const again = await open();
  expect((await again.load(room))?.nextOffset).toBe(101);
  await again.close();
});

it('R-KEEP-5 ended keys leave the disk, a bounded number at a time', async () => {
  const store = await open();
  const room = roomId('room');
  const fence = await fenceOf(store, room);
  const keys = Array.from({ length: 600 }, (_, i) => ({
    key: `k${i}`,
    fingerprint: 'f',
    reply: '{}',
    expiresAt: clock.now() + 1000 + i,
  }));
  await store.commit(room, fence, { keys });
  const left = async () => {
    const found = await Promise.all(keys.map(({ key }) => store.findKey(room, key, 0)));
    return found.filter((key) => key !== undefined).length;
  };
  clock.advance(500);
  await store.commit(room, fence, {});
  expect(await left()).toBe(600);
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    clock.advance(2000);
    await store.commit(room, fence, {});
    counts.push(await left());
  }
  expect(counts).toEqual([344, 88, 0, 0]);
  await store.close();
});
