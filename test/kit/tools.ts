/**
 * Owns finding the programs some tests need beside Node: on the PATH, else installed from Debian's
 * packages where this is allowed (root and apt-get), else said in one line.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../../bench/programs.js';

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
  nginx: {
    programs: ['nginx'],
    packages: ['nginx', 'libnginx-mod-http-dav-ext', 'libnginx-mod-http-brotli-static'],
  },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

let updated: Promise<unknown> | undefined;

/** The program's path; installs its Debian package when it may. Rejects with one line. */
export async function findOrInstall(name: ToolName): Promise<string> {
  const tool: Tool = TOOLS[name];
  const found = findProgram(tool.programs);
  if (found !== undefined) return found;
  await install(name, tool.packages);
  const installed = findProgram(tool.programs);
  if (installed === undefined) throw missingAfter(name, tool.packages);
  return installed;
}

/** Where Debian keeps the modules of nginx that are not built in. */
const NGINX_MODULES = '/usr/lib/nginx/modules';
const MODULE_PACKAGES = {
  'ngx_http_dav_ext_module.so': ['libnginx-mod-http-dav-ext'],
  'ngx_http_brotli_static_module.so': ['libnginx-mod-http-brotli-static'],
} as const satisfies Record<string, readonly string[]>;

export type NginxModule = keyof typeof MODULE_PACKAGES;
export const NGINX_MODULE_NAMES = Object.keys(MODULE_PACKAGES) as readonly NginxModule[];

/** The module's path; installs its Debian package when it may. Rejects with one line. */
export async function findOrInstallModule(name: NginxModule): Promise<string> {
  const path = join(NGINX_MODULES, name);
  if (existsSync(path)) return path;
  await install(name, MODULE_PACKAGES[name]);
  if (!existsSync(path)) throw missingAfter(name, MODULE_PACKAGES[name]);
  return path;
}

function missingAfter(name: string, packages: readonly string[]): Error {
  return new Error(`${name} is missing after installing ${packages.join(' ')}`);
}

async function install(name: string, packages: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0 || findProgram(['apt-get']) === undefined) {
    const command = `apt-get install ${packages.join(' ')}`;
    throw new Error(`${name} is missing: install it (Debian: ${command})`);
  }
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
