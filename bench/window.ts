/**
 * Owns the measured window: what the viewers counted and what the server's process used meanwhile.
 * Knows neither what is measured nor how it is reported.
 */
import { clock, sleep } from './kit.js';
import type { Server } from './service.js';
import type { ViewerCounts, ViewerLoad } from './viewer-load.js';

export interface Window {
  readonly seconds: number;
  readonly counts: ViewerCounts;
  readonly serverCpuSeconds: number;
  /** Share of one core. */
  readonly serverBusy: number;
  /** Viewers and poster together, of one core. */
  readonly loadBusy: number;
  readonly serverRssBytes: number;
}

/** Lets the load run for `seconds` and returns what happened in them. */
export async function measure(
  server: Pick<Server, 'usage'>,
  load: ViewerLoad,
  seconds: number,
): Promise<Window> {
  await load.mark();
  const before = server.usage();
  const own = process.cpuUsage();
  const began = clock.now();
  await sleep(seconds * 1000);
  const counts = await load.report();
  const after = server.usage();
  const { user, system } = process.cpuUsage(own);
  const wallSeconds = (clock.now() - began) / 1000;
  const serverCpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    seconds: counts.seconds,
    counts,
    serverCpuSeconds,
    serverBusy: serverCpuSeconds / wallSeconds,
    loadBusy: (counts.cpuUs + user + system) / 1e6 / wallSeconds,
    serverRssBytes: after.rssBytes,
  };
}

/** Work per second of server CPU; 0 when /proc saw none. */
export function perCpuSecond(work: number, window: Window): number {
  return window.serverCpuSeconds > 0 ? work / window.serverCpuSeconds : 0;
}
