/**
 * Owns what the operating system tells: which machine this is, what a process has used so far, on
 * which core it may run. Reads /proc; knows no service.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  readonly changed: boolean;
  readonly load: string;
}

export interface Usage {
  /** User and system time of all threads so far; /proc counts it in 10 ms steps. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** CPU cores of a measurement: the server alone on the first, all load on the second. */
export const SERVER_CORE = 0;
export const LOAD_CORE = availableParallelism() > 1 ? 1 : 0;

const hasTaskset = spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;
const ticksPerSecond = Number(output('getconf', ['CLK_TCK']) ?? '100');

/** The command line that runs `command` on one core; unchanged where taskset is missing. */
export function pinned(core: number, command: string, args: readonly string[]): string[] {
  return hasTaskset ? ['taskset', '-c', String(core), command, ...args] : [command, ...args];
}

/** The command line that runs `command` at a low priority. */
export function mild(command: readonly string[]): [string, ...string[]] {
  return ['nice', '-n', '10', ...command];
}

/** Moves this process and all its threads to a core; without taskset it stays where it is. */
export function pinSelf(core: number): void {
  if (hasTaskset) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)]);
}

export function isPinning(): boolean {
  return hasTaskset;
}

export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    commit: output('git', ['rev-parse', '--short', 'HEAD']) ?? 'none',
    changed: (output('git', ['status', '--porcelain', '--untracked-files=no']) ?? '') !== '',
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
  };
}

/** What a living process has used; throws when it has ended. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may hold spaces and brackets: fields are counted after its last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    rssBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
  };
}

/** Bytes of all TCP buffers of this machine, both ends of loopback connections. */
export function tcpBufferBytes(): number {
  const pages = /^TCP:.* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))?.[1] ?? 0;
  return Number(pages) * 4096;
}

function output(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    return undefined;
  }
}
