/**
 * The viewer page's parts list: which room, where to connect, and how what the SDK's stream brings
 * finds its way to stage, list and counters. The stream itself is the SDK's (`client/`, as built).
 */
import { connect } from './client/index.js';
import { List } from './list.js';
import { Say } from './say.js';
import { count, duration, endOf } from './sentences.js';
import { Stage } from './stage.js';

const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** A danmaku without an answer for so long is marked. */
const VERDICT_MS = 15_000;
/** An interruption shorter than this is not worth a line. */
const NOTICED_MS = 1000;
const at = (id) => document.getElementById(id);

const stage = new Stage(at('stage'), (total) => show('not-drawn', total));
const list = new List(at('list'), at('newest'));
const say = new Say({
  form: at('say'),
  hint: at('hint'),
  stage,
  list,
  send: (danmaku) => stream?.send(danmaku),
});
let stream;
let letGo = 0;
let retryAt = 0;
/** Ids of what was said before joining: it is read in the list; only what is said now flies. */
let past = new Set();

/** Shows a number, and its line only when there is something to tell. */
function show(id, value) {
  at(id).textContent = count(value);
  at(id)
    .closest('[data-when]')
    ?.toggleAttribute('hidden', !(value > 0));
}

function showState(name, text) {
  at('state').dataset.state = name;
  if (at('state-text').textContent !== text) at('state-text').textContent = text;
  at('again').hidden = name !== 'ended';
}

function onState(state) {
  retryAt = 0;
  switch (state.name) {
    case 'live':
      return showState('joined', state.cdn ? 'connected, danmaku by CDN' : 'connected');
    case 'polling':
      // A poll is not told who asks; the verdict is, should it not be allowed to speak.
      if (stream.user === undefined) say.allow(userOfToken());
      return showState('joined', 'connected, asking now and then');
    case 'offline':
      return showState('waiting', 'this device is offline');
    case 'closed':
      say.allow({ role: '', maySpeak: false });
      return showState('ended', endOf(state));
    default:
      if (state.retryMs === undefined) return showState('waiting', 'connecting');
      retryAt = performance.now() + state.retryMs;
      return showRetry();
  }
}

function showRetry() {
  if (retryAt > 0) showState('waiting', `coming back in ${duration(retryAt - performance.now())}`);
}

function userOfToken() {
  const isGuest = wanted().token === '';
  return { role: isGuest ? 'guest' : 'viewer', maySpeak: !isGuest };
}

function onGap({ class: lost, lastedMs, count: publications }) {
  if (lost === 'keep') list.note('Some of what was said while you were away is not here.');
  else if (publications > 0) show('let-go', (letGo += publications));
  else if (lastedMs >= NOTICED_MS) {
    list.note(
      `The connection was lost for ${duration(lastedMs)}: danmaku of that time were missed.`,
    );
  }
}

function onBatch({ past: isPast, publications }) {
  if (isPast) past = new Set(publications.map(({ id }) => id));
}

function take(publication) {
  const { kind, data, own, id } = publication;
  if (kind === 'room') return noteRoom(data);
  if (kind === 'unpin' || kind === 'attributes') return;
  if (kind === 'like') return show('likes', data?.total ?? 0);
  if (own) return say.echo(publication);
  const flies = kind !== 'enter' && kind !== 'recalled' && kind !== 'pin';
  if (flies && !past.delete(id)) stage.add(publication);
  list.add(publication);
}

function onRecalled({ ids }) {
  for (const id of ids) {
    stage.remove(id);
    list.recall(id);
  }
}

function noteRoom(data) {
  const sentences = {
    frozen: 'The studio froze the room: it can be watched, not spoken in.',
    open: 'The room is open again.',
    closed: 'The room has ended.',
  };
  const sentence = sentences[data?.status];
  if (sentence !== undefined) list.note(sentence);
}

/** Room and token of the address's hash: `#room=lobby&token=…`. */
function wanted() {
  const hash = new URLSearchParams(location.hash.slice(1));
  return { room: hash.get('room') ?? 'lobby', token: hash.get('token') ?? '' };
}

/** The edge beside this page, by the port the service names. */
async function edgeUrl() {
  const answer = await fetch('/page.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const { viewerPort } = await answer.json();
  const url = new URL('/', location.href);
  url.port = String(viewerPort);
  return url.href;
}

let run = 0;

async function open() {
  const mine = ++run;
  stream?.close();
  stream = undefined;
  const { room, token } = wanted();
  showRoom(room, token);
  if (!ROOM_PATTERN.test(room)) return showState('ended', endOf({ reason: 'invalid' }));
  const url = await learnUrl(() => mine === run);
  if (mine !== run) return;
  showState('waiting', 'connecting');
  stream = connect({ url, room, token, verdictMs: VERDICT_MS });
  listen(stream);
}

function showRoom(room, token) {
  const { elements } = at('room-form');
  elements.room.value = room;
  elements.token.value = token;
  at('room').textContent = room;
  document.title = `${room} · Barrage`;
  stage.clear();
  list.clear();
  say.reset();
  retryAt = 0;
  past.clear();
  show('let-go', (letGo = 0));
  show('likes', 0);
}

/** Takes in what a stream brings; one that was left for another is heard no more. */
function listen(to) {
  const on = (name, run) => to.on(name, (value) => to === stream && run(value));
  on('state', onState);
  on('joined', ({ line }) => say.allow(line.user));
  on('batch', onBatch);
  on('publication', take);
  on('echoed', ({ shown, publication }) => list.add({ ...publication, id: shown }));
  on('recalled', onRecalled);
  on('gap', onGap);
  on('online', (viewers) => show('online', viewers));
  on('shed', (publications) => show('let-go', (letGo += publications)));
  on('error', (line) => list.note(`The service says: ${String(line.message).slice(0, 200)}`));
}

/** Asks until it is answered, each time after a longer random wait. */
async function learnUrl(isWanted) {
  for (let tries = 0; isWanted(); tries++) {
    try {
      return await edgeUrl();
    } catch {
      showState('waiting', 'looking for the service');
      const waitMs = Math.random() * Math.min(15_000, 1000 * 2 ** tries);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

at('room-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { room, token } = event.target.elements;
  const hash = new URLSearchParams({ room: room.value.trim() });
  if (token.value.trim() !== '') hash.set('token', token.value.trim());
  at('room-box').open = false;
  if (`#${hash}` === location.hash) open();
  else location.hash = hash.toString();
});
at('again').addEventListener('click', () => open());
addEventListener('hashchange', () => open());
addEventListener('pagehide', () => stream?.close());
addEventListener('pageshow', (event) => event.persisted && open());
setInterval(showRetry, 500);
open();
