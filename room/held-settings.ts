/**
 * Owns a room's settings in memory: the defaults, what the studio set itself, and what holds. Knows
 * no store.
 */
import {
  edgeRules,
  type EdgeRules,
  type RoomSettings,
  type SettingsPatch,
} from '../src/room-settings.js';
import { mergeSettings } from './limits.js';

export class HeldSettings {
  #defaults: RoomSettings;
  #own: SettingsPatch;
  #effective: RoomSettings;

  constructor(defaults: RoomSettings, own: SettingsPatch) {
    this.#defaults = defaults;
    this.#own = own;
    this.#effective = mergeSettings(defaults, own);
  }

  get defaults(): RoomSettings {
    return this.#defaults;
  }

  /** What the studio set itself. */
  get own(): SettingsPatch {
    return this.#own;
  }

  get effective(): RoomSettings {
    return this.#effective;
  }

  /** New values hold; the edges' rules when these changed, else undefined. */
  adopt(defaults: RoomSettings, own: SettingsPatch): EdgeRules | undefined {
    const before = JSON.stringify(edgeRules(this.#effective));
    this.#defaults = defaults;
    this.#own = own;
    this.#effective = mergeSettings(defaults, own);
    const rules = edgeRules(this.#effective);
    return JSON.stringify(rules) === before ? undefined : rules;
  }
}
