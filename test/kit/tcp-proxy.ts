/**
 * A TCP proxy that misbehaves on request: cuts, refuses, stalls (both ways or one: half-open),
 * throttles and delays, then heals. What a fault holds back is kept, bounded by what the sender's
 * kernel accepts, and goes on in order after `heal`. Knows no protocol.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';

/** `up`: towards the target; `down`: back from it. */
export type Direction = 'up' | 'down';

export interface TcpProxy {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Pairs of connections that are open. */
  readonly connections: number;
  /** Bytes passed on so far, each way. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Ends all connections at once (RST); answers how many. New ones may come. */
  cut(): number;
  /** Nobody listens any more: new connections are refused. Those that are open stay. */
  refuse(): Promise<void>;
  /** Nothing passes, ends of connections neither; new connections are accepted and stall too. */
  stall(direction?: Direction | 'both'): void;
  /** Passes at most so many bytes per second each way, over all connections. */
  throttle(bytesPerSecond: number): void;
  /** What arrives passes `ms` later. */
  delay(ms: number): void;
  /** New connections go to another port of this machine. */
  retarget(port: number): void;
  /** Ends every fault; what was held back passes. */
  heal(): Promise<void>;
  /** Cuts, refuses, and that is all. */
  stop(): Promise<void>;
}

/** Read from one side and not yet passed to the other; over this the sender has to wait. */
const HELD_BYTES_MAX = 256 * 1024;
const THROTTLE_STEP_MS = 10;

interface Faults {
  readonly stalled: Record<Direction, boolean>;
  bytesPerSecond: number;
  delayMs: number;
}

const none = (): Faults => ({
  stalled: { up: false, down: false },
  bytesPerSecond: Infinity,
  delayMs: 0,
});

/** One direction of one pair of connections. */
class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: Direction;
  readonly #proxy: Proxy;
  #held: { readonly bytes: Buffer; readonly at: number }[] = [];
  #heldBytes = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, direction: Direction, proxy: Proxy) {
    this.#from = from;
    this.#to = to;
    this.#direction = direction;
    this.#proxy = proxy;
    from.on('data', (bytes) => {
      this.#held.push({ bytes, at: performance.now() });
      this.#heldBytes += bytes.length;
      if (this.#heldBytes >= HELD_BYTES_MAX) from.pause();
      this.pass();
    });
    from.on('end', () => {
      this.#ended = true;
      this.pass();
    });
    to.on('drain', () => this.pass());
  }

  /** Passes what the faults allow now. */
  pass(): void {
    const { faults } = this.#proxy;
    clearTimeout(this.#timer);
    if (faults.stalled[this.#direction] || this.#to.writableNeedDrain) return;
    while (this.#held.length > 0) {
      const { bytes, at } = this.#held[0]!;
      const wait = at + faults.delayMs - performance.now();
      if (wait > 0) return this.#later(wait);
      const allowed = this.#proxy.allowance(this.#direction, bytes.length);
      if (allowed === 0) return this.#later(THROTTLE_STEP_MS);
      this.#write(bytes, at, allowed);
      if (this.#to.writableNeedDrain) return;
    }
    if (this.#ended) this.#to.end();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }

  #write(bytes: Buffer, at: number, count: number): void {
    if (count >= bytes.length) this.#held.shift();
    else this.#held[0] = { bytes: bytes.subarray(count), at };
    this.#heldBytes -= count;
    this.#proxy.passed[this.#direction] += count;
    if (this.#to.writable) this.#to.write(bytes.subarray(0, count));
    if (this.#heldBytes < HELD_BYTES_MAX) this.#from.resume();
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.pass(), Math.ceil(ms));
  }
}

interface Pair {
  readonly sockets: readonly [Socket, Socket];
  readonly pumps: readonly [Pump, Pump];
}

class Proxy {
  faults = none();
  readonly passed = { up: 0, down: 0 };
  readonly pairs = new Set<Pair>();
  target: number;
  readonly #budget = { up: { at: 0, bytes: 0 }, down: { at: 0, bytes: 0 } };

  constructor(target: number) {
    this.target = target;
  }

  /** How many of `wanted` bytes may pass now; they count as passed. */
  allowance(direction: Direction, wanted: number): number {
    const { bytesPerSecond } = this.faults;
    if (bytesPerSecond === Infinity) return wanted;
    const budget = this.#budget[direction];
    const now = performance.now();
    // At most a step's worth is saved up, so a pause is not followed by a burst.
    const most = Math.max(1, (bytesPerSecond * THROTTLE_STEP_MS * 2) / 1000);
    budget.bytes = Math.min(most, budget.bytes + ((now - budget.at) * bytesPerSecond) / 1000);
    budget.at = now;
    const allowed = Math.min(wanted, Math.floor(budget.bytes));
    budget.bytes -= allowed;
    return allowed;
  }

  accept(near: Socket): void {
    const far = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    const pair: Pair = {
      sockets: [near, far],
      pumps: [new Pump(near, far, 'up', this), new Pump(far, near, 'down', this)],
    };
    this.pairs.add(pair);
    for (const [socket, direction] of [
      [near, 'up'],
      [far, 'down'],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', (hadError) => this.#closed(pair, direction, hadError));
    }
  }

  passAll(): void {
    for (const { pumps } of this.pairs) for (const pump of pumps) pump.pass();
  }

  drop(pair: Pair): void {
    this.pairs.delete(pair);
    for (const pump of pair.pumps) pump.stop();
    for (const socket of pair.sockets) socket.resetAndDestroy();
  }

  /** A side that vanished takes the other with it, unless a stall keeps the other from noticing. */
  #closed(pair: Pair, direction: Direction, hadError: boolean): void {
    if (this.faults.stalled[direction] || !this.pairs.has(pair)) return;
    if (hadError || pair.sockets.every(({ destroyed }) => destroyed)) this.drop(pair);
  }
}

/** Listens on a free port of this machine and passes everything to `target` there. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const proxy = new Proxy(target);
  const server = createServer({ allowHalfOpen: true }, (near) => proxy.accept(near));
  const port = await freePort();
  await listen(server, port);
  const cut = () => {
    const { size } = proxy.pairs;
    for (const pair of [...proxy.pairs]) proxy.drop(pair);
    return size;
  };
  const refuse = async () => {
    if (server.listening) server.close();
  };
  return {
    port,
    address: `127.0.0.1:${port}`,
    get connections() {
      return proxy.pairs.size;
    },
    passed: proxy.passed,
    cut,
    refuse,
    ...faultsOf(proxy),
    heal: async () => {
      proxy.faults = none();
      for (const pair of [...proxy.pairs]) {
        if (pair.sockets.some(({ destroyed }) => destroyed)) proxy.drop(pair);
      }
      proxy.passAll();
      if (!server.listening) await listen(server, port);
    },
    stop: async () => {
      await refuse();
      cut();
    },
  };
}

function faultsOf(proxy: Proxy): Pick<TcpProxy, 'stall' | 'throttle' | 'delay' | 'retarget'> {
  return {
    stall: (direction = 'both') => {
      for (const each of ['up', 'down'] as const) {
        if (direction === 'both' || direction === each) proxy.faults.stalled[each] = true;
      }
    },
    throttle: (bytesPerSecond) => {
      proxy.faults.bytesPerSecond = bytesPerSecond;
    },
    delay: (ms) => {
      proxy.faults.delayMs = ms;
    },
    retarget: (next) => {
      proxy.target = next;
    },
  };
}

function listen(server: Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}
