/**
 * Owns how the compared figures are told: which stand in which table, what each is and is not, and the
 * plot beside it. Measures nothing.
 */
import { spreadOf } from '../kit.js';
import type { Row, Table } from '../plan.js';
import { barsSvg, scatterSvg, type Tone } from '../plot.js';

const WORK = [
  'Every server gets the same danmaku (bench/corpus.ts) of one poster in its natural way: brokers by ' +
    'their own protocol over one connection, servers over libraries a line each over TCP, Barrage as ' +
    'danmaku of logged-in viewers over WebSocket, each told its verdict.',
  '`sends` says how publications leave: `each` as a message of its own, `batch` as one message every ' +
    '100 ms (collected by the server, or by the poster where a broker cannot), `its tick` as the ' +
    'room of Barrage does. Latency runs from the post to the viewer that read it, so it holds the wait.',
  'CPU is user and system time of the server with all its children, one core; on loopback a send holds ' +
    'the receipt too. A delivery is one publication read by one viewer, a flush one WebSocket payload.',
];

const TONE_NAMES: Readonly<Record<Tone, string>> = {
  each: 'a message each',
  batch: 'a batch every 100 ms',
  own: 'Barrage',
};

/** CPU for a delivery against latency, a plot for each number of viewers. */
export function loadTable(rows: readonly Row[], asked: number, notes: readonly string[]): Table {
  const names = [
    ...['cpuUsPerDelivery', 'deliveriesPerCpuSecond', 'p50Ms', 'p99Ms', 'deliveriesPerSecond'],
    ...['flushesPerCpuSecond', 'bytesPerCpuSecond', 'serverBusy', 'loadBusy'],
    ...['delivered', 'lost', 'closed'],
  ];
  const counts = [...new Set(rows.map((row) => Number(row.case['viewers'])))];
  return {
    question: 'peers-load',
    title: 'Servers compared: CPU for a delivery against latency',
    notes: [
      ...WORK,
      'A server that delivers less than 95 % of what is offered and fills its core does not hold the ' +
        'rate: it is shown at the highest rate it held, which `per second` names (after three tries at ' +
        'the last one, in quick mode at the first). `lost` counts from the first publication on, after ' +
        'all posting ended and nothing more arrived: publications × viewers - deliveries.',
      ...notes,
    ],
    rows: rows.map((row) => pick(row, names)),
    plots: counts.map((viewers) => ({
      name: `peers-load-${viewers}`,
      svg: scatterSvg({
        title: `CPU for a delivery against latency, ${viewers} viewers, ${asked} publications/s`,
        x: 'latency, p50 to p99 (ms)',
        y: 'CPU for a delivery (µs)',
        tones: TONE_NAMES,
        points: rows
          .filter((row) => row.case['viewers'] === viewers)
          .map((row) => ({
            name: nameOf(row, asked),
            tone: toneOf(row),
            y: Math.max(0.001, median(row, 'cpuUsPerDelivery')),
            x: Math.max(0.01, median(row, 'p99Ms')),
            from: Math.max(0.01, median(row, 'p50Ms')),
          })),
      }),
    })),
  };
}

/** Bytes a viewer reads for a delivery, at the smallest number of viewers. */
export function bytesTable(rows: readonly Row[], notes: readonly string[]): Table {
  const least = Math.min(...rows.map((row) => Number(row.case['viewers'])));
  const few = rows.filter((row) => row.case['viewers'] === least);
  return {
    question: 'peers-bytes',
    title: 'Servers compared: bytes on the wire for a delivery',
    notes: [
      'All bytes the viewers read from their sockets in the window, heads of WebSocket frames and the ' +
        "server's envelope with them, divided by deliveries. Heads of TCP and IP come on top, once " +
        'a segment: `deliveries per flush` says how often.',
      ...notes,
    ],
    rows: few.map((row) => pick(row, ['bytesPerDelivery', 'deliveriesPerFlush'])),
    plots: [
      {
        name: 'peers-bytes',
        svg: barsSvg({
          title: `Bytes on the wire for a delivery, ${least} viewers`,
          values: ['bytes'],
          bars: few.map((row) => ({
            name: String(row.case['server']),
            tone: toneOf(row),
            figures: [median(row, 'bytesPerDelivery')],
          })),
        }),
      },
    ],
  };
}

/** Memory for a viewer that only waits, at the largest number of viewers. */
export function memoryTable(rows: readonly Row[], notes: readonly string[], most: number): Table {
  const many = rows.filter((row) => row.case['viewers'] === most);
  return {
    question: 'peers-memory',
    title: `Servers compared: memory for a viewer, ${most} connections`,
    notes: [
      'Growth of the resident memory of the server and its children from before the first viewer to all ' +
        'of them in the room and nothing posted yet. Socket buffers of the kernel are not in it.',
      ...notes,
    ],
    rows: many.map((row) => pick(row, ['rssPerViewer'])),
    plots: [
      {
        name: 'peers-memory',
        svg: barsSvg({
          title: `Memory for a viewer, ${most} idle connections`,
          values: ['bytes of RSS'],
          bars: many.map((row) => ({
            name: String(row.case['server']),
            tone: toneOf(row),
            figures: [median(row, 'rssPerViewer')],
          })),
        }),
      },
    ],
  };
}

/** What the others notice, and what it takes, when one viewer of ten stops reading for a while. */
export function slowTable(
  rows: readonly Row[],
  { viewers, pauseMs, notes }: { viewers: number; pauseMs: number; notes: readonly string[] },
): Table {
  return {
    question: 'peers-slow',
    title: 'Servers compared: one viewer of ten stops reading',
    notes: [
      `${viewers} viewers; one of ten stops reading for ${pauseMs / 1000} s and then goes on. ` +
        '`p99 calm` is before, `p99 paused` that of the viewers who read meanwhile.',
      '`rss` and `tcp` are the most that the memory of the server, and the socket buffers of the kernel ' +
        '(both ends, on loopback), grew meanwhile: while the kernel takes everything, no server sees ' +
        'that a viewer is slow. `closed` were put out by the server; `missed` is the share of all ' +
        'deliveries that never came, after those who paused had time to read what was kept for them.',
      ...notes,
    ],
    rows,
    plots: [
      {
        name: 'peers-slow',
        svg: barsSvg({
          title: `Latency of the others while one viewer of ten does not read, ${viewers} viewers`,
          values: ['p99 before (ms)', 'p99 meanwhile (ms)'],
          bars: rows.map((row) => ({
            name: `${row.case['server']} ${row.case['perSecond']}/s`,
            tone: toneOf(row),
            figures: [median(row, 'p99CalmMs'), median(row, 'p99PausedMs')],
          })),
        }),
      },
    ],
  };
}

function nameOf(row: Row, asked: number): string {
  const rate = String(row.case['perSecond']);
  return rate === String(asked) ? `${row.case['server']}` : `${row.case['server']} at ${rate}/s`;
}

function toneOf(row: Row): Tone {
  if (row.case['sends'] === 'its tick') return 'own';
  return row.case['sends'] === 'each' ? 'each' : 'batch';
}

function median(row: Row, name: string): number {
  const values = row.values[name] ?? [];
  return values.length === 0 ? 0 : spreadOf(values).median;
}

function pick(row: Row, names: readonly string[]): Row {
  const values = names.flatMap((name) => {
    const found = row.values[name];
    return found === undefined ? [] : [[name, found] as const];
  });
  return { case: row.case, values: Object.fromEntries(values) };
}
