/**
 * Owns writing log lines: JSON when nobody watches, a short readable line on a terminal. Secrets are
 * taken out of fields and texts here, so that no caller can log one. The only importer of pino.
 */
import { pino, type Logger } from 'pino';
import { printable } from '../formats/printable.js';
import type { Log, LogFields } from '../ports/log.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface PinoLog extends Log {
  /** Takes effect at once, also on logs made by `with`. */
  setLevel(level: LogLevel): void;
}

/** Readable lines when `stream` is a terminal, else one JSON object a line. */
export function createPinoLog(level: LogLevel, stream: LogStream = process.stdout): PinoLog {
  const holder = { level };
  const isTerminal = stream.isTTY === true;
  const write = (line: string) => stream.write(isTerminal ? readableLine(line) : line);
  const options = {
    level: 'debug',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, { write });
  return { ...logOf(logger, holder), setLevel: (next) => void (holder.level = next) };
}

const RANK: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
};

function logOf(logger: Logger, holder: { level: LogLevel }): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (text: string, fields: LogFields = {}): void => {
      if (RANK[level] < RANK[holder.level]) return;
      logger[level](scrubFields(fields), scrubText(text));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => logOf(logger.child(scrubFields(fields)), holder),
  };
}

const HIDDEN = '(hidden)';
const SECRET_NAME =
  /token|secret|password|passwd|authorization|cookie|api_?key|private_?key|^keys?$/i;
/** JWTs, bearer credentials and secret query parameters inside texts. */
const SECRET_TEXTS: readonly [RegExp, string][] = [
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*/g, HIDDEN],
  [/\b(bearer)\s+[^\s"',;]+/gi, `$1 ${HIDDEN}`],
  [/\b((?:token|secret|api_?key|password)=)[^\s&"'#]+/gi, `$1${HIDDEN}`],
];
const DEPTH_MAX = 5;
const ITEMS_MAX = 50;

function scrubText(text: string): string {
  return SECRET_TEXTS.reduce((clean, [secret, by]) => clean.replace(secret, by), text);
}

/** Names pino writes itself; a field of that name would be read in their place. */
const OWN_NAMES: readonly string[] = ['level', 'time', 'msg'];

function scrubFields(fields: LogFields): Record<string, unknown> {
  const clean = scrub(fields, 0) as Record<string, unknown>;
  for (const name of OWN_NAMES) {
    if (!(name in clean)) continue;
    clean[`${name}_`] = clean[name];
    delete clean[name];
  }
  return clean;
}

/** A copy of bounded depth and width without secrets; errors as their words. */
function scrub(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '(deeper)';
  if (value instanceof Error) return scrubError(value, depth);
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item: unknown) => scrub(item, depth + 1));
  }
  const clean: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value).slice(0, ITEMS_MAX)) {
    clean[name] = isSecret(name, inner) ? HIDDEN : scrub(inner, depth + 1);
  }
  return clean;
}

/** Counts and flags about secrets (`keys: 2`) are no secrets. */
function isSecret(name: string, value: unknown): boolean {
  const holds = typeof value === 'string' || (typeof value === 'object' && value !== null);
  return holds && SECRET_NAME.test(name);
}

function scrubError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    ...(code !== undefined && { code: scrub(code, depth + 1) }),
    text: scrubText(message),
    ...(stack !== undefined && { stack: scrubText(stack) }),
    ...(cause !== undefined && { cause: scrub(cause, depth + 1) }),
  };
}

/** `17:31:05 WARN  the data folder is nearly full  free=12MiB` */
function readableLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const text = printable([String(msg ?? ''), ...pairs].join('  '));
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${text}\n`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /[\s="]/.test(value) ? JSON.stringify(value) : value;
  if (typeof value !== 'object' || value === null) return String(value);
  const { stack: _, ...rest } = value as Record<string, unknown>;
  return JSON.stringify(Array.isArray(value) ? value : rest);
}
