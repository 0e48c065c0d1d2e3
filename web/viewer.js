/**
 * The viewer page's parts list: where to connect, which room, and how what arrives finds its way to
 * stage, list and counters.
 */
import { List } from './list.js';
import { RoomLink } from './protocol.js';
import { Say } from './say.js';
import { count, duration, endOf } from './sentences.js';
import { Stage } from './stage.js';

const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const at = (id) => document.getElementById(id);

const stage = new Stage(at('stage'), (total) => show('not-drawn', total));
const list = new List(at('list'), at('newest'));
const say = new Say({
  form: at('say'),
  hint: at('hint'),
  stage,
  list,
  say: (text, style) => link?.say(text, style),
});
let link;
let letGo = 0;
let retryAt = 0;

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
    case 'connecting':
      return showState('waiting', 'connecting');
    case 'joined':
      return showState('joined', 'connected');
    case 'waiting':
      say.interrupt();
      retryAt = performance.now() + state.retryMs;
      return showRetry();
    case 'ended':
      say.interrupt();
      say.allow({ id: '', role: '', maySpeak: false });
      return showState('ended', endOf(state));
  }
}

function showRetry() {
  if (retryAt > 0) showState('waiting', `coming back in ${duration(retryAt - performance.now())}`);
}

function onJoined(line, fresh, gap) {
  say.allow(line.user);
  show('online', line.online);
  if (gap) list.note('Some of what was said while you were away is not here.');
  // What was said before is read in the list; only what is said now flies.
  for (const publication of fresh) take(publication, false);
}

function onPublications(fresh, line) {
  if (line.online !== undefined) show('online', line.online);
  if (line.shed > 0) show('let-go', (letGo += line.shed));
  for (const publication of fresh) take(publication, true);
}

function take(publication, isNow) {
  const { kind, data } = publication;
  if (kind === 'recall') return recall(data);
  if (kind === 'room') return noteRoom(data);
  if (kind === 'unpin') return;
  if (kind === 'like') return show('likes', data?.total ?? 0);
  const own = say.claims(publication);
  const flies = kind !== 'enter' && kind !== 'recalled' && kind !== 'pin';
  if (isNow && flies && !own) stage.add(publication);
  list.add(publication);
}

function recall(data) {
  for (const id of data?.ids ?? [data?.id]) {
    stage.remove(say.shownAs(id));
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

async function viewerUrl() {
  const answer = await fetch('/page.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const { viewerPort } = await answer.json();
  const url = new URL('/v1/ws', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  url.port = String(viewerPort);
  return url.href;
}

let run = 0;

async function open() {
  const mine = ++run;
  link?.stop();
  link = undefined;
  const { room, token } = wanted();
  const { elements } = at('room-form');
  elements.room.value = room;
  elements.token.value = token;
  at('room').textContent = room;
  document.title = `${room} · Barrage`;
  stage.clear();
  list.clear();
  say.reset();
  show('let-go', (letGo = 0));
  show('likes', 0);
  if (!ROOM_PATTERN.test(room)) return showState('ended', endOf({ reason: 'invalid' }));
  const url = await learnUrl(() => mine === run);
  if (mine !== run) return;
  const on = { state: onState, joined: onJoined, publications: onPublications };
  on.verdict = (line) => say.verdict(line);
  on.error = (line) => list.note(`The service says: ${String(line.message).slice(0, 200)}`);
  link = new RoomLink({ url, room, token, on });
  link.start();
}

/** Asks until it is answered, each time after a longer random wait. */
async function learnUrl(isWanted) {
  for (let tries = 0; isWanted(); tries++) {
    try {
      return await viewerUrl();
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
addEventListener('online', () => link?.hurry());
addEventListener('pagehide', () => link?.stop());
addEventListener('pageshow', (event) => event.persisted && open());
setInterval(showRetry, 500);
open();
