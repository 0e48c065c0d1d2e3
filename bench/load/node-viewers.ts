/**
 * Owns the viewers of one Node load process: opening at a rate, counting what they read, speaking.
 */
import { inflateRawSync } from 'node:zlib';
import { clock, nowUs } from '../kit.js';
import { bucketOf, count, emptyCounts, type Counts } from './node-counts.js';
import { SocketViewer } from './socket-viewer.js';

export interface ViewerOrder {
  readonly port: number;
  readonly path: string;
  readonly room: string;
  /** More than one: viewers in turn are in `<room>-<number>`. */
  readonly rooms?: number;
  readonly viewers: number;
  readonly rate: number;
  readonly addresses: number;
  readonly format: 'json' | 'deflate';
  readonly tokens: readonly string[];
  /** JSON texts, quotes included. */
  readonly texts: readonly string[];
  readonly stall: number;
  readonly churn: boolean;
  readonly process: number;
  readonly processes: number;
}

interface FrameLine {
  readonly keep: boolean;
  readonly epoch: number;
  readonly tick: number;
  readonly offset: number;
  /** Offsets from here on that a viewer has not got were not meant for it. */
  readonly from: number;
  readonly publications: number;
  readonly stamps: readonly number[];
}

interface Line {
  readonly type: string;
  readonly frame?: FrameLine;
  readonly offset?: number;
  readonly from?: number;
  readonly id?: number;
  readonly verdict?: string;
}

interface Viewer {
  readonly index: number;
  socket: SocketViewer | undefined;
  joined: boolean;
  next: number;
  epoch: number;
  tick: number;
}

const PACE_MS = 10;
const DISTINCT_MAX = 512;

export class NodeViewers {
  readonly #counts = emptyCounts();
  readonly #viewers: Viewer[];
  readonly #read = new Map<string, { payload: Buffer; lines: readonly Line[] }>();
  #perSecond = 0;
  #speakingSince = 0;
  #said = 0;
  #turn = 0;
  #lastId = 0;

