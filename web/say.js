/**
 * Owns speaking: the form, what is said and not yet answered, and the kind words for a refusal.
 * A danmaku of one's own is shown at once and reconciled with its verdict and its publication.
 */
import { duration, isQuiet, refusalOf } from './sentences.js';

/** Danmaku of one's own without an answer; beyond it the page waits before it says more. */
const PENDING_MAX = 50;
/** Own publications remembered so that they are not drawn twice. */
const OWN_MAX = 200;
const UNSURE_MS = 15_000;

export class Say {
  #form;
  #hint;
  #stage;
  #list;
  #say;
  #me;
  #pending = new Map();
  #own = new Map();
  #until = 0;
  #why = '';

  /** `say(text, style)` hands a danmaku over and answers its id, or undefined. */
  constructor({ form, hint, stage, list, say }) {
    this.#form = form;
    this.#hint = hint;
    this.#stage = stage;
    this.#list = list;
    this.#say = say;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    setInterval(() => this.#look(), 500);
  }

  /** The room was joined as `user` {id, role, maySpeak}. */
  allow(user) {
    this.#me = user;
    this.#fields.disabled = !user.maySpeak;
    this.#tell(user.maySpeak ? '' : whySilent(user));
  }

  /** Not in the room: what is unanswered may or may not have been said. */
  interrupt() {
    for (const [id, one] of this.#pending) this.#unsure(id, one);
  }

  /** Another room or user: nothing of before holds. */
  reset() {
    this.#me = undefined;
    this.#pending.clear();
    this.#own.clear();
    this.#fields.disabled = true;
    this.#tell('Speaking is possible once the room is joined.');
  }

  /** Whether the publication is one's own, shown already; its row then takes the publication's id. */
  claims(publication) {
    if (this.#own.has(publication.id)) return true;
    if (this.#me === undefined || publication.user?.id !== this.#me.id) return false;
    for (const [id, one] of this.#pending) {
      if (one.text !== publication.text) continue;
      this.#settle(id, publication.id);
      return true;
    }
    return false;
  }

  /** The id under which a publication flies: one's own flies under the id it was said with. */
  shownAs(id) {
    return this.#own.get(id) ?? id;
  }

  verdict(line) {
    const one = this.#pending.get(line.id);
    if (isQuiet(line.verdict)) {
      if (one !== undefined) this.#settle(line.id, line.publication);
      return;
    }
    this.#pending.delete(line.id);
    const reason = refusalOf(line);
    this.#list.mark(line.id, 'refused', reason);
    this.#stage.remove(line.id);
    this.#until = line.retryAfterMs > 0 ? performance.now() + line.retryAfterMs : 0;
    this.#why = reason;
    this.#look();
    if (this.#until === 0) this.#tell(`${reason}.`);
    const { text } = this.#form.elements;
    if (one !== undefined && text.value === '') text.value = one.text;
  }

  get #fields() {
    return this.#form.elements.fields;
  }

  #submit() {
    const { text, mode, color, size } = this.#form.elements;
    const said = text.value.trim();
    if (said === '') return;
    const style = { mode: mode.value, color: color.value, size: Number(size.value) };
    const id = this.#pending.size < PENDING_MAX ? this.#say(said, style) : undefined;
    if (id === undefined) return this.#tell('Not connected just now; your text is kept here.');
    text.value = '';
    this.#tell('');
    const user = { id: this.#me.id, name: 'you' };
    const publication = { id, kind: 'danmaku', lane: 'normal', user, text: said, style };
    this.#pending.set(id, { text: said, at: performance.now(), unsure: false });
    this.#stage.add(publication, true);
    this.#list.add(publication, 'sending');
    this.#list.toEnd();
  }

  #settle(id, publication) {
    this.#pending.delete(id);
    this.#list.mark(id, '');
    if (publication === undefined) return;
    this.#list.rename(id, publication);
    this.#own.set(publication, id);
    if (this.#own.size > OWN_MAX) this.#own.delete(this.#own.keys().next().value);
  }

  #unsure(id, one) {
    if (one.unsure) return;
    one.unsure = true;
    this.#list.mark(id, 'unsure', 'no answer: it may not have been said');
  }

  /** Twice a second: the time left of a refusal, and danmaku that got no answer. */
  #look() {
    const now = performance.now();
    if (this.#until > 0) {
      const left = this.#until - now;
      this.#tell(left > 0 ? `${this.#why}. Again in ${duration(left)}.` : 'You can speak again.');
      if (left <= 0) this.#until = 0;
    }
    for (const [id, one] of this.#pending) {
      if (now - one.at > UNSURE_MS) this.#unsure(id, one);
      if (now - one.at > UNSURE_MS * 4) this.#pending.delete(id);
    }
  }

  #tell(text) {
    if (text === '') this.#until = 0;
    if (this.#hint.textContent !== text) this.#hint.textContent = text;
  }
}

function whySilent({ role }) {
  return role === 'guest'
    ? 'You are watching as a guest. To speak, join with a token (under “Room”).'
    : 'You may not speak in this room at present.';
}
