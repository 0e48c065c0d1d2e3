/**
 * Owns what every process of the service has in common: log, clock, keys and configuration that may
 * change, the signal that ends it, and an end in order. Knows no service.
 */
import { createPinoLog, type PinoLog } from '../src/adapters/pino-log.js';
import { SystemClock } from '../src/adapters/system-clock.js';
import type { Config } from '../src/config/config.js';
import { logReloads, type ConfigManager } from '../src/config/manager.js';
import type { BarrageError } from '../src/errors.js';
import type { Secrets } from '../src/config/secrets.js';
import type { Clock } from '../src/ports/clock.js';
import { systemRandom, type Random } from '../src/random.js';
import { Meter } from '../src/telemetry/meter.js';
import { Tokens } from '../src/tokens.js';

export interface ProcessParts {
  readonly clock: Clock;
  readonly log: PinoLog;
  readonly meter: Meter;
  readonly random: Random;
  readonly stage: Stage;
  /** What was opened so far, the last first to be closed when the start fails. */
  readonly opened: Opened;
}

/** What changes while the process runs. */
export interface Stage {
  draining: boolean;
}

/** A service as the process holds it. */
export interface Role {
  /** Ports and the like, for the line that says it is up; `says` where that is not `ready`. */
  readonly says?: string;
  readonly told: Readonly<Record<string, unknown>>;
  /** After that line. */
  readonly greet?: () => void;
  /** Takes up a changed configuration. */
  tune(next: Config): void;
  /** Resolves when it cannot go on: the process ends in order, with this error. */
  readonly failure?: Promise<BarrageError>;
  /** Ends in order; viewers are sent away over `windowMs`. */
  stop(windowMs: number): Promise<void>;
}

/** Parts to close in the reverse order of their opening. */
export class Opened {
  readonly #closes: (() => Promise<void>)[] = [];

  /** Hands the part on and remembers how to close it. */
  async add<T>(opening: Promise<T>, close: (part: T) => Promise<void>): Promise<T> {
    const part = await opening;
    this.#closes.unshift(() => close(part));
    return part;
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closes.splice(0)) await close();
  }
}

/** What a process needs of who reads its configuration. */
export type Reloading = Pick<ConfigManager, 'current' | 'onChange' | 'onRefused'>;

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start or go on. */
export async function runProcess(
  config: Config,
  manager: Reloading,
  start: (config: Config, parts: ProcessParts) => Promise<Role>,
): Promise<void> {
  const log = createPinoLog(config.log.level);
  // Heard from the start on: a signal during the start ends the process once it is whole.
  const stopping = stopSignal();
  const stage = { draining: false };
  const clock = new SystemClock();
  const opened = new Opened();
  const parts = { clock, log, meter: new Meter(), random: systemRandom(), stage, opened };
  const role = await start(config, parts).catch(async (error: unknown) => {
    await opened.closeAll();
    throw error;
  });
  const reloads = logReloads(manager, log);
  manager.onChange((next) => {
    log.setLevel(next.log.level);
    role.tune(next);
  });
  log.info(role.says ?? 'ready', role.told);
  role.greet?.();
  const ended = await Promise.race([stopping, role.failure ?? new Promise<never>(() => undefined)]);
  stage.draining = true;
  const { windowMs } = manager.current.drain;
  const why = typeof ended === 'string' ? { signal: ended } : { error: ended };
  log.info('stopping', { ...why, windowMs });
  await role.stop(windowMs);
  reloads.cancel();
  log.info('stopped');
  if (typeof ended !== 'string') throw ended;
}

/** Keys in force; replaced as a whole when the configuration changes. */
export interface Live {
  secrets: Secrets;
  tokens: Tokens;
}

export function liveOf(config: Config, secrets: Secrets): Live {
  return { secrets, tokens: new Tokens(secrets.tokens, config.tokens.audience) };
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
