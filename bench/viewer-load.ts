/**
 * Owns the viewers of a measurement: builds bench/load/viewers.c once, starts it, speaks to it over
 * standard input and reads its JSON lines. Without a compiler Node viewers take its place.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleep, within } from './kit.js';
import { LOAD_CORE, mild, pinned } from './machine.js';
import { projectFolder } from './service.js';

export interface Times {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What bench/load/counts.h prints: all counts of all viewers within a window. */
export interface ViewerCounts {
  readonly type: 'ready' | 'second' | 'marked' | 'report' | 'total';
  readonly seconds: number;
  readonly opened: number;
  readonly joined: number;
  readonly failed: number;
  readonly closed: number;
  readonly stalled: number;
  readonly flushes: number;
  readonly frames: number;
  readonly bytes: number;
  readonly deliveries: number;
  readonly distinct: number;
  readonly gaps: number;
  readonly repeats: number;
  readonly unread: number;
  readonly errors: number;
  readonly pings: number;
  readonly offered: number;
  readonly blocked: number;
  readonly cpuUs: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly latencyMs: Times;
  readonly answerMs: Times;
}

export type Format = 'json' | 'deflate';

export interface LoadOptions {
  readonly port: number;
  readonly path: string;
  readonly room: string;
  /** More than one: viewers in turn are in `<room>-0`, `<room>-1`, …; `path` ends with the room. */
  readonly rooms?: number;
  readonly viewers: number;
  readonly format?: Format;
  /** Connections opened per second. */
  readonly rate?: number;
  readonly processes?: number;
  /** Connections on their way at once, of each process; compiled viewers only. */
  readonly pending?: number;
  /** After so long the load ends by itself, 15 min unless told otherwise. */
  readonly secondsMax?: number;
  /** One token a viewer, in turn. */
  readonly tokens?: readonly string[];
  /** What speaking viewers say, in turn. */
  readonly texts?: readonly string[];
  /** Share of viewers that stop reading once joined. */
  readonly stall?: number;
  /** How viewers join a foreign server (bench/load/manner.h); compiled viewers only. */
  readonly manner?: readonly string[];
  /** Viewers join, leave and come again as fast as they can. */
  readonly churn?: boolean;
  /** Viewers that come over HTTP; compiled viewers only. `path` is that of the events or polls. */
  readonly http?: 'events' | 'poll';
  /** Polls: each waits as long as the answer advises before the next one. */
  readonly isHeeding?: boolean;
  /** Addresses the viewers come from, in turn. */
  readonly addresses?: number;
  /** Gives way to the other load of its core, which is measured beside it. */
  readonly isMild?: boolean;
  /** False: on any core. */
  readonly isPinned?: boolean;
}

export interface Builder {
  /** Program and first arguments. */
  readonly command: readonly string[];
  readonly warning: string | undefined;
  readonly deflate: boolean;
  /** Whether the viewers are compiled, and so can do all that LoadOptions says. */
  readonly isCompiled: boolean;
}

const VIEWERS_PER_PROCESS_MAX = 18_000;
const ADDRESS_VIEWERS = 2500;
const SECONDS_MAX = 900;
const ANSWER_MS_MAX = 10_000;

/** Compiles the load program unless a newer one is there; says what it had to do without. */
export function buildViewers(): Builder {
  const from = join(projectFolder, 'bench', 'load');
  const out = join(projectFolder, 'bench', 'out');
  const sources = readdirSync(from)
    .filter((name) => /\.[ch]$/.test(name))
    .map((name) => join(from, name));
  const main = join(from, 'viewers.c');
  mkdirSync(out, { recursive: true });
  const program = join(out, 'viewers');
  for (const compiler of ['cc', 'gcc', 'clang']) {
    if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0) continue;
    if (isNewer(program, sources) || compiles(compiler, program, [main, '-lz'])) {
      return { command: [program], warning: undefined, deflate: true, isCompiled: true };
    }
    const plain = `${program}-json`;
    if (compiles(compiler, plain, ['-DWITHOUT_ZLIB', main])) {
      const warning = 'zlib.h is missing: deflate viewers are left out';
      return { command: [plain], warning, deflate: false, isCompiled: true };
    }
  }
  return {
    command: [process.execPath, join(projectFolder, 'dist', 'bench', 'load', 'viewers.js')],
    warning: 'no C compiler: viewers are Node processes and may be the bottleneck',
    deflate: true,
    isCompiled: false,
  };
}

/** Whether a program was built after the last change of its sources. */
export function isNewer(program: string, sources: readonly string[]): boolean {
  if (!existsSync(program)) return false;
  const built = statSync(program).mtimeMs;
  return sources.every((source) => statSync(source).mtimeMs < built);
}

