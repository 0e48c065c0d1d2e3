/**
 * Owns a foreign server as a process of its own core: started, awaited on its ports, measured together
 * with its children, and ended by pid whatever happens. Knows no protocol.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clock, sleep, until } from '../kit.js';
import { pinned, SERVER_CORE, usageOf, type Usage } from '../machine.js';

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 5000;
const OUTPUT_BYTES_MAX = 4000;

const running = new Set<Program>();
process.once('exit', () => {
  for (const program of running) program.kill();
});

/** Makes a signal that ends the bench end what it started too. */
export function endTogether(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
}

export class Program {
  /** A temporary folder that is removed with the program. */
  readonly folder: string;
  readonly #process: ChildProcess;
  #output = '';
  #ended = false;

  /** `command` gets the folder first: it may write its configuration there. */
  constructor(command: (folder: string) => readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'barrage-peer-'));
    const [file, ...args] = command(this.folder) as [string, ...string[]];
    const [first, ...rest] = pinned(SERVER_CORE, file, args) as [string, ...string[]];
    this.#process = spawn(first, rest, { cwd: this.folder, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stdin?.on('error', () => undefined);
    this.#process.once('exit', () => (this.#ended = true));
    this.#process.once('error', (error) => {
      this.#output += String(error);
      this.#ended = true;
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.#output = (this.#output + part.toString()).slice(-OUTPUT_BYTES_MAX);
      });
    }
    running.add(this);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Waits until all ports take connections. */
  async ready(ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      const isOpen = async (): Promise<boolean> => {
        if (this.#ended) throw new Error(`it ended at once: ${this.#output.trim()}`);
        return takesConnections(port);
      };
      await until(isOpen, `port ${port}: ${this.#output.trim()}`, START_MS_MAX);
    }
  }

  /** CPU and memory of the process and all its descendants; throws when it has ended. */
  usage(): Usage {
    const all = this.each();
    return {
      cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      rssBytes: all.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    };
  }

  /** As `usage`, of each process: it first, then its descendants. */
  each(): Usage[] {
    return treeOf(this.pid).map(usageOf);
  }

  /** Ends it in good order; what does not end in time is killed with its children. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const end = clock.now() + STOP_MS_MAX;
    while (!this.#ended && clock.now() < end) await sleep(20);
    this.kill();
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }

  kill(): void {
    if (this.#ended) return;
    for (const pid of treeOf(this.pid).reverse()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** The process and its descendants, parents first; empty when it is gone. */
function treeOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (pid === 0 || !existsSync(file)) return [];
  const children = readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(treeOf)];
}
