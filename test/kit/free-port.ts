/**
 * A port nobody listens on, for services that are started again on the same one. (A port the system
 * chose by listening on 0 cannot be taken over while connections of the one before linger.)
 */
import { createServer } from 'node:net';

/**
 * Below those the system gives to connections (Linux: from 32768 on), of which any could be taken by
 * another test's connection before the service listens; above all that browsers refuse to ask.
 */
const FIRST = 12_000;
const LAST = 32_000;
const TRIES = 100;
/** One that was given out may not be listened on yet. */
const given = new Set<number>();

/** Rejects when a hundred in a row are taken. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
