/**
 * Owns drawing figures as SVG: points over two logarithmic axes, and bars. Text, colours and marks are
 * legible on light and dark ground. Knows no question.
 */

/** Each tone is a colour and a shape of its own. */
export const TONES = ['each', 'batch', 'own'] as const;
export type Tone = (typeof TONES)[number];

export interface Point {
  readonly name: string;
  readonly tone: Tone;
  readonly x: number;
  /** Where a line to the point begins, for a range that ends in it. */
  readonly from?: number;
  readonly y: number;
}

export interface Scatter {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** What each tone stands for. */
  readonly tones: Readonly<Record<Tone, string>>;
  readonly points: readonly Point[];
}

export interface Bar {
  readonly name: string;
  readonly tone: Tone;
  /** One bar a value, in the order of `values`. */
  readonly figures: readonly number[];
}

export interface Bars {
  readonly title: string;
  /** What the bars of one name are, with their unit. */
  readonly values: readonly string[];
  readonly bars: readonly Bar[];
}

const LIGHT = '--ground:#fff;--ink:#1b1f24;--faint:#d5d9de';
const DARK = '--ground:#14171c;--ink:#e6e9ee;--faint:#3a4048';
const STYLE = [
  '<style>',
  `svg{font:13px system-ui,sans-serif;${LIGHT};--each:#b35900;--batch:#0550ae;--own:#a01f6b}`,
  '@media (prefers-color-scheme:dark){',
  `svg{${DARK};--each:#f0a04b;--batch:#7db7ff;--own:#ff8fcf}}`,
  '.ground{fill:var(--ground)}text{fill:var(--ink)}.title{font-size:16px;font-weight:600}',
  ...TONES.map((tone) => `.${tone}{fill:var(--${tone});stroke:var(--${tone})}`),
  '.grid{stroke:var(--faint)}.range{stroke-width:2;stroke-opacity:.45}',
  '.second{fill-opacity:.4}.number{font-size:11px;font-weight:600}',
  '</style>',
].join('');

const PLOT = { left: 70, top: 56, width: 560, height: 460 };
const LEGEND_LEFT = PLOT.left + PLOT.width + 30;
const LINE = 21;

/** Points with their numbers, names beside the axes; both axes are logarithmic: values must be above 0. */
export function scatterSvg({ title, x, y, tones, points }: Scatter): string {
  const across = scaleOf(
    points.flatMap((point) => [point.x, point.from ?? point.x]),
    PLOT.left,
    PLOT.left + PLOT.width,
  );
  const up = scaleOf(
    points.map((point) => point.y),
    PLOT.top + PLOT.height,
    PLOT.top,
  );
  const bottom = PLOT.top + PLOT.height;
  const grid = [
    ...across.ticks.map((value) => {
      const at = round(across.place(value));
      return `${line(at, PLOT.top, at, bottom)}${text(at, bottom + 18, figure(value), 'middle')}`;
    }),
    ...up.ticks.map((value) => {
      const at = round(up.place(value));
      const label = text(PLOT.left - 8, at + 4, figure(value), 'end');
      return `${line(PLOT.left, at, PLOT.left + PLOT.width, at)}${label}`;
    }),
  ];
  const marks = points.map((point, i) => {
    const [left, top] = [round(across.place(point.x)), round(up.place(point.y))];
    const from = round(across.place(point.from ?? point.x));
    const range = `<path class="range ${point.tone}" d="M${from} ${top}H${left}"/>`;
    return `${range}${mark(point.tone, left, top)}${number(left + 8, top - 5, i + 1)}`;
  });
  const legend = points.map(({ name, tone, from, x: at, y: value }, i) => {
    const top = PLOT.top + 8 + i * LINE;
    const figures = `${figure(value)}; ${from === undefined ? '' : `${figure(from)}–`}${figure(at)}`;
    return `${mark(tone, LEGEND_LEFT, top - 4)}${text(LEGEND_LEFT + 12, top, `${i + 1} ${name} (${figures})`)}`;
  });
  const shapes = TONES.map((tone, i) => {
    const left = PLOT.left + i * 200;
    return `${mark(tone, left + 6, 38)}${text(left + 18, 42, tones[tone])}`;
  });
  const height = Math.max(bottom + 60, PLOT.top + points.length * LINE + 30);
  const turned = `transform="rotate(-90 18 ${PLOT.top + PLOT.height / 2})"`;
  const axes = [
    text(PLOT.left + PLOT.width / 2, bottom + 42, x, 'middle'),
    `<text x="18" y="${PLOT.top + PLOT.height / 2}" text-anchor="middle" ${turned}>${escaped(y)}</text>`,
  ];
  return svg(title, LEGEND_LEFT + 330, height, [...shapes, ...grid, ...marks, ...legend, ...axes]);
}

