/**
 * Owns finding the programs some tests need beside Node: on the PATH, else installed from Debian's
 * packages where this is allowed (root and apt-get), else said in one line.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL_MS = 8 * 60_000;

interface Tool {
  /** Names the program goes by. */
  readonly programs: readonly string[];
  readonly packages: readonly string[];
}

const TOOLS = {
  chromium: {
    programs: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    packages: ['chromium', 'fonts-dejavu-core'],
  },
  'nats-server': { programs: ['nats-server'], packages: ['nats-server'] },
  'redis-server': { programs: ['redis-server'], packages: ['redis-server'] },
  nginx: { programs: ['nginx'], packages: ['nginx-light'] },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

let updated: Promise<unknown> | undefined;

/** The program's path; installs its Debian package when it may. Rejects with one line. */
export async function findOrInstall(name: ToolName): Promise<string> {
  const tool: Tool = TOOLS[name];
  const found = find(tool.programs);
  if (found !== undefined) return found;
  const packages = tool.packages.join(' ');
  if (process.getuid?.() !== 0 || find(['apt-get']) === undefined) {
    throw new Error(`${name} is missing: install it (Debian: apt-get install ${packages})`);
  }
  await install(name, tool.packages);
  const installed = find(tool.programs);
  if (installed === undefined) throw new Error(`${name} is missing after installing ${packages}`);
  return installed;
}

/** The first of `programs` on the PATH (and where Debian keeps servers), as a full path. */
function find(programs: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  const paths = programs.flatMap((program) =>
    folders.filter((folder) => folder !== '').map((folder) => join(folder, program)),
  );
  return paths.find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function install(name: string, packages: readonly string[]): Promise<void> {
  const options = {
    timeout: INSTALL_MS,
    maxBuffer: 32 << 20,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  try {
    updated ??= run('apt-get', ['update', '-qq'], options);
    await updated;
    const args = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
    await run('apt-get', args, options);
  } catch (error) {
    const lines = String((error as { stderr?: unknown }).stderr ?? error).trim();
    throw new Error(`${name} could not be installed: ${lines.split('\n').at(-1)}`);
  }
}
