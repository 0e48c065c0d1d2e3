/**
 * Owns speaking: the form, the marks of one's own danmaku, and the kind words for a refusal. That one
 * is shown at once, answered and told apart when it comes back is the SDK's doing.
 */
import { duration, isQuiet, refusalOf } from './sentences.js';

export class Say {
  #form;
  #hint;
  #stage;
  #list;
  #send;
  #until = 0;
  #why = '';
  /** Of the room joined: what is answered after another was joined is for nobody. */
  #stay = 0;

  /** `send(danmaku)` answers the promise of its end, or undefined when there is no room. */
  constructor({ form, hint, stage, list, send }) {
    this.#form = form;
    this.#hint = hint;
    this.#stage = stage;
    this.#list = list;
    this.#send = send;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    setInterval(() => this.#look(), 500);
  }

  /** The room was joined as a user {role, maySpeak}. */
  allow(user) {
    const isNew = this.#fields.disabled === user.maySpeak;
    this.#fields.disabled = !user.maySpeak;
    if (isNew || !user.maySpeak) this.#tell(user.maySpeak ? '' : whySilent(user));
  }

  /** Another room or user: nothing of before holds. */
  reset() {
    this.#stay++;
    this.#fields.disabled = true;
    this.#tell('Speaking is possible once the room is joined.');
  }

  /** Shows one's own danmaku before it is answered. */
  echo(publication) {
    const shown = { ...publication, user: { id: publication.user?.id ?? '', name: 'you' } };
    this.#stage.add(shown, true);
    this.#list.add(shown, 'sending');
    this.#list.toEnd();
  }

  get #fields() {
    return this.#form.elements.fields;
  }

  async #submit() {
    const { text, mode, color, size } = this.#form.elements;
    const said = text.value.trim();
    if (said === '') return;
    const style = { mode: mode.value, color: color.value, size: Number(size.value) };
    const stay = this.#stay;
    text.value = '';
    this.#tell('');
    const result = (await this.#send({ text: said, style })) ?? { id: '', verdict: 'unsent' };
    if (stay !== this.#stay) return;
    this.#ended(result, said);
  }

  #ended(result, said) {
    const { id, verdict, retryAfterMs } = result;
    if (isQuiet(verdict)) return this.#list.mark(id, '');
    // Nobody knows what became of it: it stays, and may still come back.
    if (verdict === 'unknown') {
      return this.#list.mark(id, 'unsure', 'no answer: it may not have been said');
    }
    const reason = refusalOf(result);
    this.#list.mark(id, 'refused', reason);
    this.#stage.remove(id);
    this.#until = retryAfterMs > 0 ? performance.now() + retryAfterMs : 0;
    this.#why = reason;
    this.#look();
    if (this.#until === 0) this.#tell(`${reason}.`);
    const { text } = this.#form.elements;
    if (text.value === '') text.value = said;
  }

  /** Twice a second: the time left of a refusal. */
  #look() {
    if (this.#until === 0) return;
    const left = this.#until - performance.now();
    this.#tell(left > 0 ? `${this.#why}. Again in ${duration(left)}.` : 'You can speak again.');
    if (left <= 0) this.#until = 0;
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
