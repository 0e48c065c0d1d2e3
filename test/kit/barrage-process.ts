/**
 * Runs one process of the built program (`dist/barrage.js <role>`) as an operator would: with a
 * configuration file, its log read line by line. Can be frozen, resumed, killed and ended.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { NODE_FLAGS } from '../../src/cli/node-flags.js';

const PROGRAM = fileURLToPath(new URL('../../dist/barrage.js', import.meta.url));
const READY_MS = 15_000;
const STOP_MS = 15_000;
/** Lines kept of a log: a process that complains for minutes must not fill the test's memory. */
const LOG_LINES_MAX = 5000;

/** Sections of the configuration file, each with its keys. */
export type ConfigSections = Readonly<Record<string, unknown>>;

export interface BarrageProcess {
  readonly pid: number;
  /** Fields of the log line that says it is ready: ports and the like. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Newest lines of the log. */
  readonly log: readonly string[];
  readonly hasEnded: boolean;
  freeze(): void;
  resume(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; the exit code. Rejects when it has not ended in `withinMs`. */
  stop(withinMs?: number): Promise<number | null>;
}

/** Rejects with the end of its log when it does not say in time that it is ready. */
export async function startBarrage(
  role: string,
  configFile: string,
  config: ConfigSections,
  environment: Readonly<Record<string, string>> = {},
): Promise<BarrageProcess> {
  await writeFile(configFile, stringify(config));
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, role, '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...environment },
  });
  const log: string[] = [];
  const ready = await waitReady(child, role, log);
  return {
    ...{ pid: child.pid!, ready, log },
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    freeze: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: async () => {
      await end(child, 'SIGKILL', STOP_MS);
    },
    stop: (withinMs = STOP_MS) => end(child, 'SIGTERM', withinMs),
  };
}

function waitReady(
  child: ChildProcess,
  role: string,
  log: string[],
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Error(`${role}: ${why}\n${log.slice(-20).join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('it was not ready in time');
    }, READY_MS);
    const keep = (line: string) => {
      log.push(line);
      if (log.length > LOG_LINES_MAX) log.splice(0, LOG_LINES_MAX / 2);
    };
    createInterface({ input: child.stdout! }).on('line', (line) => {
      keep(line);
      const entry = parseJson(line);
      if (entry?.['msg'] !== 'ready') return;
      clearTimeout(timer);
      resolve(entry);
    });
    createInterface({ input: child.stderr! }).on('line', keep);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`it ended with ${code} before it was ready`);
    });
  });
}

export function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function end(
  child: ChildProcess,
  signal: NodeJS.Signals,
  withinMs: number,
): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the process did not end ${withinMs} ms after ${signal}`));
    }, withinMs);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
    child.kill(signal);
  });
}
