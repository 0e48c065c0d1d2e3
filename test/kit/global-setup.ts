/**
 * Makes the programs the tests need available once, before any test runs: an install neither races
 * nor eats a test's time. What cannot be had is said here and fails in the tests that need it.
 */
import { findOrInstall, findOrInstallModule, NGINX_MODULE_NAMES, type ToolName } from './tools.js';

const NEEDED: readonly ToolName[] = ['chromium', 'nats-server', 'nginx', 'redis-server'];

export async function setup(): Promise<void> {
  const installs = [
    ...NEEDED.map((name) => () => findOrInstall(name)),
    ...NGINX_MODULE_NAMES.map((name) => () => findOrInstallModule(name)),
  ];
  for (const install of installs) {
    try {
      await install();
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}
