/**
 * Owns the stage: danmaku fly over it in rows, a bounded number at once; those without a place are
 * counted as not drawn. Knows publications, not where they come from.
 */
import { Lanes } from './lanes.js';

const ON_STAGE_MAX = 120;
const WAITING_MAX = 40;
/** A danmaku that found no row in this time is not drawn; one's own may wait longer. */
const WAIT_MS = 1500;
const OWN_WAIT_MS = 8000;
const CROSS_MS = 9000;
const STAND_MS = 4500;
const ROW_PX = 32;
const BORDERS_PX = 4;
const SIZE_USUAL = 25;
/** Characters that can matter on one row; the list has the rest. */
const TEXT_MAX = 120;

export class Stage {
  /** How many danmaku were left to the list alone. */
  notDrawn = 0;
  #element;
  #onCount;
  #lanes = new Lanes();
  #waiting = [];
  #flying = new Map();
  #frame = 0;
  #width = 0;
  #scale = 1;
  #calm = matchMedia('(prefers-reduced-motion: reduce)');

  constructor(element, onCount) {
    this.#element = element;
    this.#onCount = onCount;
    new ResizeObserver(() => this.#measure()).observe(element);
    this.#measure();
    this.#calm.addEventListener('change', () => this.clear());
  }

  /** Draws soon, or counts as not drawn. `own` puts the sender's border round it. */
  add(publication, own = false) {
    if (this.#calm.matches || document.hidden || this.#waiting.length >= WAITING_MAX) {
      return this.#leaveOut(1);
    }
    const until = performance.now() + (own ? OWN_WAIT_MS : WAIT_MS);
    const one = { publication, own, until, node: undefined };
    if (own) this.#waiting.unshift(one);
    else this.#waiting.push(one);
    this.#schedule();
  }

  /** Takes a danmaku off at once (recalled, or the sender's own that was refused). */
  remove(id) {
    this.#waiting = this.#waiting.filter((one) => {
      if (one.publication.id === id) one.node?.remove();
      return one.publication.id !== id;
    });
    const flight = this.#flying.get(id);
    // Its end is told a frame later only.
    flight?.effect.target.remove();
    flight?.cancel();
  }

  clear() {
    for (const one of this.#waiting) one.node?.remove();
    this.#waiting = [];
    for (const flight of this.#flying.values()) flight.cancel();
  }

  #measure() {
    const { clientWidth, clientHeight } = this.#element;
    this.#width = clientWidth;
    this.#scale = clientWidth < 600 ? 0.8 : 1;
    this.#lanes.resize(Math.floor((clientHeight - 8) / ROW_PX));
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#place();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  /** One pass: all nodes are made, then all are measured, then all fly (one layout a frame). */
  #place() {
    const now = performance.now();
    for (const one of this.#waiting) one.node ??= this.#makeNode(one);
    const widths = this.#waiting.map((one) => one.node.offsetWidth);
    const still = [];
    this.#waiting.forEach((one, i) => {
      if (this.#launch(one, widths[i], now)) return;
      if (now < one.until && !document.hidden) return still.push(one);
      one.node.remove();
      this.#leaveOut(1);
    });
    this.#waiting = still;
  }

  #launch(one, width, now) {
    if (this.#flying.size >= ON_STAGE_MAX) return false;
    const span = this.#rowsOf(one.publication);
    const mode = one.publication.style?.mode ?? 'scroll';
    if (mode === 'top' || mode === 'bottom') return this.#stand(one, mode, span, now);
    const stage = this.#width;
    const row = this.#lanes.takeScroll({ now, width, span, stage, crossMs: CROSS_MS });
    if (row === undefined) return false;
    const y = 4 + row * ROW_PX;
    this.#fly(one, CROSS_MS, [
      { transform: `translate(${stage}px, ${y}px)` },
      { transform: `translate(${-width}px, ${y}px)` },
    ]);
    return true;
  }

  #stand(one, mode, span, now) {
    const fromBottom = mode === 'bottom';
    const row = this.#lanes.takeFixed({ now, span, standMs: STAND_MS, fromBottom });
    if (row === undefined) return false;
    const transform = `translate(calc(${this.#width / 2}px - 50%), ${4 + row * ROW_PX}px)`;
    this.#fly(one, STAND_MS, [{ transform }, { transform }]);
    return true;
  }

  #fly({ node, publication }, duration, keyframes) {
    node.style.visibility = 'visible';
    const flight = node.animate(keyframes, { duration, easing: 'linear', fill: 'both' });
    this.#flying.set(publication.id, flight);
    flight.onfinish = flight.oncancel = () => {
      node.remove();
      if (this.#flying.get(publication.id) === flight) this.#flying.delete(publication.id);
    };
  }

  #makeNode({ publication, own }) {
    const node = document.createElement('div');
    const text = document.createElement('bdi');
    text.textContent = clip(publication.text ?? '');
    node.className = 'shot';
    node.classList.toggle('own', own);
    const { mode, color } = publication.style ?? {};
    node.classList.toggle('standing', mode === 'top' || mode === 'bottom');
    node.classList.toggle('gift', publication.kind === 'gift');
    node.style.fontSize = `${this.#sizeOf(publication)}px`;
    node.style.lineHeight = `${this.#rowsOf(publication) * ROW_PX - BORDERS_PX}px`;
    if (/^#[0-9a-f]{6}$/i.test(color ?? '')) {
      node.style.color = color;
      node.classList.toggle('dark', isDark(color));
    }
    node.append(text);
    if ((publication.count ?? 1) > 1) node.append(' ', countMark(publication.count));
    this.#element.append(node);
    return node;
  }

  #sizeOf(publication) {
    const size = publication.style?.size;
    const given = Number.isFinite(size) ? Math.min(64, Math.max(12, size)) : SIZE_USUAL;
    return Math.round(given * this.#scale);
  }

  #rowsOf(publication) {
    return Math.max(1, Math.ceil((this.#sizeOf(publication) * 1.1 + BORDERS_PX) / ROW_PX));
  }

  #leaveOut(count) {
    this.notDrawn += count;
    this.#onCount(this.notDrawn);
  }
}

/** "×12" beside a text that stands for several. */
export function countMark(count) {
  const mark = document.createElement('span');
  mark.className = 'count';
  mark.textContent = `×${count}`;
  return mark;
}

function clip(text) {
  const start = text.slice(0, TEXT_MAX * 2).replace(/\s+/g, ' ');
  const shown = Array.from(start).slice(0, TEXT_MAX).join('');
  return shown.length < text.length ? `${shown}…` : shown;
}

/** Rec. 709 luma below a sixth (pure red is above): such a colour needs a light edge here. */
function isDark(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 42;
}
