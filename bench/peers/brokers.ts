/**
 * Owns the brokers of Debian as peers, each on one core with its best settings for a broadcast: nginx
 * with nchan, nats-server and mosquitto, all three with their own WebSocket listeners.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../kit.js';
import { findProgram } from '../programs.js';
import { hex, ROOM, type Peer, type RunningPeer } from './peer.js';
import {
  mqttConnect,
  mqttSubscribe,
  postHttp,
  postMqtt,
  postNats,
  type Poster,
} from './posters.js';
import { Program } from './program.js';
import { frameOf } from './line-feed.js';

const SOCKETS_MAX = 19_500;
const POSTER_BATCH_MS = 100;
const NCHAN_MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const isRoot = process.getuid?.() === 0;

interface Broker {
  readonly name: string;
  readonly program: string;
  readonly missing: () => string | undefined;
  readonly command: (at: Places) => string[];
  /** File name and text of the configuration. */
  readonly config: (at: Places) => string;
  readonly path: string;
  readonly manner: readonly string[];
  readonly poster: (at: Places) => Promise<Poster>;
}

interface Places {
  readonly folder: string;
  readonly file: string;
  readonly port: number;
  readonly feedPort: number;
}

const nchan: Broker = {
  name: 'nchan',
  program: 'nginx',
  missing: () => (existsSync(NCHAN_MODULE) ? undefined : 'libnginx-mod-nchan is not installed'),
  command: ({ folder, file }) => ['-p', folder, '-c', file, '-e', join(folder, 'error.log')],
  config: ({ folder, port }) =>
    [
      `load_module ${NCHAN_MODULE}; daemon off; ${isRoot ? 'user root;' : ''}`,
      `worker_processes 1; worker_rlimit_nofile ${SOCKETS_MAX + 400}; pid ${folder}/pid;`,
      `events { worker_connections ${SOCKETS_MAX}; multi_accept on; }`,
      'http { access_log off; tcp_nodelay on; keepalive_requests 100000000;',
      ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${folder}/${name};`,
      ),
      'client_body_buffer_size 64k; nchan_shared_memory_size 256M;',
      `server { listen 127.0.0.1:${port} backlog=4096;`,
      'location = /sub { nchan_subscriber websocket; nchan_channel_id $arg_id;',
      'nchan_subscriber_first_message newest; nchan_websocket_ping_interval 0; }',
      'location = /pub { nchan_publisher; nchan_channel_id $arg_id;',
      'nchan_message_buffer_length 100; nchan_message_timeout 10s; } } }',
    ].join('\n'),
  path: `/sub?id=${ROOM}`,
  manner: [],
  poster: ({ port }) => postHttp(port, `/pub?id=${ROOM}`),
};

const nats: Broker = {
  name: 'nats',
  program: 'nats-server',
  missing: () => undefined,
  command: ({ file }) => ['-c', file],
  config: ({ port, feedPort }) =>
    `listen: "127.0.0.1:${feedPort}"\nmax_connections: ${SOCKETS_MAX}\nping_interval: "10m"\n` +
    `websocket { listen: "127.0.0.1:${port}", no_tls: true, compression: false }\n`,
  path: '/',
  manner: [
    `greet 2 ${hex('CONNECT {"verbose":false,"pedantic":false}\r\n')}`,
    `greet 2 ${hex(`SUB ${ROOM} 1\r\n`)}`,
    `greet 2 ${hex('PING\r\n')}`,
    `joined ${hex('PONG\r\n')}`,
    `answer ${hex('PING\r\n')} 2 ${hex('PONG\r\n')}`,
  ],
  poster: ({ feedPort }) => postNats(feedPort),
};

const mosquitto: Broker = {
  name: 'mosquitto',
  program: 'mosquitto',
  missing: () => undefined,
  command: ({ file }) => ['-c', file],
  config: ({ port, feedPort }) =>
    [
      `${isRoot ? 'user root' : ''}`,
      'persistence false\nallow_anonymous true\nlog_type error\nsys_interval 0',
      'set_tcp_nodelay true\nmax_queued_messages 0',
      `listener ${feedPort} 127.0.0.1`,
      `listener ${port} 127.0.0.1\nprotocol websockets\n`,
    ].join('\n'),
  path: '/mqtt',
  manner: [
    'protocol mqtt',
    `greet 2 ${hex(mqttConnect())}`,
    `greet 2 ${hex(mqttSubscribe())}`,
    // SUBACK, three bytes long, of the first subscription.
    `joined ${hex(Buffer.from([0x90, 3, 0, 1]))}`,
  ],
  poster: ({ feedPort }) => postMqtt(feedPort),
};

/** Each broker twice: a message a publication, and a message every 100 ms made by the poster. */
export function brokers(): Peer[] {
  return [nchan, nats, mosquitto].flatMap((broker) => [
    { ...peerOf(broker, false), name: broker.name, sends: 'each', posterBatchMs: 0 },
    {
      ...peerOf(broker, true),
      name: `${broker.name} batched`,
      sends: 'batch at the poster',
      posterBatchMs: POSTER_BATCH_MS,
    },
  ]);
}

function peerOf(broker: Broker, isBatched: boolean): Pick<Peer, 'missing' | 'start'> {
  const { program } = broker;
  return {
    missing: () =>
      findProgram([program]) === undefined ? `${program} is not installed` : broker.missing(),
    start: () => start(broker, isBatched),
  };
}

async function start(broker: Broker, isBatched: boolean): Promise<RunningPeer> {
  const [port, feedPort] = [await freePort(), await freePort()];
  const places: Partial<Places> = {};
  const program = new Program((folder) => {
    const at = Object.assign(places, { folder, port, feedPort, file: join(folder, 'peer.conf') });
    writeFileSync(at.file, broker.config(at));
    return [findProgram([broker.program])!, ...broker.command(at)];
  });
  try {
    await program.ready(broker.name === 'nchan' ? [port] : [port, feedPort]);
    const poster = await broker.poster(places as Places);
    return {
      ...{ port, path: broker.path, manner: broker.manner, format: 'json' },
      usage: () => program.usage(),
      post: (posts) => {
        const texts = posts.map(({ json }) => json);
        poster.post(isBatched ? [frameOf(texts)] : texts);
      },
      stop: async () => {
        poster.close();
        await program.stop();
      },
    };
  } catch (error) {
    await program.stop();
    throw error;
  }
}