  constructor(readonly order: ViewerOrder) {
    this.#viewers = Array.from({ length: order.viewers }, (_, i) => ({
      index: i * order.processes + order.process,
      socket: undefined,
      ...{ joined: false, next: 0, epoch: -1, tick: -1 },
    }));
  }

  start(): void {
    const began = clock.now();
    let opened = 0;
    clock.every(PACE_MS, () => {
      const due = Math.ceil(((clock.now() - began) * this.order.rate) / 1000);
      for (; opened < Math.min(due, this.#viewers.length); opened++) {
        this.#open(this.#viewers[opened]!);
      }
      this.#speakDue();
    });
  }

  counts(): Counts {
    const { user, system } = process.cpuUsage();
    this.#counts.numbers['cpuUs'] = user + system;
    return this.#counts;
  }

  /** Danmaku per second of all load processes together. */
  speak(perSecond: number): void {
    if (perSecond === this.#perSecond) return;
    this.#perSecond = perSecond;
    this.#speakingSince = clock.now();
    this.#said = 0;
  }

  #add(name: string, by = 1): void {
    count(this.#counts.numbers, name, by);
  }

  #open(viewer: Viewer): void {
    const { order } = this;
    const token = order.tokens[viewer.index % Math.max(1, order.tokens.length)];
    Object.assign(viewer, { joined: false, next: 0, epoch: -1, tick: -1 });
    viewer.socket = new SocketViewer({
      port: order.port,
      path: `${order.path}${this.#roomEnd(viewer)}${token === undefined ? '' : `&token=${token}`}`,
      format: order.format,
      localAddress: `127.0.0.${2 + (viewer.index % order.addresses)}`,
      onOpen: () => this.#add('opened'),
      onBytes: (bytes) => this.#add('bytes', bytes),
      onPayload: (payload) => this.#take(viewer, payload),
      onEnd: () => {
        this.#add(viewer.joined ? 'closed' : 'failed');
        viewer.socket = undefined;
        if (order.churn) this.#open(viewer);
      },
    });
  }

  #roomEnd({ index }: Viewer): string {
    const { rooms = 1 } = this.order;
    return rooms === 1 ? '' : `-${index % rooms}`;
  }

  #take(viewer: Viewer, payload: Buffer): void {
    const now = nowUs();
    let frames = 0;
    for (const line of this.#lines(payload)) {
      if (line.frame !== undefined) {
        frames++;
        this.#takeFrame(viewer, line.frame, now);
      } else if (line.type === 'joined') this.#join(viewer, line.offset ?? 0);
      else if (line.type === 'error') this.#add('errors');
      else if (line.type === 'verdict') {
        count(this.#counts.verdicts, line.verdict ?? 'other');
        count(this.#counts.answer, bucketOf(now - (line.id ?? now)));
      }
    }
    if (frames > 0) this.#add('flushes');
    this.#add('frames', frames);
  }

  #join(viewer: Viewer, offset: number): void {
    if (!viewer.joined) this.#add('joined');
    viewer.joined = true;
    viewer.next = offset + 1;
    if (this.order.churn) {
      viewer.socket?.close();
      return void clock.after(0, () => this.#open(viewer));
    }
    const { stall } = this.order;
    if (stall > 0 && viewer.index % Math.floor(1 / stall) === 0) {
      this.#add('stalled');
      viewer.socket?.stopReading();
    }
    return undefined;
  }

  #takeFrame(viewer: Viewer, frame: FrameLine, now: number): void {
    this.#add('deliveries', frame.publications);
    for (const stamp of frame.stamps) count(this.#counts.latency, bucketOf(now - stamp));
    if (frame.keep) {
      if (frame.from > viewer.next) this.#add('gaps');
      if (frame.offset < viewer.next) this.#add('repeats');
      viewer.next = frame.offset + frame.publications;
    } else {
      if (frame.epoch === viewer.epoch && frame.tick <= viewer.tick) this.#add('repeats');
      Object.assign(viewer, { epoch: frame.epoch, tick: frame.tick });
    }
  }

  /** Viewers of a slice get equal bytes, which are read once and compared in full. */
  #lines(payload: Buffer): readonly Line[] {
    const tail = payload.length < 4 ? 0 : payload.readUInt32BE(payload.length - 4);
    const key = `${payload.length}.${tail}`;
    const known = this.#read.get(key);
    if (known?.payload.equals(payload)) return known.lines;
    let lines: readonly Line[];
    try {
      const text = this.order.format === 'deflate' ? inflateRawSync(payload) : payload;
      lines = text.toString().split('\n').map(readLine);
    } catch {
      this.#add('unread');
      return [];
    }
    if (!lines.some((line) => line.frame !== undefined)) return lines;
    this.#add('distinct');
    if (this.#read.size >= DISTINCT_MAX) this.#read.clear();
    this.#read.set(key, { payload: Buffer.from(payload), lines });
    return lines;
  }

  #speakDue(): void {
    const { texts, room, processes } = this.order;
    if (this.#perSecond <= 0 || texts.length === 0) return;
    const passed = clock.now() - this.#speakingSince;
    let due = Math.floor((passed * this.#perSecond) / processes / 1000) - this.#said;
    for (let tries = 0; due > 0 && tries < this.#viewers.length; tries++) {
      const viewer = this.#viewers[this.#turn++ % this.#viewers.length]!;
      if (!viewer.joined || viewer.socket === undefined) continue;
      const now = nowUs();
      this.#lastId = Math.max(now, this.#lastId + 1);
      const text = texts[this.#said++ % texts.length]!;
      const to = `"room":"${room}${this.#roomEnd(viewer)}","id":${this.#lastId}`;
      const line = `{"type":"send",${to},"text":${text},"data":{"bt":${now}}}`;
      this.#add(viewer.socket.send(line) ? 'offered' : 'blocked');
      due--;
    }
  }
}

function readLine(text: string): Line {
  const value = JSON.parse(text) as Line & {
    readonly class?: string;
    readonly epoch?: number;
    readonly tick?: number;
    readonly publications?: readonly { readonly data?: { readonly bt?: number } }[];
  };
  if (value.type !== 'frame') return value;
  const publications = value.publications ?? [];
  const stamps = publications.flatMap(({ data }) => (data?.bt === undefined ? [] : [data.bt]));
  const { epoch = 0, tick = 0, offset = 0, from = offset } = value;
  const keep = value.class === 'keep';
  const frame = { keep, epoch, tick, offset, from, publications: publications.length, stamps };
  return { type: 'frame', frame };
}
