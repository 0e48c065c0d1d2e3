/**
 * Owns one user's connection in a replay: joins, sends what waits, matches verdicts to what was
 * sent, comes back after a loss. Whatever it was handed ends in the books exactly once.
 */
import { mayReturn } from '../close-codes.js';
import { BarrageError } from '../errors.js';
import { printable } from '../formats/printable.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Random } from '../random.js';
import type { UserId } from '../ids.js';
import type { ReplayBooks } from './replay-books.js';
import type { ReplayItem } from './replay-items.js';
import {
  backoffMs,
  openLink,
  type LinkEnd,
  type ViewerLink,
  type WireLine,
} from './viewer-link.js';

/** Danmaku of one user on the way at once; the others wait here. */
const ON_THE_WAY_MAX = 64;
const TRIES_MAX = 6;
/** Answers to a join that hold for every user alike. */
const FATAL_CODES: readonly unknown[] = ['unknown_room', 'unauthorized', 'invalid'];

export interface SeatParts {
  readonly url: string;
  readonly room: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly books: ReplayBooks;
  tokenFor(user: UserId): Promise<string>;
  /** Says that the edge was reached, by whichever seat; answers whether it ever was. */
  reached(now?: true): boolean;
  /** After every change of what the seat holds. */
  changed(): void;
  /** A failure that ends the replay. */
  failed(error: BarrageError): void;
}

export class ReplaySeat {
  readonly #user: UserId;
  readonly #parts: SeatParts;
  readonly #waiting: ReplayItem[] = [];
  readonly #pending = new Set<number>();
  #nextId = 1;
  #link: ViewerLink | undefined;
  #isJoined = false;
  #isClosed = false;
  #tries = 0;
  #timer: Cancel | undefined;
  /** Why this user may not come back. */
  #barred: string | undefined;

  constructor(user: UserId, parts: SeatParts) {
    this.#user = user;
    this.#parts = parts;
    void this.#open();
  }

  /** Danmaku handed over whose end is not known. */
  get load(): number {
    return this.#waiting.length + this.#pending.size;
  }

  give(item: ReplayItem): void {
    if (this.#barred !== undefined) this.#parts.books.addUnsent(this.#barred);
    else this.#waiting.push(item);
    this.#pump();
  }

  /** Ends the connection; what is on the way counts as unanswered, what waits as unsent. */
  close(reason: string): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#link?.close();
    this.#forgetPending();
    this.#dropWaiting(reason);
  }

  async #open(): Promise<void> {
    const { url, room, clock } = this.#parts;
    let token: string;
    try {
      token = await this.#parts.tokenFor(this.#user);
    } catch (error) {
      const why = error instanceof BarrageError ? error : undefined;
      this.#parts.failed(why ?? new BarrageError('internal', String(error), { cause: error }));
      return;
    }
    if (this.#isClosed) return;
    this.#parts.books.connections++;
    const link = openLink(
      { url, room, token, since: undefined, clock },
      {
        received: (line) => this.#receive(line),
        unreadable: () => undefined,
        ended: (end) => this.#end(link, end),
      },
    );
    this.#link = link;
  }

  #receive(line: WireLine): void {
    this.#parts.reached(true);
    if (line.type === 'joined') this.#joined();
    else if (line.type === 'verdict') this.#settle(line);
    else if (line.type === 'error' && !this.#isJoined) this.#joinRefused(line);
  }

  #joined(): void {
    this.#isJoined = true;
    this.#tries = 0;
    this.#pump();
  }

  #joinRefused(line: WireLine): void {
    const code = line['code'];
    if (FATAL_CODES.includes(code)) {
      const message = `${printable(String(code))}: ${printable(String(line['message']))}`;
      this.#parts.failed(new BarrageError('forbidden', message));
    } else if (code === 'rate_limited' && ++this.#tries < TRIES_MAX) {
      const advice = line['retryAfterMs'];
      const ms = typeof advice === 'number' ? advice : backoffMs(this.#tries, 0.5);
      this.#timer = this.#parts.clock.after(ms, () => this.#link?.join());
    } else {
      // This user is not let in (banned, closed): what it says all the same gets its verdicts.
      this.#joined();
    }
  }

  #pump(): void {
    if (!this.#isJoined || this.#isClosed) return;
    const { room, books } = this.#parts;
    while (this.#pending.size < ON_THE_WAY_MAX) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      const id = this.#nextId++;
      this.#pending.add(id);
      books.sent++;
      const { text, style } = item;
      this.#link?.send({ type: 'send', room, id, kind: 'danmaku', text, style });
    }
  }

  #settle(line: WireLine): void {
    const id = line['id'];
    // Only what is awaited counts, and once: the books must not balance by accident.
    if (typeof id !== 'number' || !this.#pending.delete(id)) return;
    this.#parts.books.addVerdict(printable(String(line['verdict'])));
    this.#pump();
    this.#parts.changed();
  }

  #end(link: ViewerLink, end: LinkEnd): void {
    if (this.#isClosed || link !== this.#link) return;
    this.#link = undefined;
    this.#isJoined = false;
    this.#forgetPending();
    const { clock, random, url } = this.#parts;
    if (!end.wasOpen && !this.#parts.reached()) {
      const message = `cannot connect to ${url}: ${printable(end.error ?? `code ${end.code}`)}`;
      this.#parts.failed(new BarrageError('unavailable', message));
      return;
    }
    const isFinal = end.code >= 4000 && end.code < 5000 && !mayReturn(end.code);
    if (isFinal || ++this.#tries >= TRIES_MAX) {
      this.#barred = isFinal
        ? `closed with ${end.code}`
        : `no connection (${printable(end.error ?? `code ${end.code}`)})`;
      this.#dropWaiting(this.#barred);
    } else {
      const ms = end.retryAfterMs ?? backoffMs(this.#tries, random.next());
      this.#timer = clock.after(ms, () => void this.#open());
    }
    this.#parts.changed();
  }

  #forgetPending(): void {
    this.#parts.books.unanswered += this.#pending.size;
    this.#pending.clear();
  }

  #dropWaiting(reason: string): void {
    this.#parts.books.addUnsent(reason, this.#waiting.length);
    this.#waiting.length = 0;
  }
}
