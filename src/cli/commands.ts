/**
 * Owns what each command does, given its options as data. Knows nothing of how they are written on
 * the command line (program.ts).
 */
import { existsSync, readFileSync } from 'node:fs';
import { shownSettings, defaultFile } from '../config/default-file.js';
import { openConfig, type ConfigManager } from '../config/manager.js';
import type { Config } from '../config/config.js';
import { CONFIG_VARIABLE, type FlagText } from '../config/sources.js';
import { parseDuration } from '../config/units.js';
import { BarrageError } from '../errors.js';
import { parseBilibiliXml } from '../formats/bilibili-xml.js';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../ids.js';
import type { TokenRequest } from '../tokens.js';
import type { Role } from '../words.js';
import type { ProgramIo } from './io.js';
import { REPLAY_DEFAULTS, runReplay } from './replay.js';
import { runTail } from './tail.js';
import { askToken, localTokens } from './token-source.js';

const DEFAULT_FILE = './barrage.yaml';
/** Larger than any danmaku file in circulation; it is read whole. */
const XML_BYTES_MAX = 256 << 20;
const TTL_MS_MAX = 30 * 86_400_000;

export interface ConfigChoice {
  readonly config: string | undefined;
  readonly flags: readonly FlagText[];
}

/** `--config`, else BARRAGE_CONFIG, else ./barrage.yaml where there is one. */
export function configFile(config: string | undefined, io: ProgramIo): string | undefined {
  const named = config ?? io.env[CONFIG_VARIABLE];
  if (named !== undefined && named !== '') return named;
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined;
}

/** Throws BarrageError `config` with every problem. */
export function openChosen({ config, flags }: ConfigChoice, io: ProgramIo): ConfigManager {
  return openConfig({ file: configFile(config, io), env: io.env, flags });
}

export function checkConfig(choice: ConfigChoice, print: boolean, io: ProgramIo): void {
  const manager = openChosen(choice, io);
  const file = configFile(choice.config, io);
  io.out(print ? `${shownSettings(manager.settings)}\n` : `OK ${file ?? '(no file, defaults)'}\n`);
}

export function printDefaults(io: ProgramIo): void {
  io.out(defaultFile());
}

export interface TokenOptions {
  readonly room: readonly string[];
  readonly user: string | undefined;
  readonly name: string | undefined;
  readonly role: Role | undefined;
  readonly level: number | undefined;
  readonly ttl: string | undefined;
}

/** Prints a token signed with the key in force. */
export function printToken(config: Config, options: TokenOptions, io: ProgramIo): void {
  const { user, name, role, level, ttl } = options;
  if (user === undefined && role !== undefined && role !== 'guest') {
    throw new BarrageError('invalid', `--role ${role} needs --user`, { field: 'role' });
  }
  const request: TokenRequest = {
    rooms: options.room.map((room) => (room === '*' ? room : roomOf(room))),
    ttlMs: ttl === undefined ? config.tokens.ttlMs : ttlOf(ttl),
    ...(user !== undefined && { user: userOf(user) }),
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    ...(level !== undefined && { level }),
  };
  io.out(`${localTokens(config).issue(request, io.clock.now())}\n`);
}

export interface TailChoice {
  readonly url: string;
  readonly token: string | undefined;
}

export async function tail(room: string, choice: TailChoice, io: ProgramIo): Promise<void> {
  const options = { ...choice, url: urlOf(choice.url, 'url', ['ws:', 'wss:']), room: roomOf(room) };
  await untilStopped(io, (stop) =>
    runTail({ ...options, stop }, { ...io, print: (line) => io.out(`${line}\n`) }),
  );
}

export interface ReplayChoice {
  readonly room: string;
  readonly speed: string;
  readonly url: string;
  readonly connections: number | undefined;
  /** Asks the studio API for tokens with this key instead of signing here. */
  readonly key: string | undefined;
  readonly studioUrl: string;
}

/** True when the books balance. `config` is only asked when tokens are signed here. */
export async function replay(
  file: string,
  choice: ReplayChoice,
  config: () => Config,
  io: ProgramIo,
): Promise<boolean> {
  const room = roomOf(choice.room);
  const url = urlOf(choice.url, 'url', ['ws:', 'wss:']);
  const speed = speedOf(choice.speed);
  const tokenFor = tokenSource(room, choice, config, io);
  const xml = parseBilibiliXml(readXml(file));
  const progress = (line: string): void =>
    io.err(io.errIsTerminal ? `\r${line}\u001b[K` : `${line}\n`);
  const { books, seconds } = await untilStopped(io, (stop) =>
    runReplay(
      xml,
      {
        ...REPLAY_DEFAULTS,
        ...(choice.connections !== undefined && { connectionsMax: choice.connections }),
        url,
        room,
        speed,
        stop,
      },
      { clock: io.clock, random: io.random, tokenFor, progress },
    ),
  );
  if (io.errIsTerminal) io.err('\n');
  io.out(`${books.report(seconds)}\n`);
  return books.isBalanced;
}

function tokenSource(
  room: RoomId,
  { key, studioUrl }: ReplayChoice,
  config: () => Config,
  io: ProgramIo,
): (user: UserId) => Promise<string> {
  const ttlMs = 12 * 3_600_000;
  if (key !== undefined) {
    const studio = urlOf(studioUrl, 'studio-url', ['http:', 'https:']);
    return (user) => askToken(studio, key, { user, rooms: [room], ttlMs }, io.clock);
  }
  const tokens = localTokens(config());
  return (user) => Promise.resolve(tokens.issue({ user, rooms: [room], ttlMs }, io.clock.now()));
}

async function untilStopped<T>(io: ProgramIo, run: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const listening = io.onStop(() => stop.abort());
  try {
    return await run(stop.signal);
  } finally {
    listening.cancel();
  }
}

function readXml(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new BarrageError('invalid', `${file} cannot be read (${code})`, { field: 'file' });
  }
  if (bytes.byteLength > XML_BYTES_MAX) {
    const rule = `at most ${XML_BYTES_MAX >> 20} MiB`;
    throw new BarrageError('too_large', `${file} must be ${rule}`, { field: 'file', rule });
  }
  return bytes.toString('utf8');
}

function roomOf(text: string): RoomId {
  const room = parseRoomId(text);
  if (room !== undefined) return room;
  throw new BarrageError('invalid', `"${text}" is no room id (1-64 of A-Z a-z 0-9 _ -)`);
}

function userOf(text: string): UserId {
  const user = parseUserId(text);
  if (user !== undefined) return user;
  throw new BarrageError('invalid', `"${text}" is no user id (1-64 characters, no white space)`);
}

function ttlOf(text: string): number {
  const ttlMs = parseDuration(text);
  if (typeof ttlMs !== 'number') throw new BarrageError('invalid', `--ttl ${ttlMs.flaw}`);
  if (ttlMs < 1000 || ttlMs > TTL_MS_MAX) {
    throw new BarrageError('invalid', '--ttl must be 1s to 30d', { field: 'ttl' });
  }
  return ttlMs;
}

function speedOf(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (text.trim() !== '' && speed >= 0.01 && speed <= 10_000) return speed;
  throw new BarrageError('invalid', '--speed must be max or a number, 0.01 to 10000');
}

function urlOf(text: string, field: string, protocols: readonly string[]): string {
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
  const like = protocols.map((protocol) => `${protocol}//`).join(' or ');
  throw new BarrageError('invalid', `--${field} must be a URL with ${like}`, { field });
}
