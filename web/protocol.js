/**
 * Owns one viewer's link to one room: connect, join, resume after a loss, speak. Calls back with
 * what arrived; knows nothing of how it is shown. The wire is `barrage.v1` (one JSON object a line).
 */
import { LineReader, subprotocols } from './lines.js';
import { StreamPlace } from './stream-place.js';

const JITTER_MS = 1000;
const JITTER_MS_MAX = 30_000;
const HEARTBEAT_MS = 25_000;
/** A link that held this long begins again with the shortest wait. */
const STEADY_MS = 10_000;
/** Bytes the browser may hold for the edge before speaking is refused. */
const UNSENT_BYTES_MAX = 64 * 1024;
/** Ids in one `ack` command. */
const ACK_IDS_MAX = 100;
/** Close codes from here on mean: do not come back. */
const FINAL_CODE = 4500;

/**
 * `on` is called with: `state({name, retryMs?, code?, reason?, line?})` where name is connecting, joined,
 * waiting or ended; `joined(line, fresh, gap)`; `publications(fresh, line)`; `verdict(line)`;
 * `error(line)`.
 */
export class RoomLink {
  #url;
  #room;
  #token;
  #on;
  #place = new StreamPlace();
  #socket;
  #reader;
  #retry;
  #heartbeat;
  #heartbeatMs = HEARTBEAT_MS;
  #jitterMs = JITTER_MS;
  #advice;
  #tries = 0;
  #heardAt = 0;
  #joinedAt = 0;
  #sent = 0;
  #run = Math.random().toString(36).slice(2, 8);
  #state = 'idle';

  constructor({ url, room, token, on }) {
    this.#url = url;
    this.#room = room;
    this.#token = token;
    this.#on = on;
  }

  get position() {
    return this.#place.position;
  }

  start() {
    this.#connect();
  }

  /** Ends the link for good, silently. */
  stop() {
    this.#drop();
    clearTimeout(this.#retry);
    this.#state = 'stopped';
  }

  /** Tries again at once when it is waiting (the network came back). */
  hurry() {
    if (this.#state === 'waiting') this.#connect();
  }

  /** Says a danmaku; its id (the verdict will name it), or undefined when it cannot be said now. */
  say(text, style) {
    if (this.#state !== 'joined' || this.#socket.bufferedAmount > UNSENT_BYTES_MAX)
      return undefined;
    const id = `${this.#run}-${++this.#sent}`;
    this.#write({ type: 'send', room: this.#room, id, kind: 'danmaku', text, style });
    return id;
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#drop();
    this.#advice = undefined;
    this.#joinedAt = 0;
    this.#enter({ name: 'connecting' });
    const socket = new WebSocket(this.#url, subprotocols());
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heardAt = performance.now();
    this.#beat();
    this.#reader = new LineReader({
      onLine: (line) => this.#receive(line),
      onFlaw: () => this.#return(),
    });
    socket.onopen = () => this.#join();
    socket.onmessage = (event) => {
      this.#heardAt = performance.now();
      this.#reader.push(event.data);
    };
    socket.onclose = (event) => this.#closed(event);
  }

  #join() {
    const since = this.#place.position;
    const token = this.#token === '' ? undefined : this.#token;
    this.#write({ type: 'join', room: this.#room, token, since });
  }

  #receive(line) {
    if (line.room !== undefined && line.room !== this.#room) return;
    switch (line.type) {
      case 'welcome':
        this.#heartbeatMs = bounded(line.heartbeatMs, 1000, 120_000, HEARTBEAT_MS);
        this.#jitterMs = bounded(line.reconnectJitterMs, 100, JITTER_MS_MAX, JITTER_MS);
        return this.#beat();
      case 'joined':
        return this.#joined(line);
      case 'frame':
        return this.#frame(line);
      case 'verdict':
        return this.#on.verdict(line);
      case 'error':
        return this.#refused(line);
      case 'bye':
        return this.#bye(line);
    }
  }

  /** Answers what wants an answer, repeats too: the first answer may have been lost. */
  #acknowledge(line) {
    const wanting = line.publications.filter((one) => one.ack === true);
    for (let at = 0; at < wanting.length; at += ACK_IDS_MAX) {
      const ids = wanting.slice(at, at + ACK_IDS_MAX).map((one) => one.id);
      this.#write({ type: 'ack', room: line.room, ids });
    }
  }

  #joined(line) {
    this.#joinedAt = performance.now();
    const { fresh, gap } = this.#place.takeJoined(line);
    this.#enter({ name: 'joined', line });
    this.#on.joined(line, fresh, gap);
    this.#acknowledge(line);
  }

  #frame(line) {
    const { fresh, hole } = this.#place.takeFrame(line);
    if (hole) return this.#return();
    this.#on.publications(fresh, line);
    this.#acknowledge(line);
  }

  /** An error before the room is joined is the answer to the join; later ones are only told. */
  #refused(line) {
    if (this.#state === 'joined') return this.#on.error(line);
    if (line.retryAfterMs !== undefined) return this.#return(line.retryAfterMs);
    this.#end({ code: line.code, reason: line.rule ?? line.code });
  }

  #bye(line) {
    this.#advice = line.retryAfterMs;
    if (line.room === undefined) return;
    if (line.code >= FINAL_CODE) this.#end(line);
    else this.#return(line.retryAfterMs);
  }

  #closed(event) {
    if (event.target !== this.#socket) return;
    const said = parseAdvice(event.reason);
    if (event.code >= FINAL_CODE) {
      return this.#end({ code: event.code, reason: said.reason ?? event.reason });
    }
    // What arrived before the close is read first: a `bye` may still be on its way through.
    setTimeout(() => {
      if (event.target === this.#socket) this.#return(said.retryAfterMs ?? this.#advice);
    }, 0);
  }

  /** Comes back after the advised time plus a random share of a growing one (full jitter). */
  #return(adviceMs = 0) {
    const held = this.#joinedAt > 0 && performance.now() - this.#joinedAt > STEADY_MS;
    this.#tries = held ? 0 : this.#tries;
    const spread = Math.min(JITTER_MS_MAX, this.#jitterMs * 2 ** this.#tries);
    const retryMs = bounded(adviceMs, 0, 600_000, 0) + Math.random() * spread;
    this.#tries = Math.min(this.#tries + 1, 10);
    this.#drop();
    this.#enter({ name: 'waiting', retryMs });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), retryMs);
  }

  #end(why) {
    clearTimeout(this.#retry);
    this.#drop();
    this.#enter({ name: 'ended', code: why.code, reason: why.reason });
  }

  #drop() {
    clearInterval(this.#heartbeat);
    this.#reader?.stop();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** Speaks up while idle, and gives a link up that went silent without a close. */
  #beat() {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => {
      if (performance.now() - this.#heardAt > this.#heartbeatMs * 2.5) this.#return();
      else this.#write({ type: 'ping' });
    }, this.#heartbeatMs);
  }

  #write(command) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #enter(state) {
    this.#state = state.name;
    this.#on.state(state);
  }
}

function bounded(value, min, max, otherwise) {
  return Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : otherwise;
}

/** The reason of a close frame is JSON advice; anything else is no advice. */
function parseAdvice(reason) {
  try {
    const advice = JSON.parse(reason);
    return typeof advice === 'object' && advice !== null ? advice : {};
  } catch {
    return {};
  }
}
