/** Owns what a studio can ask of its room's callbacks, as data in and data out. */
import type { CallbackSettings } from '../../src/callbacks/settings.js';
import type { RoomId } from '../../src/ids.js';

/** What a room has of its own; what is absent follows the configuration. */
export type OwnCallbacks = Partial<CallbackSettings>;

/** Settings as they are shown: whether there is a secret, never which. */
export type ShownCallbacks<T> = Omit<T, 'secret'> & { readonly hasSecret: boolean };

export interface CallbacksView {
  readonly effective: ShownCallbacks<CallbackSettings>;
  readonly own: ShownCallbacks<OwnCallbacks>;
}

/** Each rejects with BarrageError. */
export interface CallbackCalls {
  read(room: RoomId): Promise<CallbacksView>;
  /** Replaces what the room has of its own; without `secret` the one it had stays. */
  set(room: RoomId, own: OwnCallbacks): Promise<CallbacksView>;
  clear(room: RoomId): Promise<CallbacksView>;
}