/** Bars from zero, a group of them for each name, the figure at the end of each. */
export function barsSvg({ title, values, bars }: Bars): string {
  const left = 200;
  const width = 560;
  const thick = 15;
  const group = values.length * thick + 9;
  const most = Math.max(1e-9, ...bars.flatMap(({ figures }) => figures));
  const key = values.map((name, i) => {
    const at = left + i * 300;
    const box = `<rect class="batch${i > 0 ? ' second' : ''}" x="${at}" y="32" width="12" height="12"/>`;
    return `${box}${text(at + 18, 42, name)}`;
  });
  const drawn = bars.flatMap(({ name, tone, figures }, i) => {
    const top = 60 + i * group;
    const label = text(left - 8, top + (values.length * thick) / 2 + 4, name, 'end');
    const each = figures.map((value, k) => {
      const long = round((Math.max(0, value) / most) * width);
      const at = top + k * thick;
      const kind = `${tone}${k > 0 ? ' second' : ''}`;
      const box = `<rect class="${kind}" x="${left}" y="${at}" width="${long}" height="${thick - 3}"/>`;
      return `${box}${text(left + long + 6, at + 11, figure(value))}`;
    });
    return [label, ...each];
  });
  const bottom = 60 + bars.length * group;
  const axis = line(left, 54, left, bottom);
  return svg(title, left + width + 90, bottom + 16, [...key, axis, ...drawn]);
}

interface Scale {
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** Logarithmic, from the 1-2-5 step below the smallest value to the one above the largest. */
function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const low = stepAt(Math.min(...values), Math.floor);
  const high = Math.max(low + 1, stepAt(Math.max(...values), Math.ceil));
  const [start, end] = [Math.log(stepOf(low)), Math.log(stepOf(high))];
  return {
    place: (value) => from + ((Math.log(value) - start) / (end - start)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, i) => stepOf(low + i)),
  };
}

/** 0 is 1, 1 is 2, 2 is 5, 3 is 10, -1 is 0.5, … */
function stepOf(index: number): number {
  const decade = Math.floor(index / 3);
  return [1, 2, 5][index - decade * 3]! * 10 ** decade;
}

function stepAt(value: number, toward: (at: number) => number): number {
  const near = Math.floor(Math.log10(value)) * 3;
  const steps = [0, 1, 2, 3].map((i) => near + i);
  const below = steps.findLast((step) => stepOf(step) <= value * 1.000001) ?? near;
  return toward(0.5) === 0 || stepOf(below) >= value * 0.999999 ? below : below + 1;
}

function mark(tone: Tone, x: number, y: number): string {
  if (tone === 'each') return `<circle class="each" cx="${x}" cy="${y}" r="5"/>`;
  if (tone === 'batch') {
    return `<rect class="batch" x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`;
  }
  return `<path class="own" d="M${x} ${y - 7}l7 7l-7 7l-7 -7z"/>`;
}

function number(x: number, y: number, value: number): string {
  return `<text class="number" x="${x}" y="${y}">${value}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<path class="grid" d="M${x1} ${y1}L${x2} ${y2}"/>`;
}

function text(x: number, y: number, content: string, anchor = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function svg(title: string, width: number, height: number, parts: readonly string[]): string {
  const head =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`;
  const ground = `<rect class="ground" width="${width}" height="${height}"/>`;
  const name = `<text class="title" x="20" y="24">${escaped(title)}</text>`;
  return `${[head, STYLE, ground, name, ...parts, '</svg>'].join('\n')}\n`;
}

function escaped(content: string): string {
  const names: Readonly<Record<string, string>> = {
    ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' },
  };
  return content.replace(/[&<>"]/g, (sign) => names[sign]!);
}

function figure(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`;
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
