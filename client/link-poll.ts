/**
 * Owns long polling: one request after another, each from the cursor of the last answer, as slowly as
 * the edge asks for. Rules: SPEC K-WAY-1, E-POLL-2.
 */
import type { Cancel } from './clock.js';
import { bounded } from './core/backoff.js';
import type { LinkEnd } from './core/closing.js';
import { askFacts, askJson, RequestFailed, roomUrl } from './http.js';
import type { Classes, Link, LinkEvents, LinkParts, LinkRequest } from './link.js';
import type { Line } from './types.js';

/** How long an edge may hold a poll; proxies cut what is silent for 30 s and more. */
const WAIT_MS = 20_000;
const PAUSE_MS_MAX = 60_000;

export class PollLink implements Link {
  readonly way = 'poll';
  readonly #request: LinkRequest;
  readonly #parts: LinkParts;
  readonly #on: LinkEvents;
  #classes: Classes;
  #cursor: string | undefined;
  #stop = new AbortController();
  #pause: { readonly timer: Cancel; readonly done: () => void } | undefined;
  #isOver = false;
  /** Other classes are wanted than those of the poll under way. */
  #isTurned = false;

  constructor(request: LinkRequest, parts: LinkParts, on: LinkEvents) {
    this.#request = request;
    this.#parts = parts;
    this.#on = on;
    this.#classes = request.classes;
    this.#run().catch((error: unknown) => {
      this.#end(error instanceof RequestFailed ? error.end : { reason: 'unreadable' });
    });
  }

  /** Takes `receive` only. */
  write(command: Line): boolean {
    if (command.type !== 'receive') return false;
    if (command['classes'] !== this.#classes) {
      this.#classes = command['classes'] as Classes;
      this.#isTurned = true;
      this.#stop.abort();
    }
    return true;
  }

  probe(): void {
    this.#pause?.done();
  }

  close(): void {
    this.#isOver = true;
    this.#stop.abort();
    this.#pause?.timer.cancel();
  }

  async #run(): Promise<void> {
    this.#cursor = this.#request.cursor();
    for (let isFirst = true; !this.#isOver; isFirst = false) {
      const answer = await this.#poll(isFirst ? 0 : this.#waitMs()).catch(this.#forgive);
      this.#isTurned = false;
      if (this.#isOver) return;
      if (answer === undefined) continue;
      // A room can be followed without.
      const facts =
        isFirst && (await askFacts(this.#parts, { ...this.#request, stop: this.#stop }));
      if (this.#isOver) return;
      if (facts) this.#on.line(facts);
      this.#cursor = String(answer['cursor']);
      this.#on.line({ ...answer, type: 'publications', isFirst });
      if (answer['closed'] === true) return this.#end({ reason: 'closed', isFinal: true });
      await this.#wait(bounded(answer['pollAfterMs'], 0, PAUSE_MS_MAX, 1000));
    }
  }

  readonly #forgive = (error: unknown): undefined => {
    if (!this.#isTurned) throw error;
  };

  #waitMs(): number {
    return Math.min(WAIT_MS, this.#parts.heartbeatMs ?? WAIT_MS);
  }

  #poll(waitMs: number): Promise<Line> {
    const { base, room, token } = this.#request;
    const classes = this.#classes === 'keep' ? 'keep' : undefined;
    const query = { cursor: this.#cursor, waitMs, classes };
    this.#stop = new AbortController();
    return askJson(this.#parts, {
      url: roomUrl(base, room, 'publications', query),
      token,
      withinMs: waitMs + this.#parts.connectMs,
      stop: this.#stop,
      ahead: (ms) => this.#on.line({ type: 'clock', aheadMs: ms }),
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#pause?.timer.cancel();
        this.#pause = undefined;
        resolve();
      };
      this.#pause = { timer: this.#parts.clock.after(ms, done), done };
    });
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.close();
    this.#on.down(end);
  }
}
