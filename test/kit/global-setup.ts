/**
 * Makes the programs the tests need available once, before any test runs: an install neither races
 * nor eats a test's time. What cannot be had is said here and fails in the tests that need it.
 */
import { findOrInstall, type ToolName } from './tools.js';

const NEEDED: readonly ToolName[] = ['chromium', 'nats-server', 'nginx', 'redis-server'];

export async function setup(): Promise<void> {
  for (const name of NEEDED) {
    try {
      await findOrInstall(name);
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}
