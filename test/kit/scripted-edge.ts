/** A WebSocket server on a free port that answers viewers as a test's script says. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export type Line = Readonly<Record<string, unknown>>;

export interface ScriptedViewer {
  /** From 1, in order of connecting. */
  readonly number: number;
  readonly commands: Line[];
  say(...lines: readonly Line[]): void;
  sayRaw(text: string): void;
  close(code: number, reason?: string): void;
  /** Without a close frame. */
  cut(): void;
}

export interface ScriptedEdge {
  readonly url: string;
  readonly viewers: ScriptedViewer[];
  /** Most connections open at once. */
  readonly openMax: () => number;
  stop(): Promise<void>;
}

type Script = (command: Line, viewer: ScriptedViewer) => void;

export async function startScriptedEdge(script: Script): Promise<ScriptedEdge> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const viewers: ScriptedViewer[] = [];
  let most = 0;
  server.on('connection', (socket) => {
    const viewer = viewerOf(socket, viewers.length + 1);
    viewers.push(viewer);
    most = Math.max(most, server.clients.size);
    socket.on('message', (data: Buffer) => {
      for (const text of data.toString().split('\n')) {
        const command = JSON.parse(text) as Line;
        viewer.commands.push(command);
        script(command, viewer);
      }
    });
    viewer.say({ type: 'welcome', viewer: `v${viewer.number}`, edge: 'e1', heartbeatMs: 25_000 });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    viewers,
    openMax: () => most,
    stop: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise((done) => server.close(done));
    },
  };
}

function viewerOf(socket: WebSocket, number: number): ScriptedViewer {
  return {
    number,
    commands: [],
    say: (...lines) => socket.send(lines.map((line) => JSON.stringify(line)).join('\n')),
    sayRaw: (text) => socket.send(text),
    close: (code, reason = '') => socket.close(code, reason),
    cut: () => socket.terminate(),
  };
}

/** The answer to a join. */
export function joined(more: Line = {}): Line {
  const user = { id: 'u', role: 'member', maySpeak: true };
  const place = { room: 'lobby', epoch: 1, offset: 0, recovered: false, online: 1, user };
  return { type: 'joined', ...place, publications: [], ...more };
}
