/** Owns what a command needs of its process, so that commands can be run inside a test. */
import { SystemClock } from '../adapters/system-clock.js';
import type { Cancel, Clock } from '../ports/clock.js';
import { systemRandom, type Random } from '../random.js';

export interface ProgramIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results; text with its own line breaks. */
  out(text: string): void;
  /** Errors and progress. */
  err(text: string): void;
  /** Whether `err` may rewrite its last line. */
  readonly errIsTerminal: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls back when the process is told to end (SIGINT, SIGTERM) or nobody reads its output. */
  onStop(stop: () => void): Cancel;
  /** Calls back at SIGHUP. */
  onHangup(run: () => void): Cancel;
}

/** The real process. */
export function processIo(): ProgramIo {
  // A reader of output or log that goes away must not end a service (EPIPE).
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  return {
    env: process.env,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    errIsTerminal: process.stderr.isTTY,
    clock: new SystemClock(),
    random: systemRandom(),
    onStop: (stop) => {
      const signals = [listen('SIGINT', stop), listen('SIGTERM', stop)];
      process.stdout.on('error', stop);
      return {
        cancel: () => {
          for (const signal of signals) signal.cancel();
          process.stdout.off('error', stop);
        },
      };
    },
    onHangup: (run) => listen('SIGHUP', run, true),
  };
}

/** Once unless `again`: a second SIGINT ends a process that does not want to. */
function listen(signal: NodeJS.Signals, run: () => void, again = false): Cancel {
  if (again) process.on(signal, run);
  else process.once(signal, run);
  return { cancel: () => void process.off(signal, run) };
}
