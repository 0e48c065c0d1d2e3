/**
 * Owns finding a server that answers: addresses of the names, and who greets first. A server that is
 * frozen accepts connections and says nothing, and the library never gives such a socket back; so
 * the library only meets servers that have just greeted. Knows nothing of the protocol beyond that.
 */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { NatsTarget } from '../nats-settings.js';

/** A server gets this long before the next is asked too. */
const STAGGER_MS = 150;
const GREETING = 'INFO ';

/** One target for each address behind each name; a name that cannot be resolved gives its error. */
export async function addressesOf(
  targets: readonly NatsTarget[],
): Promise<{ readonly targets: readonly NatsTarget[]; readonly error?: unknown }> {
  let error: unknown;
  const resolve = async (target: NatsTarget): Promise<NatsTarget[]> => {
    if (isIP(target.host) !== 0) return [target];
    try {
      const found = await lookup(target.host, { all: true });
      return found.map(({ address }) => ({ ...target, host: address }));
    } catch (reason) {
      error = reason;
      return [];
    }
  };
  const all = (await Promise.all(targets.map(resolve))).flat();
  const byAddress = new Map(all.map((each) => [nameOf(each), each]));
  return { targets: [...byAddress.values()], ...(error !== undefined && { error }) };
}

export function nameOf({ host, port }: NatsTarget): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The target that greets first, each asked a moment after the one before it. Rejects with the last
 * error when none does within `timeoutMs`.
 */
export async function firstToGreet(
  targets: readonly NatsTarget[],
  timeoutMs: number,
): Promise<NatsTarget> {
  const ended = new AbortController();
  let next = 0;
  let lastError: unknown = new Error('no server is known');
  const timers: NodeJS.Timeout[] = [];
  try {
    return await new Promise<NatsTarget>((resolve, reject) => {
      let open = targets.length;
      if (open === 0) reject(lastError);
      const start = (): void => {
        const target = targets[next++];
        if (target === undefined) return;
        timers.push(setTimeout(start, STAGGER_MS));
        greeting(target, timeoutMs, ended.signal).then(
          () => resolve(target),
          (error: unknown) => {
            lastError = error;
            if (--open === 0) reject(error);
            else start();
          },
        );
      };
      start();
    });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    ended.abort();
  }
}

/** Resolves when the server says its first words; the connection made for this is given up. */
function greeting(target: NatsTarget, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port, signal });
    let heard = '';
    const fail = (why: string) => reject(new Error(`${nameOf(target)} ${why}`));
    const end = (act: () => void) => {
      clearTimeout(timer);
      act();
      socket.destroy();
    };
    const timer = setTimeout(() => end(() => fail(`said nothing in ${timeoutMs} ms`)), timeoutMs);
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('close', () => end(() => fail('closed the connection')));
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      if (heard.startsWith(GREETING)) return end(resolve);
      if (!GREETING.startsWith(heard.slice(0, GREETING.length))) {
        end(() => fail('is no NATS server'));
      }
    });
  });
}
