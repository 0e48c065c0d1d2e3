/**
 * Owns durations and sizes as people write them (`25s`, `64KiB`): to milliseconds and bytes and
 * back. A number without a unit is a flaw, never a guess.
 */

export interface Flaw {
  readonly flaw: string;
}

interface Scale {
  readonly units: Readonly<Record<string, number>>;
  readonly example: string;
  readonly pattern: RegExp;
}

const DURATION: Scale = {
  units: { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 },
  example: '25s',
  pattern: /^(\d{1,15}(?:\.\d{1,6})?)([a-zA-Z]+)$/,
};
const SIZE: Scale = {
  units: { GiB: 1 << 30, MiB: 1 << 20, KiB: 1 << 10, B: 1 },
  example: '64KiB',
  pattern: DURATION.pattern,
};

/** Whole milliseconds of `100ms`, `25s`, `10m`, `2h`, `7d`. */
export function parseDuration(raw: unknown): number | Flaw {
  return parse(raw, DURATION);
}

/** Whole bytes of `512B`, `64KiB`, `1MiB`, `1GiB`. */
export function parseSize(raw: unknown): number | Flaw {
  return parse(raw, SIZE);
}

/** The shortest exact text, e.g. 90000 → `90s`, 43200000 → `12h`. */
export function formatDuration(ms: number): string {
  return ms === 0 ? '0s' : format(ms, DURATION);
}

/** The shortest exact text, e.g. 65536 → `64KiB`. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE);
}

function parse(raw: unknown, scale: Scale): number | Flaw {
  const bare = `needs a unit, e.g. ${scale.example}`;
  const units = Object.keys(scale.units).reverse().join(', ');
  if (typeof raw === 'number') return { flaw: bare };
  if (typeof raw !== 'string') return { flaw: `must be a number with a unit (${units})` };
  const text = raw.trim();
  if (/^[\d.]+$/.test(text)) return { flaw: bare };
  const match = scale.pattern.exec(text);
  const unit = match === null ? undefined : match[2];
  if (match === null || unit === undefined || !Object.hasOwn(scale.units, unit)) {
    return { flaw: `must be a number with a unit (${units}), e.g. ${scale.example}` };
  }
  const value = Number(match[1]) * (scale.units[unit] ?? Number.NaN);
  const rounded = Math.round(value);
  // A decimal fraction of a unit may miss the whole number by the last bits: 4.1s is 4100 ms.
  return Math.abs(value - rounded) <= 1e-6 * Math.max(1, value)
    ? rounded
    : { flaw: `must come to a whole number of ${Object.keys(scale.units).at(-1) ?? ''}` };
}

function format(value: number, scale: Scale): string {
  for (const [unit, size] of Object.entries(scale.units)) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return `${value}${Object.keys(scale.units).at(-1) ?? ''}`;
}
