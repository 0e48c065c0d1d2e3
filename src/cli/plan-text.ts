/** Owns how a capacity plan is told to people: a table of what is needed, what binds, what is doubtful. Pure. */
import { COEFFICIENTS } from '../plan/coefficients.js';
import type { EdgeLoad } from '../plan/edge-load.js';
import { BOUNDS } from '../plan/edges.js';
import type { Plan } from '../plan/plan.js';

type Line = readonly [what: string, figure: string];

const LOSSES = {
  nothing: 'no loss is planned for',
  machine: 'a machine of each region may be lost',
  region: 'a whole region may be lost',
} as const;

/** Ends with a line break. */
export function planText(plan: Plan): string {
  const { input } = plan;
  const blocks: readonly (readonly [title: string, lines: readonly Line[]])[] = [
    ['asked', askedLines(plan)],
    ['edges', edgeLines(plan)],
    ['an edge', [...loadLines(plan.edges.usual), ...boundLines(plan)]],
    [`after the loss (${LOSSES[input.survive]})`, loadLines(plan.edges.afterLoss)],
    ['NATS', natsLines(plan)],
    ['room services and Redis', roomLines(plan)],
    ['CDN', cdnLines(plan)],
    ['bandwidth and cost', costLines(plan)],
  ];
  const width = Math.max(...blocks.flatMap(([, lines]) => lines.map(([what]) => what.length)));
  const text = blocks.flatMap(([title, lines]) => [
    title,
    ...lines.map(([what, figure]) => `  ${what.padEnd(width)}  ${figure}`),
    '',
  ]);
  return [...text, ...notes(plan), ''].join('\n');
}

function askedLines({ input }: Plan): Line[] {
  const { viewers, rooms, regions, rate, keepRate, tickMs, said, arrivals } = input;
  return [
    ['viewers', `${count(viewers)} in ${count(rooms)} room(s), ${count(regions)} region(s)`],
    [
      'each is sent',
      `${count(rate)}/s droppable, ${count(keepRate)}/s keepable, tick ${tickMs} ms`,
    ],
    ['they say', `${count(said)}/s`],
    ['come at the peak', `${count(arrivals)}/s`],
    ['follow the CDN', share(input.cdn)],
    ['in use at most', `${share(input.busy)} of a core and of the network`],
  ];
}

function edgeLines({ edges, input }: Plan): Line[] {
  const { machines, processes, machinesPerRegion } = edges;
  return [
    ['processes', count(processes)],
    ['machines', `${count(machines)} of ${input.cores} cores (${machinesPerRegion} a region)`],
    ['viewers an edge holds', `${count(edges.viewersMax)}, bound by ${edges.binding}`],
  ];
}

function boundLines({ edges }: Plan): Line[] {
  return BOUNDS.map((name) => [`would hold by ${name}`, `${count(edges.bounds[name])} viewers`]);
}

function loadLines(load: EdgeLoad): Line[] {
  return [
    ['viewers', count(load.viewers)],
    ['core', `${share(load.busy)} (fan-out ${share(load.fanOutBusy)})`],
    ['time between flushes', `${count(load.intervalMs)} ms`],
    ['sends', `${count(load.flushesPerSecond)}/s`],
    ['network', bits(load.wireBytesPerSecond)],
    ['memory', bytes(load.memoryBytes)],
  ];
}

function natsLines({ nats }: Plan): Line[] {
  return [
    ['servers', `${count(nats.servers)} (one may be lost)`],
    ['edges that hear a room', count(nats.edgesPerRoom)],
    ['in', `${count(nats.notesInPerSecond)}/s, ${bits(nats.bytesInPerSecond)}`],
    ['out', `${count(nats.notesOutPerSecond)}/s, ${bits(nats.bytesOutPerSecond)}`],
    ['cores of all', nats.busy.toFixed(2)],
  ];
}

function roomLines({ rooms, redis }: Plan): Line[] {
  return [
    ['room services', count(rooms.services)],
    ['owner of one room', `${share(rooms.roomBusy)} of a core`],
    ['frames of a room', `${count(rooms.framesPerSecond)}/s`],
    ['danmaku that reach rooms', `${count(rooms.admittedPerSecond)}/s`],
    ['let go at the edges', `${count(rooms.refusedPerSecond)}/s`],
    ['Redis', `${count(redis.commitsPerSecond)} commits/s, ${share(redis.busy)} of a core`],
  ];
}

function cdnLines({ cdn }: Plan): Line[] {
  if (cdn === undefined) return [['mode', 'off']];
  return [
    ['viewers that follow it', count(cdn.viewers)],
    [
      'requests, while all come',
      `${count(cdn.requestsPerSecond)}/s, ${count(cdn.newcomersPerSecond)}/s begin to follow it`,
    ],
    ['bandwidth', bits(cdn.bytesPerSecond)],
    ['a segment, a manifest', `${bytes(cdn.segmentBytes)}, ${bytes(cdn.manifestBytes)}`],
    [
      'origin, whatever the audience',
      `${count(cdn.originRequestsPerSecond)}/s, ${bits(cdn.originBytesPerSecond)}`,
    ],
    ['read after, p50 and p99', `${count(cdn.delayP50Ms)} and ${count(cdn.delayP99Ms)} ms`],
    ['shown behind the room by', `${count(cdn.shownMs)} ms`],
  ];
}

function costLines({ cost, egressBytesPerSecond, input }: Plan): Line[] {
  const { coreHour, egressGb, cdnGb } = input.prices;
  const priced = (amount: string, price: number, sum: number): string =>
    price === 0 ? amount : `${amount}, ${money(sum)} an hour`;
  return [
    ['cores', priced(count(cost.cores), coreHour, cost.coresCost)],
    [
      'leaves the edges',
      priced(
        `${bits(egressBytesPerSecond)}, ${count(cost.egressGb)} GB an hour`,
        egressGb,
        cost.egressCost,
      ),
    ],
    ['leaves the CDN', priced(`${count(cost.cdnGb)} GB an hour`, cdnGb, cost.cdnCost)],
    ['cost', cost.total === 0 ? 'no prices given' : `${money(cost.total)} an hour`],
  ];
}

function notes({ warnings }: Plan): string[] {
  const { sendUs, byteNs } = COEFFICIENTS;
  const unmeasured = Object.entries(COEFFICIENTS)
    .filter(([, { from }]) => !/^\d{4}-/.test(from))
    .map(([name]) => name);
  return [
    ...warnings.map((warning) => `! ${warning}`),
    `From what one core did on loopback: ${sendUs.value} µs a send and ${byteNs.value} ns a byte ` +
      `(${sendUs.from}).`,
    'Read figures as ±25 %; TLS is not in them.',
    ...(unmeasured.length === 0
      ? []
      : [`Not from a report of the bench: ${unmeasured.join(', ')}.`]),
  ];
}

function count(value: number): string {
  if (!Number.isFinite(value)) return 'without end';
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(4))} M`;
  const figure = value < 100 ? Number(value.toPrecision(3)) : Math.round(value);
  return figure.toLocaleString('en-US');
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

function bits(bytesPerSecond: number): string {
  const value = bytesPerSecond * 8;
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];
  const step = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${Number((value / 1000 ** step).toPrecision(3))} ${units[step]}`;
}

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const step = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${Number((value / 1000 ** step).toPrecision(3))} ${units[step]}`;
}

function money(value: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}
