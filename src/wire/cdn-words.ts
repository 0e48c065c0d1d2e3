/** Owns the word by which rooms tell of their CDN: the fact and the kind of its publications. */
export const CDN_KIND = 'cdn';
