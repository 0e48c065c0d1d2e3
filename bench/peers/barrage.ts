/**
 * Owns Barrage as one of the compared servers: the embedded service with default settings but for its
 * limits. Posts are danmaku said over ten or more viewer connections that receive no danmaku themselves.
 */
import { WebSocket } from 'ws';
import { once } from 'node:events';
import { within } from '../kit.js';
import { openRoom, wideOpenFor } from '../rooms.js';
import { startService, type Server } from '../service.js';
import { hex, ROOM, type Peer, type PeerLoad, type Post, type RunningPeer } from './peer.js';
import type { Format } from '../viewer-load.js';

/** The edge takes 20 commands a second from one connection. */
const COMMANDS_PER_SECOND = 10;
const SPEAKERS_MIN = 10;
const WARM_PER_SECOND = 2000;
const JOIN_MS_MAX = 10_000;

/** Its two formats, and its sockets over the package ws. */
export function barrages(): Peer[] {
  const rows: readonly [string, Format, NodeJS.ProcessEnv][] = [
    ['Barrage', 'json', { BARRAGE_EDGE_SOCKETS: 'uws' }],
    ['Barrage deflate', 'deflate', { BARRAGE_EDGE_SOCKETS: 'uws' }],
    ['Barrage on ws', 'json', { BARRAGE_EDGE_SOCKETS: 'ws' }],
  ];
  return rows.map(([name, format, env]) => ({
    name,
    sends: 'its tick',
    posterBatchMs: 0,
    missing: () => undefined,
    start: (load) => start(format, env, load),
  }));
}

async function start(
  format: Format,
  env: NodeJS.ProcessEnv,
  { viewers, perSecond }: PeerLoad,
): Promise<RunningPeer> {
  const server = await startService(env);
  const speakers: WebSocket[] = [];
  try {
    await openRoom(server.studio, ROOM, wideOpenFor(viewers));
    const count = Math.ceil(Math.max(perSecond, WARM_PER_SECOND) / COMMANDS_PER_SECOND);
    for (let i = 0; i < Math.max(SPEAKERS_MIN, count); i++) {
      speakers.push(await openSpeaker(server, i));
    }
  } catch (error) {
    await end(server, speakers);
    throw error;
  }
  let said = 0;
  const post = ({ text, style, bt }: Post): void => {
    const speaker = speakers[said % speakers.length]!;
    const danmaku = { type: 'send', room: ROOM, id: ++said, text, style, data: { bt } };
    speaker.send(JSON.stringify(danmaku));
  };
  return {
    port: server.edgePort,
    path: server.path(ROOM),
    manner: [`protocol barrage.v1+${format}`, `joined ${hex('"type":"joined"')}`],
    format,
    post: (posts) => posts.forEach(post),
    usage: () => server.usage(),
    stop: () => end(server, speakers),
  };
}

/** A connection of a user that is in the room and asked for keepable publications only. */
async function openSpeaker(server: Server, index: number): Promise<WebSocket> {
  const token = server.token(`u${10_000 + index}`, ROOM, `青柠${index % 97}`);
  const url = `ws://127.0.0.1:${server.edgePort}${server.path(ROOM)}&token=${token}`;
  const socket = new WebSocket(url, ['barrage.v1+json'], { perMessageDeflate: false });
  socket.on('error', () => undefined);
  await within(once(socket, 'message'), 'a speaker to join', JOIN_MS_MAX);
  socket.send(JSON.stringify({ type: 'receive', room: ROOM, classes: 'keep' }));
  return socket;
}

async function end(server: Server, speakers: readonly WebSocket[]): Promise<void> {
  for (const speaker of speakers) speaker.terminate();
  await server.stop();
}
