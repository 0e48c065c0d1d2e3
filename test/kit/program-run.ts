/** Runs a command line in this process with an environment and output of the test's own. */
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { ProgramIo } from '../../src/cli/io.js';
import { runProgram, type RunService, type Services } from '../../src/cli/program.js';
import { seededRandom } from '../../src/random.js';

export interface ProgramRun {
  /** The exit code. */
  readonly ended: Promise<number>;
  readonly out: () => string;
  readonly err: () => string;
  /** As SIGINT does. */
  stop(): void;
  /** As SIGHUP does. */
  hangup(): void;
  /** Resolves once the output matches; rejects when the program ends without. */
  said(pattern: RegExp): Promise<void>;
}

const unexpected: RunService = () => Promise.reject(new Error('no service expected'));
const noServices: Services = {
  ...{ all: unexpected, edge: unexpected, room: unexpected },
  'cdn-pusher': unexpected,
};

export function startProgram(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  services: Partial<Services> = {},
): ProgramRun {
  const text = { out: '', err: '' };
  const calls = { stop: () => undefined as void, hangup: () => undefined as void };
  const watchers = new Set<() => void>();
  const add = (name: 'out' | 'err') => (more: string) => {
    text[name] += more;
    for (const look of watchers) look();
  };
  const io: ProgramIo = {
    env,
    out: add('out'),
    err: add('err'),
    errIsTerminal: false,
    clock: new SystemClock(),
    random: seededRandom(7),
    onStop: (run) => {
      calls.stop = run;
      return { cancel: () => undefined };
    },
    onHangup: (run) => {
      calls.hangup = run;
      return { cancel: () => undefined };
    },
  };
  const ended = runProgram(argv, { ...noServices, ...services }, io);
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text.out + text.err)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      void ended.then(() => reject(new Error(`ended without ${pattern}: ${text.out}${text.err}`)));
      look();
    });
  return {
    ended,
    out: () => text.out,
    err: () => text.err,
    stop: () => calls.stop(),
    hangup: () => calls.hangup(),
    said,
  };
}

/** Runs to its end. */
export async function runToEnd(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const run = startProgram(argv, env);
  const code = await run.ended;
  return { code, out: run.out(), err: run.err() };
}
