/**
 * Owns one connection of the NATS library (the only importer of it): no reconnects, no iterators,
 * its errors told in our words. What happens when it ends is src/adapters/nats-link.ts.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  connect,
  credsAuthenticator,
  headers,
  nkeyAuthenticator,
  type Authenticator,
  type ConnectionOptions,
  type Msg,
  type NatsConnection,
} from 'nats';
import { BarrageError, asBarrageError, type ErrorCode } from '../errors.js';
import type { NatsBusOptions, NatsTarget } from '../nats-settings.js';
import { nameOf } from './nats-probe.js';

/** A header of answers that are none: the code the asker gets. */
const ERROR_HEADER = 'Barrage-Error';
const RETRY_MS = 1000;

/** No retry helps until someone changes the configuration, here or at the server. */
const CONFIG_ERRORS = [
  /^(AUTHORIZATION_VIOLATION|BAD_AUTHENTICATION|BAD_CREDS|AUTHENTICATION_EXPIRED|ACCOUNT_EXPIRED)$/,
  /^(SERVER_OPT_NA|TLS|INVALID_OPTION|CERT_.*|.*SELF_SIGNED.*|UNABLE_TO_.*)$/,
  /^ERR_(TLS|SSL|OSSL)_/,
];

export interface WireSubscription {
  /** Nothing more is called after this. */
  cancel(): void;
  /** Resolves when what the server sent before has been heard. */
  drain(): Promise<void>;
}

export type Heard = (bytes: Uint8Array, reply: string) => void;

export class NatsWire {
  readonly server: string;
  /** Resolves, with the error if there was one, when the connection is over. */
  readonly closed: Promise<unknown>;
  readonly #connection: NatsConnection;
  #maxPayload = 0;
  #others: readonly string[] = [];

  constructor(connection: NatsConnection, server: string, told: (text: string) => void) {
    this.#connection = connection;
    this.server = server;
    this.closed = connection.closed();
    this.look();
    void this.#follow(told);
  }

  /** Payload bytes the server takes at most. */
  get maxPayload(): number {
    return this.#maxPayload;
  }

  /** Addresses of the servers of the cluster, as this one tells them. */
  get others(): readonly string[] {
    return this.#others;
  }

  /** Rises with everything that arrives. */
  get heard(): number {
    return this.#connection.stats().inMsgs;
  }

  /** Takes up what the server says of itself; it may say so again at any time. */
  look(): void {
    const info = this.#connection.info;
    if (info === undefined) return;
    this.#maxPayload = info.max_payload;
    this.#others = info.connect_urls ?? [];
  }

  /** Throws BarrageError when the connection is over. */
  publish(subject: string, bytes: Uint8Array): void {
    try {
      this.#connection.publish(subject, bytes);
    } catch (error) {
      throw translate(error, subject);
    }
  }

  /**
   * `isServer`: hears with whom to answer. Several that serve a subject all hear each request: in a
   * queue group an owner that is lost would get its part until the server notices, minutes later.
   */
  listen(
    subject: string,
    isServer: boolean,
    on: { readonly heard: Heard; readonly refused: (error: unknown) => void },
  ): WireSubscription {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, msg) => {
        if (error !== null) on.refused(translate(error, subject));
        else on.heard(msg.data, isServer ? (msg.reply ?? '') : '');
      },
    });
    return {
      cancel: () => subscription.unsubscribe(),
      drain: () => subscription.drain().catch(() => undefined),
    };
  }

  /** Rejects with BarrageError `bus_down`, `timeout`, or what the server of the subject refused with. */
  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    let answer: Msg;
    try {
      answer = await this.#connection.request(subject, bytes, {
        timeout: Math.max(1, Math.ceil(timeoutMs)),
      });
    } catch (error) {
      throw translate(error, subject);
    }
    const code = answer.headers?.get(ERROR_HEADER) ?? '';
    if (code === '') return answer.data;
    const known: ErrorCode = code === 'bus_full' ? 'bus_full' : 'internal';
    throw new BarrageError(known, Buffer.from(answer.data).toString(), { retryAfterMs: RETRY_MS });
  }

  /** Tells the asker that there is no answer, and why. */
  refuse(reply: string, code: 'internal' | 'bus_full', why: string): void {
    const marked = headers();
    marked.set(ERROR_HEADER, code);
    this.#connection.publish(reply, Buffer.from(why), { headers: marked });
  }

  /** Resolves when all that was sent has arrived; rejects or stays open when the connection ends. */
  ping(): Promise<void> {
    return this.#connection.flush();
  }

  /** Ends at once; what is on the way is lost. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #follow(told: (text: string) => void): Promise<void> {
    for await (const { type, data } of this.#connection.status()) {
      if (type === 'error' || type === 'ldm') told(`${type} ${JSON.stringify(data)}`);
    }
  }
}

/** Connects to one server that greeted. Rejects with BarrageError `config` or `bus_down`. */
export async function dialNats(
  target: NatsTarget,
  options: NatsBusOptions,
  told: (text: string) => void,
): Promise<NatsWire> {
  const server = nameOf(target);
  try {
    return new NatsWire(await connect(connectionOptions(target, options)), server, told);
  } catch (error) {
    if (error instanceof BarrageError) throw error;
    const why = `${server}: ${asBarrageError(error).message}`;
    const isConfig = CONFIG_ERRORS.some((codes) => codes.test(codeOf(error)));
    const code = isConfig ? 'config' : 'bus_down';
    throw new BarrageError(code, `NATS server ${why}`, { field: 'nats', cause: error });
  }
}

