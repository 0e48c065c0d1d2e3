/**
 * Owns the way between a stream and ArtPlayer's danmuku plugin (`artplayer-plugin-danmuku` 5.x), both
 * ways: what is published flies, what is said in the player is sent. Rule: SPEC K-ADAPT-2.
 */
import type { RoomStream } from '../stream.js';
import { drawn, follow } from './drawn.js';

/** The part of `art.plugins.artplayerPluginDanmuku` that is used. */
export interface DanmukuPlugin {
  emit(danmu: {
    readonly text: string;
    readonly mode: 0 | 1 | 2;
    readonly color: string;
    readonly border: boolean;
  }): unknown;
}

/** What the plugin's option `beforeEmit` is given. */
export interface DanmukuSaid {
  readonly text: string;
  readonly mode?: number;
  readonly color?: string;
}

/** 0 scrolls, 1 stands at the top, 2 at the bottom. */
const MODES = { scroll: 0, top: 1, bottom: 2 } as const;
const NAMES = ['scroll', 'top', 'bottom'] as const;

/** Draws a stream's danmaku by the plugin; the answer ends it. */
export function attachArtplayer(
  stream: Pick<RoomStream, 'on'>,
  plugin: () => DanmukuPlugin | undefined,
): () => void {
  return follow(stream, (publication) => {
    const { text, mode, color, own } = drawn(publication);
    void plugin()?.emit({ text, mode: MODES[mode], color, border: own });
  });
}

/**
 * For the plugin's option `beforeEmit`: sends what its own input field was given. Always false, since
 * the stream shows it at once itself.
 */
export function sayByArtplayer(stream: Pick<RoomStream, 'send'>) {
  return ({ text, mode = 0, color }: DanmukuSaid): false => {
    const style = {
      mode: NAMES[mode] ?? 'scroll',
      ...(color !== undefined && /^#[0-9a-fA-F]{6}$/.test(color) ? { color } : {}),
    };
    if (text.trim() !== '') void stream.send({ text: text.trim(), style });
    return false;
  };
}
