/**
 * Owns writing danmaku as subtitles any player shows: Advanced SubStation Alpha (v4.00+) at 1920x1080,
 * the look of a danmaku player. Widths are estimated: a font is not ours to know.
 */
import { ScrollLanes, StandingLanes } from './ass-lanes.js';
import { Chunk, type Recorded, type RecordedSource, type WrittenCounts } from './recorded.js';

const WIDTH = 1920;
const HEIGHT = 1080;
const SCROLL_MS = 12_000;
const STAND_MS = 5_000;
/** Style sizes are for a player half as high as this screen. */
const SCALE = 2;
const SIZE = 25;
/** Between rows and between one danmaku's end and the next one's beginning, pixels. */
const GAP = 6;

const HEAD = `[Script Info]
ScriptType: v4.00+
PlayResX: ${WIDTH}
PlayResY: ${HEIGHT}
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Danmaku,sans-serif,${SIZE * SCALE},&H33FFFFFF,&H33FFFFFF,&H33000000,&H33000000,\
0,0,0,0,100,100,0,0,1,2,0,7,0,0,0,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
`;

/** Two columns wide in East Asian fonts: kana, ideographs, hangul, full-width forms, emoji. */
const wide = new RegExp(
  '[\\u1100-\\u115f\\u2190-\\u27bf\\u2b00-\\u2bff\\u2e80-\\ua4cf\\ua960-\\ua97f\\uac00-\\ud7a3' +
    '\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6\\u{10000}-\\u{10ffff}]',
  'u',
);
/** Taking no room: marks and zero-width characters. */
const widthless = /[\p{Mn}\p{Me}\p{Cf}]/u;
const broad = /[A-Zmw@%&—…]/;
const BROAD_EM = 0.8;
const NARROW_EM = 0.6;

/** Pixels of a text in a font of `size` pixels, rather too many than too few. */
export function textWidth(text: string, size: number): number {
  let em = 0;
  for (const char of text) em += emOf(char);
  return Math.ceil(em * size);
}

function emOf(char: string): number {
  if (widthless.test(char)) return 0;
  if (wide.test(char)) return 1;
  return broad.test(char) ? BROAD_EM : NARROW_EM;
}

/**
 * The file in chunks of text; `startMs` is the stream's start, unix ms. Publications must come in
 * order of `at`; one that is late, or older than the start, is shown when the one before it is. What
 * finds no free place is left out and counted.
 */
export async function* writeAss(
  source: RecordedSource,
  startMs: number,
): AsyncGenerator<string, WrittenCounts, void> {
  const chunk = new Chunk();
  chunk.add(HEAD);
  const screen = new Screen();
  const counts = { written: 0, textless: 0, crowded: 0 };
  for await (const one of source) {
    const text = textOf(one);
    const line = text === '' ? undefined : screen.lineOf(one, text, one.at - startMs);
    counts[text === '' ? 'textless' : line === undefined ? 'crowded' : 'written']++;
    const full = chunk.add(line ?? '');
    if (full !== undefined) yield full;
  }
  yield chunk.take();
  return counts;
}

class Screen {
  readonly #scroll = new ScrollLanes(WIDTH, HEIGHT, SCROLL_MS);
  readonly #standing = new StandingLanes(HEIGHT, STAND_MS);
  #nowMs = 0;

  /** The event of one danmaku; undefined when there is no place. */
  lineOf({ style }: Recorded, text: string, atMs: number): string | undefined {
    // The format counts in hundredths; places are found with the times that will be written.
    this.#nowMs = Math.max(this.#nowMs, Math.round(atMs / 10) * 10);
    const mode = style?.mode ?? 'scroll';
    const asked = (style?.size ?? SIZE) * SCALE;
    const widest = mode === 'scroll' ? Infinity : WIDTH;
    const shrunk = Math.floor((asked * widest) / Math.max(1, textWidth(text, asked)));
    const size = Math.max(1, Math.min(asked, shrunk));
    const place = mode === 'scroll' ? this.#scrollTag(text, size) : this.#standingTag(mode, size);
    if (place === undefined) return undefined;
    const end = this.#nowMs + (mode === 'scroll' ? SCROLL_MS : STAND_MS);
    const tags = `{${place}${size === SIZE * SCALE ? '' : `\\fs${size}`}${colorTag(style?.color)}}`;
    const layer = mode === 'scroll' ? 0 : 1;
    return `Dialogue: ${layer},${timeOf(this.#nowMs)},${timeOf(end)},Danmaku,,0,0,0,,${tags}${text}\n`;
  }

  #scrollTag(text: string, size: number): string | undefined {
    const width = textWidth(text, size) + GAP;
    const y = this.#scroll.place(this.#nowMs, width, size + GAP);
    return y === undefined ? undefined : `\\move(${WIDTH},${y},${-width},${y})`;
  }

  #standingTag(side: 'top' | 'bottom', size: number): string | undefined {
    const y = this.#standing.place(side, this.#nowMs, size + GAP);
    if (y === undefined) return undefined;
    return side === 'top'
      ? `\\an8\\pos(${WIDTH / 2},${y})`
      : `\\an2\\pos(${WIDTH / 2},${HEIGHT - y})`;
  }
}

// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufeff]/g;
const lineBreaks = /[\t-\r\u2028\u2029]+/g;
/** What the format obeys, and its full-width look-alikes: not every player knows `\{`. */
const OBEYED: Readonly<Record<string, string>> = { '{': '｛', '}': '｝', '\\': '＼' };

/** One line the format takes literally; how many it stands for comes behind it. */
function textOf({ text = '', count = 1 }: Recorded): string {
  const line = text
    .toWellFormed()
    .replace(controls, '')
    .replace(lineBreaks, ' ')
    .replace(/[{}\\]/g, (char) => OBEYED[char]!)
    .trim();
  return line === '' || count === 1 ? line : `${line} ×${count}`;
}

/** `#rrggbb` as `\c&Hbbggrr&`; nothing for white. What is nearly black gets a white outline. */
function colorTag(color = '#ffffff'): string {
  const hex = color.slice(1).toUpperCase();
  if (hex === 'FFFFFF') return '';
  const [red = '', green = '', blue = ''] = hex.match(/../g) ?? [];
  const isDark = [red, green, blue].every((part) => parseInt(part, 16) < 0x30);
  return `\\c&H${blue}${green}${red}&${isDark ? '\\3c&HFFFFFF&' : ''}`;
}

/** `h:mm:ss.cc`. */
function timeOf(ms: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  const clock = [Math.floor(seconds / 3600), two(Math.floor(seconds / 60) % 60), two(seconds % 60)];
  return `${clock.join(':')}.${two(Math.floor((ms % 1000) / 10))}`;
}