/** Reads what the options name. Throws BarrageError `config` naming the setting. */
export function checkAccess(options: NatsBusOptions): void {
  const { ca, cert, key } = options.tls;
  for (const [field, file] of Object.entries({ ca, cert, key })) {
    if (file !== '') readSetting(`nats.tls.${field}`, file);
  }
  authenticatorOf(options)?.('nonce');
}

function connectionOptions(target: NatsTarget, options: NatsBusOptions): ConnectionOptions {
  const { tls, user, password, token, name, dialMs } = options;
  const authenticator = authenticatorOf(options);
  const files = {
    ...(tls.ca !== '' && { caFile: tls.ca }),
    ...(tls.cert !== '' && { certFile: tls.cert }),
    ...(tls.key !== '' && { keyFile: tls.key }),
    ...(isIP(target.tlsName) === 0 ? { servername: target.tlsName } : { host: target.host }),
  };
  return {
    servers: [nameOf(target)],
    name,
    timeout: dialMs,
    // One way back after every kind of end, and one that knows frozen servers: nats-link.ts.
    reconnect: false,
    maxReconnectAttempts: 0,
    ignoreClusterUpdates: true,
    resolve: false,
    noAsyncTraces: true,
    // Its own heartbeat flushes a stalled socket before it gives up, and so never does.
    pingInterval: 0x7fffffff,
    ...(user !== '' && { user, pass: password }),
    ...(token !== '' && { token }),
    ...(authenticator !== undefined && { authenticator }),
    ...(tls.enabled && { tls: files }),
  };
}

function authenticatorOf({ credentials }: NatsBusOptions): Authenticator | undefined {
  if (credentials === '') return undefined;
  const bytes = readSetting('nats.credentials', credentials);
  const seed = /^\s*(S[A-Z2-7]{50,})\s*$/.exec(bytes.toString('latin1'))?.[1];
  const sign =
    seed === undefined ? credsAuthenticator(bytes) : nkeyAuthenticator(Buffer.from(seed));
  return (nonce) => {
    try {
      return sign(nonce);
    } catch (error) {
      const rule = 'must be a .creds file or an nkey seed';
      throw configError('nats.credentials', `${credentials} ${rule}`, error);
    }
  };
}

function readSetting(field: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw configError(field, `${file} cannot be read (${codeOf(error)})`, error);
  }
}

function configError(field: string, why: string, cause: unknown): BarrageError {
  return new BarrageError('config', `${field}: ${why}`, { field, cause });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

function translate(error: unknown, subject: string): BarrageError {
  if (error instanceof BarrageError) return error;
  const code = codeOf(error);
  const retry = { retryAfterMs: RETRY_MS, cause: error };
  if (code === 'TIMEOUT') return new BarrageError('timeout', `no answer on ${subject}`, retry);
  if (code === 'MAX_PAYLOAD_EXCEEDED') {
    return new BarrageError('too_large', `more than the server takes, for ${subject}`);
  }
  const why = code === '503' ? 'nobody serves' : 'the bus cannot carry';
  return new BarrageError('bus_down', `${why} ${subject} (${code})`, retry);
}
