/**
 * Owns the C floor as a room: the least a chatroom with a tick can cost, as a server the fan-out can
 * load like the service. Knows no load.
 */
import { freePort } from '../kit.js';
import type { Server } from '../service.js';
import { Studio } from '../studio.js';
import { compiler, floor } from './own-servers.js';
import { Program } from './program.js';

const BATCH_MS = 100;

export function hasFloor(): boolean {
  return compiler() !== undefined;
}

/** Only viewers feed it: it has no API. */
export async function startFloorRoom(): Promise<Server> {
  const [port, feedPort] = [await freePort(), await freePort()];
  const command = [floor(), String(port), String(feedPort), String(BATCH_MS), 'room'];
  const program = new Program(() => command);
  try {
    await program.ready([port]);
  } catch (error) {
    await program.stop();
    throw error;
  }
  return {
    name: 'floor',
    pid: program.pid,
    edgePort: port,
    studio: new Studio(port, 'none'),
    path: () => '/?room=room',
    token: () => '',
    usage: () => program.usage(),
    stop: () => program.stop(),
  };
}
