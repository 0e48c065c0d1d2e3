/**
 * Owns the report of a bench run: the same facts as Markdown for people and JSON for programs.
 * Knows how figures are written, not what they mean.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf } from './kit.js';
import type { MachineFacts } from './machine.js';
import type { Plan, Row, Table } from './plan.js';

export interface Report {
  /** ISO date and time of the start. */
  readonly at: string;
  readonly machine: MachineFacts;
  readonly plan: Plan;
  readonly warnings: readonly string[];
  readonly tables: readonly Table[];
}

/** Writes both files and the plots, and returns the path of the Markdown one. */
export function writeReport(folder: string, report: Report): string {
  mkdirSync(folder, { recursive: true });
  const changed = report.machine.changed ? '-changed' : '';
  const name = `${report.at.slice(0, 10)}-${report.machine.commit}${changed}`;
  const { isComparing } = report.plan;
  const own = join(folder, name);
  const plots = report.tables.flatMap((table) => table.plots ?? []);
  if (isComparing || plots.length > 0) mkdirSync(own, { recursive: true });
  for (const plot of plots) writeFileSync(join(own, `${plot.name}.svg`), plot.svg);
  // A comparison stands beside the report of the service itself, not in its place.
  const path = isComparing ? join(own, 'peers') : own;
  const tables = report.tables.map(({ plots: _, ...table }) => table);
  writeFileSync(`${path}.md`, markdownOf(report));
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...report, tables }, null, 2)}\n`);
  return `${path}.md`;
}

export function markdownOf(report: Report): string {
  const { machine, plan } = report;
  const changed = machine.changed ? ' with uncommitted changes' : '';
  return [
    `# Bench of ${report.at.slice(0, 10)}, commit ${machine.commit}${changed}`,
    '',
    `${machine.cores} × ${machine.cpu}, ${gigabytes(machine.memoryBytes)} GiB, kernel ` +
      `${machine.kernel}, Node ${machine.node}; load average before the start ` +
      `${machine.load}.`,
    `${plan.runs} run${plan.runs === 1 ? '' : 's'} of ${plan.seconds} s each after ` +
      `${plan.warmupSeconds} s of warm-up${plan.quick ? ' (quick)' : ''}, seed ` +
      `${plan.seed}. Server on one core, load on the other, loopback.`,
    plan.runs > 1 ? 'Each figure is the median, in brackets smallest and largest.' : '',
    ...report.warnings.map((warning) => `**${warning}**`),
    '',
    ...report.tables.flatMap(tableLines),
  ].join('\n');
}

function tableLines(table: Table): string[] {
  const first = table.rows[0];
  if (first === undefined) return [];
  const given = Object.keys(first.case);
  const measured = [...new Set(table.rows.flatMap((row) => Object.keys(row.values)))];
  return [
    `## ${table.title}`,
    '',
    ...table.notes.map((note) => `- ${note}`),
    '',
    ...(table.plots ?? []).map(({ name }) => `![${table.title}](${name}.svg)\n`),
    ...blockLines(table.rows, given, measured),
  ];
}

/** At most eight measured columns stand side by side; the rest follow in further blocks. */
function blockLines(
  rows: readonly Row[],
  given: readonly string[],
  measured: readonly string[],
): string[] {
  const lines: string[] = [];
  for (let at = 0; at < measured.length; at += COLUMNS_MAX) {
    const columns = measured.slice(at, at + COLUMNS_MAX);
    lines.push(`| ${[...given, ...columns].map(words).join(' | ')} |`);
    lines.push(`|${given.map(() => '---|').join('')}${columns.map(() => '--:|').join('')}`);
    for (const row of rows) {
      const cells = columns.map((name) => figure(name, row.values[name]));
      lines.push(`| ${[...given.map((name) => String(row.case[name])), ...cells].join(' | ')} |`);
    }
    lines.push('');
  }
  return lines;
}

const COLUMNS_MAX = 8;

/** `deliveriesPerCpuSecond` is written "deliveries per CPU second". */
function words(name: string): string {
  return name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace('per cpu second', 'per CPU second')
    .replace(/ ms$/, ' (ms)');
}

function figure(name: string, values: readonly number[] | undefined): string {
  if (values === undefined || values.length === 0) return '-';
  const { median, min, max } = spreadOf(values);
  const write = (value: number): string => written(name, value);
  return min === max ? write(median) : `${write(median)} (${write(min)}-${write(max)})`;
}

function written(name: string, value: number): string {
  if (/Busy$|^delivered$/.test(name)) return `${(value * 100).toFixed(1)} %`;
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (Math.abs(value) >= 10_000) return `${(value / 1e3).toFixed(1)} k`;
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

function gigabytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(0);
}
