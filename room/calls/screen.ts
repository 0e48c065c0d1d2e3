/** Owns the list of what a studio can ask of what screens its room's danmaku. Types only. */
import type { CallbackCalls } from './callbacks.js';
import type { ReviewCalls } from './reviews.js';
import type { WordCalls } from './words.js';

export interface ScreenCalls {
  readonly words: WordCalls;
  readonly reviews: ReviewCalls;
  readonly callbacks: CallbackCalls;
}
