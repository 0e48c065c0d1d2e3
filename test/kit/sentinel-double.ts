/**
 * Owns a sentinel that does as it is told: names one server as the master, late when asked to, and
 * tells of failovers when the test says so. What real ones do by chance, at a moment of choice.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface SentinelDouble {
  /** `host:port`. */
  readonly address: string;
  /** Times the master was asked for. */
  readonly asked: () => number;
  /** Those who listen for failovers. */
  readonly listeners: () => number;
  /** From now on who asks for the master waits so long, milliseconds. */
  answerAfter(ms: number): void;
  /** Tells listeners that the master was switched. */
  tellSwitch(): void;
  stop(): void;
}

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const list = (...texts: string[]) => `*${texts.length}\r\n${texts.map(bulk).join('')}`;

/** Listens on a free port of 127.0.0.1 and names `masterPort` there as the master. */
export async function startSentinelDouble(masterPort: number): Promise<SentinelDouble> {
  let [asked, waitMs] = [0, 0];
  const sockets = new Set<Socket>();
  const listening = new Set<Socket>();
  const answer = (socket: Socket, [name = '', sub = '']: readonly string[]) => {
    if (name === 'subscribe') {
      listening.add(socket);
      socket.write(`*3\r\n${bulk('subscribe')}${bulk(sub)}:1\r\n`);
    } else if (name === 'sentinel' && sub === 'get-master-addr-by-name') {
      asked++;
      setTimeout(() => socket.write(list('127.0.0.1', String(masterPort))), waitMs);
    } else socket.write(name === 'sentinel' ? '*0\r\n' : '+OK\r\n');
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => [sockets, listening].forEach((set) => set.delete(socket)));
    let text = '';
    socket.on('data', (bytes) => {
      text += String(bytes);
      // Commands are lists of words without line breaks: *2 $4 word $4 word.
      for (let parts; (parts = /^\*(\d+)\r\n/.exec(text)) !== null;) {
        const lines = text.split('\r\n');
        const count = Number(parts[1]);
        if (lines.length < 2 * count + 2) return;
        text = lines.slice(2 * count + 1).join('\r\n');
        const words = Array.from({ length: count }, (_, i) => lines[2 * i + 2]!.toLowerCase());
        answer(socket, words);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    listeners: () => listening.size,
    answerAfter: (ms) => void (waitMs = ms),
    tellSwitch: () => {
      for (const socket of listening) socket.write(list('message', '+switch-master', 'barrage'));
    },
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
