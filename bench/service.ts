/**
 * Owns servers under measurement: the built service or a yardstick as a child process on its own
 * core, with free ports and a temporary data folder that go with it. Knows no load.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { NODE_FLAGS } from '../src/cli/node-flags.js';
import { Tokens } from '../src/tokens.js';
import { clock, freePort, sleep, until } from './kit.js';
import { pinned, SERVER_CORE, usageOf, type Usage } from './machine.js';
import { Studio } from './studio.js';

/** Folder of package.json, whether this file runs from dist or from its source. */
export const projectFolder = ancestorWith('package.json', import.meta.dirname);

function ancestorWith(name: string, folder: string): string {
  return existsSync(join(folder, name)) ? folder : ancestorWith(name, dirname(folder));
}

/** Arguments of Node that start a program under dist/, with the flags all commands start it with. */
export function nodeArguments(script: string, ...args: readonly string[]): string[] {
  return [...NODE_FLAGS, join(projectFolder, 'dist', script), ...args];
}

export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly edgePort: number;
  readonly studio: Studio;
  /** Path of the WebSocket upgrade for a room, token apart. */
  path(room: string): string;
  /** A viewer token for one user; empty where the server asks for none. */
  token(user: string, room: string, name?: string): string;
  usage(): Usage;
  stop(): Promise<void>;
}

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 20_000;
const OUTPUT_BYTES_MAX = 8192;

const living = new Set<Child>();
process.once('exit', () => {
  for (const child of living) child.kill();
});

class Child {
  #output = '';
  readonly #process: ChildProcess;
  #ended = false;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv, folder: string) {
    const [file, ...args] = command as [string, ...string[]];
    this.#process = spawn(file, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    living.add(this);
    this.#process.once('exit', () => {
      this.#ended = true;
      living.delete(this);
    });
    this.#process.once('error', (error) => {
      this.#output += String(error);
      this.#ended = true;
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.#output = (this.#output + part.toString()).slice(-OUTPUT_BYTES_MAX);
      });
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Waits for GET /readyz to answer 200. */
  async ready(studio: Studio): Promise<void> {
    await until(
      async () => {
        if (this.#ended) throw new Error(`the server ended at once:\n${this.#output}`);
        return (await studio.call('GET', '/readyz').catch(() => undefined))?.status === 200;
      },
      `/readyz; the server said:\n${this.#output}`,
      START_MS_MAX,
    );
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const end = clock.now() + STOP_MS_MAX;
    while (!this.#ended && clock.now() < end) await sleep(20);
    if (!this.#ended) this.#process.kill('SIGKILL');
  }
}

/** Starts dist/barrage.js with everything in one process. `env` adds to the environment. */
export async function startService(env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'barrage-bench-'));
  const [edgePort, studioPort] = [await freePort(), await freePort()];
  const apiKey = randomBytes(32).toString('base64url');
  const secret = randomBytes(32).toString('base64url');
  const file = join(folder, 'barrage.yaml');
  writeFileSync(file, configText(apiKey, secret));
  const args = nodeArguments('barrage.js', 'all', '--config', file);
  const command = pinned(SERVER_CORE, process.execPath, args);
  const child = new Child(
    command,
    {
      ...process.env,
      BARRAGE_EDGE_PORT: String(edgePort),
      BARRAGE_STUDIO_PORT: String(studioPort),
      BARRAGE_DATA_FOLDER: join(folder, 'data'),
      BARRAGE_EDGE_CONNECTIONS_PER_ADDRESS: '20000',
      ...env,
    },
    projectFolder,
  );
  const studio = new Studio(studioPort, apiKey);
  const tokens = new Tokens([{ kid: 'bench', secret }], 'barrage');
  const server: Server = {
    name: 'barrage',
    pid: child.pid,
    edgePort,
    studio,
    path: (room) => `/v1/ws?room=${room}`,
    token: (user, room, name) =>
      tokens.issue(
        { user, rooms: [room], role: 'member', ttlMs: 3_600_000, ...(name && { name }) },
        clock.now(),
      ),
    usage: () => usageOf(child.pid),
    stop: async () => {
      studio.close();
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await ready(server, child);
  return server;
}

/** Starts the yardstick bench/peers/raw-uws. */
export async function startRawUws(): Promise<Server> {
  const port = await freePort();
  const args = nodeArguments('bench/peers/raw-uws.js', String(port));
  const command = pinned(SERVER_CORE, process.execPath, args);
  const child = new Child(command, process.env, projectFolder);
  const studio = new Studio(port, 'none');
  const server: Server = {
    name: 'raw-uws',
    pid: child.pid,
    edgePort: port,
    studio,
    path: (room) => `/v1/ws?room=${room}`,
    token: () => '',
    usage: () => usageOf(child.pid),
    stop: async () => {
      studio.close();
      await child.stop();
    },
  };
  await ready(server, child);
  return server;
}

async function ready(server: Server, child: Child): Promise<void> {
  try {
    await child.ready(server.studio);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Nothing but the load may bound a measurement: the API's own quota and logging are out of the way. */
function configText(apiKey: string, tokenSecret: string): string {
  return [
    'studio:',
    '  requestsPerSecond: 1000000',
    `  keys: [{ id: bench, secret: "${apiKey}" }]`,
    'tokens:',
    `  keys: [{ kid: bench, secret: "${tokenSecret}" }]`,
    'drain:',
    '  window: 0s',
    'log:',
    '  level: warn',
    '',
  ].join('\n');
}
