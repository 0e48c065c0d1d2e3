import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { openConfig } from '../../src/config/manager.js';
import { ensureSecrets, findSecrets, secretsFile } from '../../src/config/secrets.js';
import { BarrageError } from '../../src/errors.js';
import { Tokens } from '../../src/tokens.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'barrage-secrets-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function configOf(data = join(folder, 'data'), more: readonly string[] = []): Config {
  const set = [`data.folder=${data}`, ...more];
  const flags = set.map((text) => ({ flag: '--set', text }));
  return openConfig({ file: undefined, env: {}, flags }).current;
}

function refusalOf(run: () => unknown): BarrageError {
  try {
    run();
  } catch (error) {
    if (error instanceof BarrageError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

const SECRET = 's'.repeat(40);

it('C-1 keys nobody configured are made once, kept for their owner alone, and good to sign', () => {
  const config = configOf();
  expect(findSecrets(config)).toEqual({ tokens: [], studio: [] });
  const made = ensureSecrets(config);
  expect(made.tokens[0]?.secret).toMatch(/^[\w-]{43}$/);
  expect(made.studio[0]?.secret).toMatch(/^[\w-]{43}$/);
  expect(made.studio[0]?.secret).not.toBe(made.tokens[0]?.secret);
  expect(ensureSecrets(config)).toEqual(made);
  expect(findSecrets(config)).toEqual(made);
  expect(statSync(secretsFile(config.data.folder)).mode & 0o777).toBe(0o600);
  expect(readdirSync(config.data.folder)).toEqual(['secrets.json']);
  const tokens = new Tokens(made.tokens, 'barrage');
  const token = tokens.issue({ user: 'u1', rooms: ['lobby'], ttlMs: 60_000 }, Date.now());
  expect(tokens.verify(token)).toMatchObject({ user: 'u1' });
});

it('C-1 configured keys hold and stay out of the data folder', () => {
  const keys = [`tokens.keys=[{kid: k, secret: ${SECRET}}]`];
  const half = configOf(join(folder, 'data'), keys);
  const made = ensureSecrets(half);
  expect(made.tokens).toEqual([{ kid: 'k', secret: SECRET }]);
  expect(made.studio).toHaveLength(1);
  expect(readFileSync(secretsFile(half.data.folder), 'utf8')).not.toContain(SECRET);
  const later = ensureSecrets(configOf());
  expect(later.studio).toEqual(made.studio);
  expect(later.tokens[0]?.secret).not.toBe(SECRET);
  const both = [...keys, `studio.keys=[{id: s, secret: ${SECRET}}]`];
  ensureSecrets(configOf(join(folder, 'untouched'), both));
  expect(readdirSync(folder)).toEqual(['data']);
});

it('O-2 a damaged or unreachable secrets file is refused in one sentence that quotes nothing of it', () => {
  const config = configOf();
  ensureSecrets(config);
  const file = secretsFile(config.data.folder);
  for (const text of [
    '{"tokens": [{"kid": "k", "secret": "hunter2"',
    '{"tokens":[{"kid":7}]}',
    '3',
  ]) {
    writeFileSync(file, text);
    const error = refusalOf(() => ensureSecrets(config));
    expect(error.code).toBe('data_folder');
    expect(error.message).toBe(`${file} is damaged; mend it or remove it to have new keys made`);
    expect(readFileSync(file, 'utf8')).toBe(text);
  }
  const blocked = configOf(file);
  expect(refusalOf(() => ensureSecrets(blocked)).message).toMatch(/cannot be read \(ENOTDIR\)$/);
});

it('O-2 a data folder that cannot be written is told in one sentence', () => {
  const dangling = join(folder, 'dangling');
  symlinkSync(join(folder, 'missing', 'target'), dangling);
  const error = refusalOf(() => ensureSecrets(configOf(dangling)));
  expect(error.code).toBe('data_folder');
  expect(error.message).toMatch(/^\S*dangling\/secrets\.json cannot be written \(E[A-Z]+\)$/);
  expect(readdirSync(folder)).toEqual(['dangling']);
});
