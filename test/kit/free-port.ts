/**
 * A port nobody listens on, for services that are started again on the same one. (A port the system
 * chose by listening on 0 cannot be taken over while connections of the one before linger.)
 */
import { createServer, type AddressInfo } from 'node:net';

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