/** Written beside and moved into place: another bench may be running the old program. */
export function compiles(compiler: string, program: string, args: readonly string[]): boolean {
  const beside = `${program}.${process.pid}`;
  const { status } = spawnSync(compiler, ['-O2', '-o', beside, ...args], { stdio: 'ignore' });
  if (status === 0) renameSync(beside, program);
  return status === 0;
}

export class ViewerLoad {
  readonly #process: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'barrage-load-'));
  readonly #waiting = new Map<string, (counts: ViewerCounts) => void>();
  readonly #ready: Promise<ViewerCounts>;
  #complaint = '';

  constructor(builder: Builder, options: LoadOptions) {
    const own = [...builder.command, ...this.#arguments(options)] as [string, ...string[]];
    const [program, ...args] = options.isMild === true ? mild(own) : own;
    const command =
      options.isPinned === false ? [program, ...args] : pinned(LOAD_CORE, program, args);
    const [file, ...rest] = command as [string, ...string[]];
    this.#process = spawn(file, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stdin?.on('error', () => undefined);
    this.#process.stderr?.on('data', (part: Buffer) => {
      this.#complaint = (this.#complaint + part.toString()).slice(-2000);
    });
    this.#ready = this.#next('ready');
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      const counts = JSON.parse(line) as ViewerCounts;
      this.#waiting.get(counts.type)?.(counts);
    });
  }

  /** All viewers joined; rejects when some could not. */
  async ready(timeoutMs: number): Promise<ViewerCounts> {
    const counts = await within(this.#ready, `viewers to join ${this.#complaint}`, timeoutMs);
    if (counts.failed > 0) throw new Error(`${counts.failed} viewers failed. ${this.#complaint}`);
    return counts;
  }

  /** Starts the window `report` will tell of. */
  async mark(): Promise<void> {
    await this.#ask('mark', 'marked');
  }

  report(): Promise<ViewerCounts> {
    return this.#ask('report', 'report');
  }

  /** Everything counted since the start. */
  total(): Promise<ViewerCounts> {
    return this.#ask('total', 'total');
  }

  /** Makes viewers speak at `perSecond` danmaku together; 0 ends it. */
  speak(perSecond: number): void {
    this.#process.stdin?.write(`speak ${perSecond}\n`);
  }

  /** Every `nth` viewer stops reading, until 0 lets them all go on. */
  pause(nth: number): void {
    this.#process.stdin?.write(`pause ${nth}\n`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.stdin?.end('quit\n');
      await Promise.race([ended, sleep(5000)]);
      if (this.#process.exitCode === null) this.#process.kill('SIGKILL');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #ask(command: string, type: ViewerCounts['type']): Promise<ViewerCounts> {
    const answer = this.#next(type);
    this.#process.stdin?.write(`${command}\n`);
    return within(answer, `the viewers to answer ${command}`, ANSWER_MS_MAX);
  }

  #next(type: string): Promise<ViewerCounts> {
    return new Promise((resolve) => void this.#waiting.set(type, resolve));
  }

  #arguments(options: LoadOptions): string[] {
    const { port, path, room, viewers, format = 'json', rate = 2000, tokens, texts } = options;
    const processes = options.processes ?? Math.ceil(viewers / VIEWERS_PER_PROCESS_MAX);
    const { addresses = Math.max(4, Math.ceil(viewers / ADDRESS_VIEWERS)) } = options;
    const { rooms = 1 } = options;
    const args = { port, path, room, rooms, viewers, format, rate, processes, addresses };
    const { secondsMax = SECONDS_MAX } = options;
    const list = Object.entries({ ...args, seconds: secondsMax }).flatMap(([name, value]) => [
      `--${name}`,
      String(value),
    ]);
    if (tokens !== undefined) list.push('--tokens', this.#file('tokens', tokens));
    if (texts !== undefined) {
      const quoted = texts.map((text) => JSON.stringify(text));
      list.push('--texts', this.#file('texts', quoted));
    }
    if (options.manner !== undefined) list.push('--manner', this.#file('manner', options.manner));
    if (options.pending !== undefined) list.push('--pending', String(options.pending));
    if (options.stall !== undefined) list.push('--stall', String(options.stall));
    if (options.churn === true) list.push('--churn');
    if (options.http !== undefined) list.push('--http', options.http);
    if (options.isHeeding === true) list.push('--heed');
    return list;
  }

  #file(name: string, lines: readonly string[]): string {
    const path = join(this.#folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }
}
