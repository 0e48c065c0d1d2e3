/** Owns what the operating system says of this process and machine: CPU time, buffers, its own address. */
import { readFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';

/** CPU time this process has used since its start, milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Cores this process may use. */
export function coreCount(): number {
  return availableParallelism();
}

/** Largest send buffer of a TCP connection, bytes; undefined where the system does not tell. */
export function sendBufferBytes(path = '/proc/sys/net/ipv4/tcp_wmem'): number | undefined {
  try {
    const most = Number(readFileSync(path, 'utf8').trim().split(/\s+/)[2]);
    return Number.isSafeInteger(most) ? most : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A host name under which others reach what listens on `host`: itself, or for a wildcard the first
 * address of this machine that is not its own loop.
 */
export function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host.includes(':') ? `[${host}]` : host;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (family === 'IPv4' && !internal) return address;
    }
  }
  return '127.0.0.1';
}
