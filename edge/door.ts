/**
 * Owns the WebSocket upgrade: asks the door's rules, counts the connection in, makes it.
 * Rules: SPEC E-IN-1, E-IN-2.
 */
import { addressOf } from './address.js';
import { Connection } from './connection.js';
import { errorReply } from './http-replies.js';
import type { ViewerParts } from './parts.js';
import { chooseProtocol, doorRefusal, type DoorRefusal } from './upgrade.js';
import type { Handshake, HandshakeRequest } from './viewer-server.js';

export class Door {
  readonly #parts: ViewerParts;

  constructor(parts: ViewerParts) {
    this.#parts = parts;
  }

  upgrade(request: HandshakeRequest): Handshake {
    const { addresses, tuning, isDraining, meters, newcomers, joinTurns } = this.#parts;
    const address = addressOf(request, tuning().trustProxy);
    const refusal = doorRefusal(
      {
        isDraining: isDraining(),
        origin: request.header('origin'),
        host: request.header('host'),
        connections: addresses.total,
        connectionsOfAddress: addresses.of(address),
        busyMs: newcomers.waitMs(),
      },
      tuning(),
    );
    if (refusal !== undefined) return this.#refuse(refusal);
    const spoken = chooseProtocol(request.header('sec-websocket-protocol'));
    if ('why' in spoken) return this.#refuse(spoken);
    const room = request.query.get('room');
    const token = request.query.get('token') || undefined;
    addresses.add(address);
    meters.opened.add('websocket');
    return {
      accept: true,
      protocol: spoken.protocol,
      isBinary: spoken.isDeflate,
      abandoned: () => addresses.remove(address),
      open: (socket) => {
        const encoding = spoken.isDeflate ? 'deflate' : 'text';
        const connection = new Connection(socket, encoding, this.#parts, address);
        if (room !== null) {
          joinTurns.run(room.length + (token?.length ?? 0), (isWanted) => {
            if (isWanted && connection.isOpen) connection.joinAtOnce(room, token);
          });
        }
        return connection;
      },
    };
  }

  #refuse({ why, ...error }: DoorRefusal): Handshake {
    this.#parts.meters.refused.add(why);
    return { accept: false, reply: errorReply(error) };
  }
}
