/**
 * Owns what arrives on a viewer's socket before it means anything: text, lines, size, quota, form.
 * A line becomes a command or a refusal. Rules: SPEC W-1, W-7, W-8, E-IN-6, E-IN-9.
 */
import { isUtf8 } from 'node:buffer';
import { gcra, gcraWaitMs, type Quota } from '../src/gcra.js';
import {
  BROKEN_COMMANDS_MAX,
  COMMAND_BYTES_MAX,
  COMMANDS_BURST,
  COMMANDS_PER_SECOND,
} from '../src/limits.js';
import { decodeCommand, decodeText, isBroken, type Broken } from '../src/wire/commands.js';
import { errorLine, limitedLine, verdictLine } from '../src/wire/outgoing.js';
import type { Command } from '../src/wire/schema.js';
import { sendHead } from './core/send-head.js';

/** Where the ingress of one connection leads. */
export interface IngressOut {
  command(command: Command): void;
  /** Whether it takes more: a command may end the connection. */
  readonly isOpen: boolean;
  /** A line for the viewer. */
  reply(name: string, line: string): void;
  /** A refused `send` that named itself: its one verdict, and the line that tells it. */
  refusedSend(verdict: 'invalid' | 'rate_limited', line: string): void;
  counted(what: 'broken' | 'over_quota'): void;
  /** Too much that cannot be understood. */
  tooBroken(): void;
}

const QUOTA: Quota = { perSecond: COMMANDS_PER_SECOND, burst: COMMANDS_BURST };
const LINE_BREAK = 10;
/** Works on any bytes; a `Buffer` of each message would be one more object. */
const { latin1Slice } = Buffer.prototype;
const KNOWN_TYPES: readonly unknown[] = [
  ...['join', 'leave', 'send', 'ack', 'receive', 'report', 'ping'],
];

export class Ingress {
  readonly #out: IngressOut;
  #tat = 0;
  #brokenInRow = 0;

  constructor(out: IngressOut) {
    this.#out = out;
  }

  /** Takes one socket message. */
  take(bytes: Uint8Array, now: number): void {
    if (this.#refusedUnread(bytes, now)) return;
    const text = decodeText(bytes);
    if (typeof text !== 'string') {
      this.#broken(text);
      return;
    }
    // Nearly always one line, which needs no list.
    if (!text.includes('\n')) {
      this.#take(text, now, false);
      return;
    }
    let isTold = false;
    for (const line of text.split('\n')) isTold = this.#take(line, now, isTold);
  }

  /** Whether it was a send over the quota, which is answered without being decoded or parsed. */
  #refusedUnread(bytes: Uint8Array, now: number): boolean {
    if (gcra(this.#tat, now, QUOTA) !== undefined) return false;
    if (bytes.length > COMMAND_BYTES_MAX || !this.#out.isOpen) return false;
    const head = sendHead(bytes);
    // More than one line, and what is no text, go the long way.
    if (head === undefined || bytes.includes(LINE_BREAK) || !isUtf8(bytes)) return false;
    this.#out.counted('over_quota');
    const named = latin1Slice.call(bytes as Buffer, head.from, head.to);
    const told = limitedLine(named, gcraWaitMs(this.#tat, now, QUOTA));
    this.#out.refusedSend('rate_limited', told);
    return true;
  }

  /** Takes a line within the quota; the answer is whether the viewer was told of it. */
  #take(line: string, now: number, isTold: boolean): boolean {
    if (!this.#out.isOpen || line === '' || line === '\r') return isTold;
    const tat = gcra(this.#tat, now, QUOTA);
    if (tat === undefined) return this.#overQuota(line, now, isTold);
    this.#tat = tat;
    this.#line(line);
    return isTold;
  }

  #line(line: string): void {
    if (isTooLarge(line)) {
      const rule = `maxBytes ${COMMAND_BYTES_MAX}`;
      this.#out.counted('broken');
      this.#out.reply(
        'error',
        errorLine({ code: 'too_large', message: `a command is ${rule}`, rule }),
      );
      return;
    }
    const command = decodeCommand(line);
    if (isBroken(command)) {
      this.#refuse(command, line);
      return;
    }
    this.#brokenInRow = 0;
    this.#out.command(command);
  }

  /** A send is answered by its verdict all the same; the rest of a message by one line. */
  #overQuota(line: string, now: number, isTold: boolean): boolean {
    this.#out.counted('over_quota');
    const retryAfterMs = gcraWaitMs(this.#tat, now, QUOTA);
    const send = line.includes('"send"') && !isTooLarge(line) ? sendOf(line) : undefined;
    if (send !== undefined) {
      const { room, id } = send;
      const told = verdictLine({ room, id, verdict: 'rate_limited', retryAfterMs });
      this.#out.refusedSend('rate_limited', told);
      return isTold;
    }
    if (!isTold) {
      const message = `more than ${COMMANDS_PER_SECOND} commands a second`;
      this.#out.reply('error', errorLine({ code: 'rate_limited', message, retryAfterMs }));
    }
    return true;
  }

  #refuse(broken: Broken, line: string): void {
    const { field, rule } = broken;
    const send = broken.id === undefined ? undefined : sendOf(line);
    if (send !== undefined) {
      this.#out.counted('broken');
      const told = verdictLine({ ...send, verdict: 'invalid', field, rule });
      this.#out.refusedSend('invalid', told);
    } else {
      this.#broken(broken, KNOWN_TYPES.includes(parsed(line)?.['type']));
    }
  }

  /** A known command with a flaw is not rubbish: it does not count towards the end. */
  #broken({ field, rule, message }: Broken, isKnown = false): void {
    this.#out.counted('broken');
    this.#out.reply('error', errorLine({ code: 'invalid', message, field, rule }));
    if (!isKnown && ++this.#brokenInRow >= BROKEN_COMMANDS_MAX) this.#out.tooBroken();
  }
}

function isTooLarge(line: string): boolean {
  return line.length * 3 > COMMAND_BYTES_MAX && Buffer.byteLength(line) > COMMAND_BYTES_MAX;
}

/** Room and id of a `send`, valid or not, to answer it by; undefined when it does not say. */
function sendOf(line: string): { room: string; id: string | number } | undefined {
  const value = parsed(line);
  if (value === undefined || value['type'] !== 'send') return undefined;
  const { room, id } = value;
  const isId =
    (typeof id === 'string' && id.length > 0 && id.length <= 64 && id.isWellFormed()) ||
    Number.isSafeInteger(id);
  if (!isId) return undefined;
  const known = typeof room === 'string' && room.isWellFormed() ? room.slice(0, 64) : '';
  return { room: known, id: id as string | number };
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
