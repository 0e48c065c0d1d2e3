/**
 * Owns the peers the bench wrote itself over libraries others would take, and the floor in C: what they
 * are called, which program and mode they are, how viewers join them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../kit.js';
import { findProgram } from '../programs.js';
import { nodeArguments, projectFolder } from '../service.js';
import { hex, type Peer, type RunningPeer } from './peer.js';
import { postLines } from './posters.js';
import { Program } from './program.js';

interface Own {
  readonly name: string;
  readonly sends: Peer['sends'];
  /** Program and arguments before the ports. */
  readonly program: () => readonly string[];
  readonly mode: string;
  readonly path: string;
  readonly manner: readonly string[];
}

const plain = { path: '/', manner: [] as readonly string[] };
const socketIo = {
  path: '/socket.io/?EIO=4&transport=websocket',
  manner: [`greet 1 ${hex('40')}`, `joined ${hex('40{')}`, `answer ${hex('2')} 1 ${hex('3')}`],
};
const node = (script: string) => () => [
  process.execPath,
  ...nodeArguments(`bench/peers/${script}.js`),
];
const each = { sends: 'each', mode: 'natural' } as const;
const batched = { sends: 'batch at the server', mode: 'batch' } as const;

const OWN: readonly Own[] = [
  { name: 'C floor', ...each, program: () => [floor()], mode: '0', ...plain },
  { name: 'C floor batched', ...batched, program: () => [floor()], mode: '100', ...plain },
  { name: 'uWS publish', ...each, program: node('uws'), ...plain },
  { name: 'uWS publish batched', ...batched, program: node('uws'), ...plain },
  { name: 'uWS loop batched', ...batched, program: node('uws'), mode: 'loop', ...plain },
  { name: 'ws', ...each, program: node('ws'), ...plain },
  { name: 'ws prepared batched', ...batched, program: node('ws'), ...plain },
  { name: 'Socket.IO', ...each, program: node('socket-io'), ...socketIo },
  { name: 'Socket.IO batched', ...batched, program: node('socket-io'), ...socketIo },
  { name: 'Socket.IO uWS', ...each, program: node('socket-io'), mode: 'uws-natural', ...socketIo },
  {
    name: 'Socket.IO uWS batched',
    ...batched,
    program: node('socket-io'),
    mode: 'uws-batch',
    ...socketIo,
  },
];

/** All of them; the scripts are those of the built project. */
export function ownServers(): Peer[] {
  return OWN.map((own) => ({
    name: own.name,
    sends: own.sends,
    posterBatchMs: 0,
    missing: () => missing(own),
    start: () => start(own),
  }));
}

function missing({ name, program }: Own): string | undefined {
  if (name.startsWith('C floor')) return compiler() === undefined ? 'no C compiler' : undefined;
  const script = program().at(-1)!;
  return existsSync(script) ? undefined : 'not built: npm run build';
}

async function start({ program, mode, path, manner }: Own): Promise<RunningPeer> {
  const [port, feedPort] = [await freePort(), await freePort()];
  const command = [...program(), String(port), String(feedPort), mode];
  const server = new Program(() => command);
  try {
    await server.ready([feedPort]);
    const poster = await postLines(feedPort);
    return {
      ...{ port, path, manner, format: 'json' },
      usage: () => server.usage(),
      post: (posts) => poster.post(posts.map(({ json }) => json)),
      stop: async () => {
        poster.close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Of C; undefined where there is none. */
export function compiler(): string | undefined {
  return findProgram(['cc', 'gcc', 'clang']);
}

/** The path of the compiled floor; compiles it when its source is newer. */
export function floor(): string {
  const folder = join(projectFolder, 'bench', 'peers');
  const source = join(folder, 'floor.c');
  const changed = [source, join(folder, 'floor-room.h')].map((path) => statSync(path).mtimeMs);
  const out = join(projectFolder, 'bench', 'out');
  const program = join(out, 'floor');
  if (existsSync(program) && statSync(program).mtimeMs > Math.max(...changed)) return program;
  mkdirSync(out, { recursive: true });
  const beside = `${program}.${process.pid}`;
  const { status } = spawnSync(compiler() ?? 'cc', ['-O2', '-o', beside, source], {
    stdio: 'ignore',
  });
  if (status !== 0) throw new Error('bench/peers/floor.c could not be compiled');
  renameSync(beside, program);
  return program;
}
