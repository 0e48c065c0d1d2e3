/**
 * Owns the list beside the stage: a bounded number of rows, which stays where the reader scrolled
 * to. Everything shown is put in as text.
 */
import { countMark } from './stage.js';

const ROWS_MAX = 200;
/** Nearer than this to the end counts as being at the end. */
const END_PX = 48;

export class List {
  #element;
  #button;
  #rows = new Map();
  #held = [];
  #frame = 0;
  #following = true;

  /** `button` brings the reader back to the newest rows. */
  constructor(element, button) {
    this.#element = element;
    this.#button = button;
    element.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    button.addEventListener('click', () => {
      this.toEnd();
      element.focus({ preventScroll: true });
    });
  }

  /** Adds a publication, or renews the row that has its id already. */
  add(publication, mark = '') {
    const known = this.#rows.get(publication.id);
    if (known !== undefined) return this.#fill(known, publication, mark);
    const row = document.createElement('li');
    this.#fill(row, publication, mark);
    this.#put(publication.id, row);
  }

  /** Adds a line of the page's own. */
  note(text) {
    const row = document.createElement('li');
    row.className = 'note';
    row.textContent = text;
    this.#put(`note-${performance.now()}-${this.#rows.size}`, row);
  }

  /** Marks a row: `sending`, `refused` or `unsure` (with the reason shown), or '' for none. */
  mark(id, mark, reason = '') {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    row.dataset.mark = mark;
    row.querySelector('.reason')?.remove();
    if (reason !== '') row.append(part('p', 'reason', reason));
    this.#schedule();
  }

  /** Takes the text of a recalled publication out and says so in its place. */
  recall(id) {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    row.replaceChildren(RECALLED);
    row.className = 'note';
    row.dataset.mark = 'recalled';
  }

  clear() {
    this.#rows.clear();
    this.#held = [];
    this.#element.replaceChildren();
    this.#following = true;
    this.#tellHeld();
  }

  toEnd() {
    this.#following = true;
    this.#schedule();
  }

  #fill(row, publication, mark) {
    const { kind, user, text, count } = publication;
    row.className = rowClass(publication);
    row.dataset.mark = mark;
    const body = part('p', 'body', '');
    row.replaceChildren(body);
    if (kind === 'recalled') return body.append(RECALLED);
    const label = LABELS[kind];
    if (label !== undefined) body.append(part('span', 'label', label), ' ');
    if (user?.badge) body.append(part('bdi', 'badge', user.badge), ' ');
    if (user !== undefined) body.append(part('bdi', 'name', user.name ?? user.id), ' ');
    if ((count ?? 1) > 1) body.append(countMark(count), ' ');
    body.append(part('bdi', 'text', text ?? WORDLESS[kind] ?? kind));
  }

  #put(id, row) {
    this.#rows.set(id, row);
    this.#held.push(row);
    if (this.#rows.size > ROWS_MAX) {
      const [oldest, gone] = this.#rows.entries().next().value;
      this.#rows.delete(oldest);
      if (gone.parentNode === null) this.#held = this.#held.filter((held) => held !== gone);
      else if (this.#following) gone.remove();
    }
    this.#schedule();
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#following) this.#show();
      this.#tellHeld();
    });
  }

  #show() {
    this.#element.append(...this.#held);
    this.#held = [];
    while (this.#element.childElementCount > ROWS_MAX) this.#element.firstElementChild.remove();
    this.#element.scrollTop = this.#element.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#element;
    this.#following = scrollHeight - clientHeight - scrollTop < END_PX;
    if (this.#following && this.#held.length > 0) this.#schedule();
    else this.#tellHeld();
  }

  #tellHeld() {
    const count = this.#following ? 0 : this.#held.length;
    this.#button.hidden = this.#following;
    this.#button.textContent = count === 0 ? 'To the newest' : `${count} new, show`;
  }
}

const RECALLED = 'taken back by the studio';
const LABELS = { gift: 'gift', system: 'system', notice: 'notice', enter: 'came in' };
const WORDLESS = { gift: 'sent a gift', enter: '', like: 'likes this' };
const SPECIAL = new Set(['gift', 'system', 'notice', 'enter', 'recalled']);

function rowClass({ kind, lane }) {
  if (SPECIAL.has(kind)) return `row ${kind}`;
  return lane === 'high' || lane === 'control' ? 'row high' : 'row';
}

/** An element with this text and nothing else in it. */
function part(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
