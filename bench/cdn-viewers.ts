/**
 * Owns the CDN viewers of a measurement: builds bench/load/pollers.c once, starts it, speaks to it over
 * standard input and reads its JSON lines.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleep, within } from './kit.js';
import { LOAD_CORE, pinned } from './machine.js';
import { projectFolder } from './service.js';
import { compiles, isNewer } from './viewer-load.js';

/** Counts since `mark`, of all viewers together; times in milliseconds. */
export interface PollCounts {
  readonly type: 'marked' | 'report';
  readonly seconds: number;
  readonly requests: number;
  /** Answers that were an error, and requests that were not answered. */
  readonly failed: number;
  /** Segments a manifest named that were not there (404). */
  readonly missing: number;
  /** Manifests answered by 304. */
  readonly same: number;
  /** Manifests older than one the viewer had seen. */
  readonly back: number;
  /** Requests not made: too many waited for the connection. */
  readonly late: number;
  readonly bytes: number;
  readonly publications: number;
  readonly segments: number;
  /** From a publication's `at` until a viewer has it. */
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** From the moment a request was due until its answer was read. */
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
  readonly cpuUs: number;
}

export interface PollOptions {
  readonly port: number;
  readonly room: string;
  readonly viewers: number;
  readonly pollMs: number;
  readonly seed: number;
}

/** Kept connections; more viewers share them, one request at a time on each. */
export const CONNECTIONS_MAX = 8000;
const ANSWER_MS_MAX = 10_000;
const END_MS = 5000;

/** Throws when there is no C compiler or no zlib. */
export function buildPollers(): string {
  const from = join(projectFolder, 'bench', 'load');
  const out = join(projectFolder, 'bench', 'out');
  mkdirSync(out, { recursive: true });
  const sources = ['pollers.c', 'files.h'].map((name) => join(from, name));
  const program = join(out, 'pollers');
  const isBuilt =
    isNewer(program, sources) ||
    ['cc', 'gcc', 'clang'].some((compiler) => compiles(compiler, program, [sources[0]!, '-lz']));
  if (!isBuilt) throw new Error('a C compiler and zlib are needed');
  return program;
}

export class CdnViewers {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<string, (counts: PollCounts) => void>();

  constructor(program: string, { port, room, viewers, pollMs, seed }: PollOptions) {
    const connections = Math.min(viewers, CONNECTIONS_MAX);
    const named = { port, room, viewers, connections, 'poll-ms': pollMs, addresses: 4, seed };
    const args = Object.entries(named).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const [file, ...rest] = pinned(LOAD_CORE, program, args) as [string, ...string[]];
    this.#process = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdin?.on('error', () => undefined);
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      const counts = JSON.parse(line) as PollCounts;
      this.#waiting.get(counts.type)?.(counts);
    });
  }

  /** Starts the window `report` will tell of. */
  async mark(): Promise<void> {
    await this.#ask('mark', 'marked');
  }

  report(): Promise<PollCounts> {
    return this.#ask('report', 'report');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end('quit\n');
    await Promise.race([ended, sleep(END_MS)]);
    if (this.#process.exitCode === null) this.#process.kill('SIGKILL');
  }

  #ask(command: string, type: PollCounts['type']): Promise<PollCounts> {
    const answer = new Promise<PollCounts>((resolve) => void this.#waiting.set(type, resolve));
    this.#process.stdin?.write(`${command}\n`);
    return within(answer, `the viewers to answer ${command}`, ANSWER_MS_MAX);
  }
}
