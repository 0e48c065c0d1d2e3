/**
 * Owns the keys nobody configured: made at random at the first start, kept in the data folder, read
 * again later. They are never logged.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { BarrageError } from '../errors.js';
import { makeFolder } from '../folders.js';
import { randomId } from '../random.js';
import type { TokenKey } from '../tokens.js';
import type { Config } from './config.js';
import { TABLE, type StudioKey } from './schema.js';

const FILE = 'secrets.json';

/** The keys in force: configured ones, else those of the data folder. */
export interface Secrets {
  readonly tokens: readonly TokenKey[];
  readonly studio: readonly StudioKey[];
}

export function secretsFile(folder: string): string {
  return join(folder, FILE);
}

/** The keys in force; missing ones are made and kept. Throws BarrageError `data_folder`. */
export function ensureSecrets(config: Config): Secrets {
  const { folder } = config.data;
  const stored = readSecrets(folder);
  const tokens = orElse(config.tokens.keys, stored.tokens);
  const studio = orElse(config.studio.keys, stored.studio);
  if (tokens.length > 0 && studio.length > 0) return { tokens, studio };
  const whole: Secrets = {
    tokens: orElse(tokens, [{ kid: randomId(4), secret: newSecret() }]),
    studio: orElse(studio, [{ id: 'first', secret: newSecret() }]),
  };
  // Configured keys stay out of the file: they are kept where the operator put them.
  writeSecrets(folder, {
    tokens: config.tokens.keys.length > 0 ? stored.tokens : whole.tokens,
    studio: config.studio.keys.length > 0 ? stored.studio : whole.studio,
  });
  return whole;
}

/** The keys in force without making any; a list is empty where the service has not started yet. */
export function findSecrets(config: Config): Secrets {
  const stored = readSecrets(config.data.folder);
  return {
    tokens: orElse(config.tokens.keys, stored.tokens),
    studio: orElse(config.studio.keys, stored.studio),
  };
}

/**
 * The keys of a process that is one of several: none are made, since each would make its own. Throws
 * BarrageError `config` naming a list that is neither configured nor in the data folder.
 */
export function sharedSecrets(config: Config, needed: readonly (keyof Secrets)[]): Secrets {
  const secrets = findSecrets(config);
  for (const list of needed) {
    if (secrets[list].length > 0) continue;
    const field = `${list}.keys`;
    const message = `${field}: processes that work together need the same keys, configure them`;
    throw new BarrageError('config', message, { field });
  }
  return secrets;
}

function orElse<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  return first.length > 0 ? first : second;
}

/** 256 bits, as RFC 7518 §3.2 asks of HS256; 43 characters. */
function newSecret(): string {
  return randomId(32);
}

function readSecrets(folder: string): Secrets {
  const file = secretsFile(folder);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { tokens: [], studio: [] };
    throw refusal(file, 'cannot be read', error);
  }
  try {
    const { tokens, studio } = JSON.parse(text) as { tokens: unknown; studio: unknown };
    const checked = [TABLE.tokens.keys.check(tokens), TABLE.studio.keys.check(studio)] as const;
    const [tokenKeys, studioKeys] = checked;
    if ('value' in tokenKeys && 'value' in studioKeys) {
      return { tokens: tokenKeys.value, studio: studioKeys.value };
    }
  } catch {
    // Told below without the parser's words: they would quote the file.
  }
  throw refusal(file, 'is damaged; mend it or remove it to have new keys made');
}

/** Whole or not at all, and there after a power cut. */
function writeSecrets(folder: string, secrets: Secrets): void {
  const file = secretsFile(folder);
  const fresh = `${file}.${randomId(6)}.new`;
  try {
    makeFolder(resolve(folder));
    const handle = openSync(fresh, 'wx', 0o600);
    try {
      writeSync(handle, `${JSON.stringify(secrets, null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(fresh, file);
    syncFolder(folder);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw refusal(file, 'cannot be written', error);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function refusal(file: string, what: string, cause?: unknown): BarrageError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const why = code === undefined ? '' : ` (${code})`;
  return new BarrageError('data_folder', `${file} ${what}${why}`, { field: 'data.folder', cause });
}
