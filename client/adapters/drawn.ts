/** Owns what of a publication is drawn over a picture, for every player alike. */
import type { RoomStream } from '../stream.js';
import type { Publication } from '../types.js';

export interface Drawn {
  readonly text: string;
  readonly mode: 'scroll' | 'top' | 'bottom';
  /** `#rrggbb`. */
  readonly color: string;
  readonly size: number;
  readonly own: boolean;
}

const COLOR = /^#[0-9a-fA-F]{6}$/;
const SIZE = 25;
/** Kinds with a text that is not flown: they are for lists. */
const SILENT = new Set([
  'enter',
  'recalled',
  'pin',
  'unpin',
  'attributes',
  'queue',
  'poll',
  'room',
]);

/** A publication as it flies; a count above one stands behind its text. */
export function drawn({ text = '', style, count = 1, own = false }: Publication): Drawn {
  const { mode = 'scroll', color = '#ffffff', size = SIZE } = style ?? {};
  return {
    text: count > 1 ? `${text} ×${count}` : text,
    mode,
    color: COLOR.test(color) ? color : '#ffffff',
    size,
    own,
  };
}

/** Hands over each publication that flies; the answer ends it. */
export function follow(
  stream: Pick<RoomStream, 'on'>,
  draw: (publication: Publication) => void,
): () => void {
  return stream.on('publication', (publication) => {
    const { kind, text } = publication;
    if (text !== undefined && text !== '' && !SILENT.has(kind)) draw(publication);
  });
}
