/**
 * Owns one stream of server-sent events, read by fetch (so that tokens travel in a header): its lines,
 * the silence after which it is given up, its end. Rules: SPEC K-HEART-2, E-SSE-1.
 */
import type { Cancel } from './clock.js';
import { endOfBye, type LinkEnd } from './core/closing.js';
import { EventReader, parseLine } from './core/lines.js';
import { ask, RequestFailed, roomUrl } from './http.js';
import {
  HEARTBEAT_MS,
  PONG_MS,
  type Link,
  type LinkEvents,
  type LinkParts,
  type LinkRequest,
} from './link.js';
import type { Line } from './types.js';

export class EventsLink implements Link {
  readonly way = 'sse';
  readonly #parts: LinkParts;
  readonly #on: LinkEvents;
  readonly #stop = new AbortController();
  #joined: Cancel;
  #silence: Cancel | undefined;
  #isOver = false;

  constructor(request: LinkRequest, parts: LinkParts, on: LinkEvents) {
    this.#parts = parts;
    this.#on = on;
    this.#joined = parts.clock.after(parts.connectMs, () => this.#end({ reason: 'timeout' }));
    this.#run(request).catch((error: unknown) => {
      this.#end(error instanceof RequestFailed ? error.end : { reason: 'cut' });
    });
  }

  /** Nothing goes up an event stream. */
  write(): boolean {
    return false;
  }

  /** Nothing can be asked: the silence decides. */
  probe(): void {}

  close(): void {
    if (this.#isOver) return;
    this.#finish();
  }

  async #run({ base, room, token, classes, cursor }: LinkRequest): Promise<void> {
    const place = cursor();
    const answer = await ask(this.#parts, {
      url: roomUrl(base, room, 'events', { classes: classes === 'keep' ? classes : undefined }),
      token,
      headers: {
        accept: 'text/event-stream',
        ...(place && { 'last-event-id': place }),
      },
      withinMs: this.#parts.connectMs,
      stop: this.#stop,
      ahead: (ms) => this.#on.line({ type: 'clock', aheadMs: ms }),
    });
    const reader = answer.body!.getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    for (;;) {
      this.#listen();
      const { done, value } = await reader.read();
      if (this.#isOver) return;
      if (done) return this.#end({ reason: 'ended' });
      const text = decoder.decode(value, { stream: true });
      for (const { data } of events.push(text)) this.#take(parseLine(data));
    }
  }

  #take(line: Line): void {
    if (this.#isOver) return;
    if (line.type === 'joined') this.#joined.cancel();
    if (line.type === 'bye') return this.#end(endOfBye(line));
    this.#on.line(line);
  }

  /** The edge comments every heartbeat; two without anything and it is gone. */
  #listen(): void {
    this.#silence?.cancel();
    const heartbeatMs = this.#parts.heartbeatMs ?? HEARTBEAT_MS;
    const silentMs = heartbeatMs + Math.min(PONG_MS, heartbeatMs);
    this.#silence = this.#parts.clock.after(silentMs, () => this.#end({ reason: 'silent' }));
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#finish();
    this.#on.down(end);
  }

  #finish(): void {
    this.#isOver = true;
    this.#joined.cancel();
    this.#silence?.cancel();
    this.#stop.abort();
  }
}
