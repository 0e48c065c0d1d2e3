/**
 * Owns the right to a data folder: one process at a time, told by a lock file that names its holder.
 * A holder that was killed leaves a stale file, which is seen and replaced. Knows no store.
 */
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { makeFolder } from '../folders.js';
import { BarrageError } from '../errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import { randomId } from '../random.js';

const LOCK_FILE = 'owner.lock';
/** The holder touches its file this often; a file of another machine is stale after the second. */
const TOUCH_EVERY_MS = 2000;
const STALE_AFTER_MS = 15_000;
const ATTEMPTS = 3;

interface Holder {
  readonly pid: number;
  /** Start of the process as its kernel tells it, so that a reused pid is seen; '' if untold. */
  readonly started: string;
  /** A process id means nothing on another host or in another container. */
  readonly host: string;
  readonly nonce: string;
}

/** Locks of this very process: a file with our pid and another nonce is an earlier process's. */
const held = new Set<string>();

/** Creates the folder and takes it. Throws BarrageError `data_folder` with one plain sentence. */
export function lockFolder(folder: string, clock: Clock): Cancel {
  const file = join(folder, LOCK_FILE);
  const self: Holder = {
    pid: process.pid,
    started: startOf(process.pid),
    host: hostname(),
    nonce: randomId(),
  };
  try {
    makeFolder(resolve(folder));
    takeFile(file, self, folder);
  } catch (error) {
    throw folderError(folder, error);
  }
  held.add(self.nonce);
  const touching = clock.every(TOUCH_EVERY_MS, () => touch(file));
  return {
    cancel: () => {
      touching.cancel();
      held.delete(self.nonce);
      if (readHolder(file)?.nonce === self.nonce) rmSync(file, { force: true });
    },
  };
}

/** The error of a folder that cannot be used, in one sentence that says why. */
export function folderError(folder: string, error: unknown): BarrageError {
  if (error instanceof BarrageError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const said = error instanceof Error ? error.message : String(error);
  const why = WHY[String(code)] ?? `cannot be used: ${said}`;
  return refusal(`data folder ${folder} ${why}`, error);
}

const WHY: Readonly<Record<string, string>> = {
  EEXIST: 'is not a folder',
  ENOTDIR: 'is not a folder',
  ENOENT: 'cannot be created',
  EACCES: 'is not writable',
  EPERM: 'is not writable',
  EROFS: 'is not writable: its file system is read-only',
  ENOSPC: 'has no room: its disk is full',
  EDQUOT: 'has no room: the disk quota is used up',
};

function refusal(sentence: string, cause?: unknown): BarrageError {
  return new BarrageError('data_folder', sentence, { field: 'dataFolder', cause });
}

function takeFile(file: string, self: Holder, folder: string): void {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (createFile(file, self)) return;
    const holder = readHolder(file);
    const ageMs = ageOf(file);
    if (ageMs === undefined) continue;
    if (isAlive(holder, self, ageMs)) {
      const who = holder === undefined ? 'another process' : `process ${holder.pid}`;
      const where = holder === undefined || holder.host === self.host ? '' : ` on ${holder.host}`;
      throw refusal(`data folder ${folder} is in use by ${who}${where}`);
    }
    dropStale(file, holder, self);
  }
  throw refusal(`data folder ${folder} is being taken by another process`);
}

function createFile(file: string, self: Holder): boolean {
  try {
    writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST' && isFile(file)) return false;
    rmSync(file, { force: true });
    throw error;
  }
}

/** Moved aside first: when two processes find the same stale file, the slower must not drop the new. */
function dropStale(file: string, stale: Holder | undefined, self: Holder): void {
  const aside = `${file}.${self.nonce}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readHolder(aside)?.nonce === stale?.nonce) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Milliseconds since the file was touched; undefined when it is gone. */
function ageOf(file: string): number | undefined {
  const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return touched === undefined ? undefined : Date.now() - touched;
}

function touch(file: string): void {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Gone or read-only: the next process decides by the pid.
  }
}

/**
 * Start time of a process, field 22 of /proc/<pid>/stat; the name before it may hold anything. A
 * process that ended and was not waited for yet (state Z) has none: it holds nothing any more.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder> | null;
    const isHolder = typeof value?.pid === 'number' && typeof value.host === 'string';
    return isHolder ? (value as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the holder still runs. Here its pid tells; elsewhere, the age of its last touch. */
function isAlive(holder: Holder | undefined, self: Holder, ageMs: number): boolean {
  if (holder === undefined) return ageMs < TOUCH_EVERY_MS;
  if (holder.host !== self.host) return ageMs < STALE_AFTER_MS;
  if (holder.pid === self.pid) return held.has(holder.nonce);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ESRCH') return false;
  }
  return holder.started === '' || holder.started === startOf(holder.pid);
}
