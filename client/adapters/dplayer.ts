/**
 * Owns the way between a stream and DPlayer (1.27), both ways: what is published is drawn, and DPlayer's
 * `apiBackend` sends what is said in the player. Rule: SPEC K-ADAPT-3.
 */
import type { RoomStream } from '../stream.js';
import { drawn, follow } from './drawn.js';

/** The part of a `DPlayer` that is used. */
export interface DPlayerLike {
  readonly danmaku: {
    draw(danmaku: {
      readonly text: string;
      readonly color: number;
      /** 0 scrolls, 1 stands at the top, 2 at the bottom. */
      readonly type: 0 | 1 | 2;
    }): unknown;
  };
}

/** What DPlayer hands to `apiBackend.send`. */
export interface DPlayerSending {
  readonly data: {
    readonly text: string;
    readonly color?: number | string;
    readonly type?: unknown;
  };
  readonly success: (answer?: unknown) => void;
  readonly error: (why: string) => void;
}

const TYPES = { scroll: 0, top: 1, bottom: 2 } as const;
const MODES = ['scroll', 'top', 'bottom'] as const;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#x27;',
};

/**
 * Draws a stream's danmaku; the answer ends it. DPlayer draws its own before it sends them, and takes
 * what it is given for HTML: texts are escaped here.
 */
export function attachDplayer(stream: Pick<RoomStream, 'on'>, player: DPlayerLike): () => void {
  return follow(stream, (publication) => {
    if (publication.own === true) return;
    const { text, mode, color } = drawn(publication);
    const escaped = text.replace(/[&<>"']/g, (sign) => ESCAPES[sign]!);
    // It takes 0 for no color at all.
    const number = Math.max(1, Number.parseInt(color.slice(1), 16));
    player.danmaku.draw({ text: escaped, color: number, type: TYPES[mode] });
  });
}

/** The option `apiBackend`: nothing to read (danmaku come by the stream), and how to send. */
export function dplayerBackend(stream: Pick<RoomStream, 'send'>) {
  return {
    read: ({ success }: { success: (danmaku: readonly unknown[]) => void }) => success([]),
    send: ({ data, success, error }: DPlayerSending) => {
      const { text, color, type } = data;
      const mode = MODES[Number(type)] ?? 'scroll';
      const hex = typeof color === 'number' ? `#${color.toString(16).padStart(6, '0')}` : color;
      const style = {
        mode,
        ...(hex !== undefined && /^#[0-9a-fA-F]{6}$/.test(hex) ? { color: hex } : {}),
      };
      void stream.send({ text, style }).then(({ ok, verdict }) => {
        if (ok) success();
        else error(verdict);
      });
    },
  };
}
