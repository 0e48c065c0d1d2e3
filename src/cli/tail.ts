/**
 * Owns `barrage tail`: staying in a room as a viewer, coming back with the position when the
 * connection ends. How lines read is in tail-lines.ts.
 */
import { mayReturn } from '../close-codes.js';
import { BarrageError } from '../errors.js';
import { printable } from '../formats/printable.js';
import type { Clock } from '../ports/clock.js';
import type { Random } from '../random.js';
import { newPlace, readableLines } from './tail-lines.js';
import { backoffMs, openLink, type LinkEnd, type WireLine } from './viewer-link.js';

export interface TailOptions {
  readonly url: string;
  readonly room: string;
  readonly token: string | undefined;
  /** Ends the tail. */
  readonly stop: AbortSignal;
}

export interface TailParts {
  readonly clock: Clock;
  readonly random: Random;
  print(line: string): void;
}

/** Answers to a join after which another try cannot succeed. */
const FINAL_CODES: readonly unknown[] = [
  'unknown_room',
  'invalid',
  'unauthorized',
  'banned',
  'closed',
];

type Stay =
  | { readonly kind: 'back'; readonly end: LinkEnd; readonly joined: boolean }
  | { readonly kind: 'done' };

/**
 * Prints what a viewer of the room receives until told to stop or the room ends. Throws BarrageError
 * when the edge cannot be reached at first or will not have this viewer.
 */
export async function runTail(options: TailOptions, parts: TailParts): Promise<void> {
  const { stop } = options;
  const place = newPlace();
  const print = (line: WireLine): void => {
    for (const text of readableLines(line, place)) parts.print(text);
  };
  let tries = 0;
  let wasThere = false;
  while (!stop.aborted) {
    const stay = await stayOnce(options, parts, () => place.position, print);
    if (stay.kind === 'done' || stop.aborted) break;
    const { end, joined } = stay;
    if (!wasThere && !end.wasOpen) throw cannotConnect(options.url, end);
    wasThere = true;
    if (end.code >= 4000 && end.code < 5000 && !mayReturn(end.code)) {
      throw new BarrageError('forbidden', `the edge ended the connection: ${whyOf(end)}`);
    }
    tries = joined ? 1 : tries + 1;
    const ms = Math.round(
      (end.retryAfterMs ?? 0) * (1 + parts.random.next() / 4) ||
        backoffMs(tries, parts.random.next()),
    );
    parts.print(`-- disconnected: ${whyOf(end)}; back in ${(ms / 1000).toFixed(1)} s`);
    await pause(parts.clock, ms, stop);
  }
  parts.print(`-- ended; shed ${place.shed}, missed ${place.missed}`);
}

/** One connection from opening to end. */
function stayOnce(
  { url, room, token, stop }: TailOptions,
  { clock, print: say }: TailParts,
  since: () => ReturnType<typeof newPlace>['position'],
  print: (line: WireLine) => void,
): Promise<Stay> {
  return new Promise((resolve, reject) => {
    let joined = false;
    let isLast = false;
    const leave = (): void => {
      isLast = true;
      link.close();
    };
    const received = (line: WireLine): void => {
      if (line.type === 'joined') joined = true;
      if (line.type === 'error' && !joined) {
        const message = `${printable(String(line['code']))}: ${printable(String(line['message']))}`;
        if (FINAL_CODES.includes(line['code'])) reject(new BarrageError('forbidden', message));
        link.close();
      }
      print(line);
      // The room is over or this viewer is out of it; the connection itself would live on.
      if (line.type === 'bye' && line['room'] !== undefined) leave();
    };
    const link = openLink(
      { url, room, token, since: since(), clock },
      {
        received,
        unreadable: (text) => say(`-- unreadable: ${printable(text.slice(0, 200))}`),
        ended: (end) => {
          stop.removeEventListener('abort', leave);
          resolve(isLast ? { kind: 'done' } : { kind: 'back', end, joined });
        },
      },
    );
    stop.addEventListener('abort', leave, { once: true });
  });
}

function cannotConnect(url: string, end: LinkEnd): BarrageError {
  return new BarrageError('unavailable', `cannot connect to ${url}: ${whyOf(end)}`);
}

function whyOf({ code, reason, error }: LinkEnd): string {
  return printable([error ?? `code ${code}`, reason].filter((part) => part !== '').join(' '));
}

/** Waits, or less when told to stop. */
export function pause(clock: Clock, ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done);
    if (stop.aborted) done();
    else stop.addEventListener('abort', done, { once: true });
  });
}
