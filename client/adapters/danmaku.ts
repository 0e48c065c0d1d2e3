/**
 * Owns the way from publications to the `danmaku` renderer (npm `danmaku` 2.x), which is handed in:
 * nothing of it is imported. Draws text only, never HTML. Rule: SPEC K-ADAPT-1.
 */
import type { RoomStream } from '../stream.js';
import { drawn, follow, type Drawn } from './drawn.js';

/** The part of a `Danmaku` that is used. */
export interface DanmakuRenderer {
  emit(comment: {
    readonly text: string;
    readonly mode: 'rtl' | 'top' | 'bottom';
    readonly style: Record<string, string>;
  }): unknown;
}

export interface DanmakuOptions {
  /** Pixels for a size of 25; default 25. */
  readonly fontPx?: number;
  /** `canvas` wants other style names; default `dom`. */
  readonly engine?: 'dom' | 'canvas';
}

const MODES = { scroll: 'rtl', top: 'top', bottom: 'bottom' } as const;

/** Draws a stream's danmaku by the renderer; the answer ends it. */
export function attachDanmaku(
  stream: Pick<RoomStream, 'on'>,
  renderer: DanmakuRenderer,
  options: DanmakuOptions = {},
): () => void {
  const { fontPx = 25, engine = 'dom' } = options;
  const draw = ({ text, mode, color, size, own }: Drawn) => {
    const px = Math.round((fontPx * size) / 25);
    const style: Record<string, string> =
      engine === 'canvas'
        ? { font: `${px}px sans-serif`, fillStyle: color, textBaseline: 'bottom' }
        : { fontSize: `${px}px`, color, ...(own ? { outline: `1px solid ${color}` } : {}) };
    renderer.emit({ text, mode: MODES[mode], style });
  };
  return follow(stream, (publication) => draw(drawn(publication)));
}
