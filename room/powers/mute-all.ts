/**
 * Owns muting everyone in a room: the rule is stored in the commit that tells viewers of it, shown
 * to those who join, and lifted when its time is over. Who is spared is the core's.
 */
import { BarrageError } from '../../src/errors.js';
import { ROOM_KIND } from '../../src/words.js';
import { MUTE_ALL_USERS_MAX, muteAllHolds, type MuteAll } from '../core/mute-all.js';
import type { Fact } from '../../src/wire/internal.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { told } from './told.js';
import { readRecord } from './record-json.js';

export const MUTE_ALL_RECORD = 'muteall';
const FACT = 'muteAll';
const RETRY_MS = 1000;

export class MuteAllPower implements Power {
  readonly #host: PowerHost;
  #rule: MuteAll | undefined;
  #lifting = false;
  #retryAt = 0;

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    this.#adopt(readRecord<MuteAll>(records, MUTE_ALL_RECORD));
  }

  /** What holds now. */
  get rule(): MuteAll | undefined {
    return muteAllHolds(this.#rule, this.#host.clock.now()) ? this.#rule : undefined;
  }

  /** Throws BarrageError `invalid` for an end in the past or too many users, `closed`. */
  async impose(rule: MuteAll): Promise<MuteAll> {
    if (rule.until !== 0 && rule.until <= this.#host.clock.now()) {
      throw invalid('until', 'in the future, or 0 for good');
    }
    if (rule.except.users.length > MUTE_ALL_USERS_MAX) {
      throw invalid('except.users', `maxItems ${MUTE_ALL_USERS_MAX}`);
    }
    await this.#tell(rule);
    return rule;
  }

  /** Whether there was one to lift. */
  async lift(): Promise<boolean> {
    const was = this.rule !== undefined;
    if (this.#rule !== undefined) await this.#tell(undefined);
    return was;
  }

  facts(): readonly Fact[] {
    return this.#rule === undefined ? [] : [[FACT, null, JSON.stringify(this.#rule)]];
  }

  nextAt(): number {
    const until = this.#rule?.until ?? 0;
    if (until === 0 || this.#lifting || this.#host.status() === 'closed') return Infinity;
    return Math.max(until, this.#retryAt);
  }

  step(now: number): void {
    this.#lifting = true;
    this.#tell(undefined)
      .catch(() => {
        // It no longer holds; only the telling and the record wait.
        this.#retryAt = now + RETRY_MS;
      })
      .finally(() => {
        this.#lifting = false;
        this.#host.wake();
      });
  }

  idle(): boolean {
    return this.#rule === undefined || this.#rule.until === 0;
  }

  async #tell(rule: MuteAll | undefined): Promise<void> {
    const data = { muteAll: rule !== undefined, ...(rule === undefined ? {} : rule) };
    const json = rule === undefined ? null : JSON.stringify(rule);
    await told(this.#host, { kind: ROOM_KIND, lane: 'control', data }, (work) => {
      work.records.set(MUTE_ALL_RECORD, json);
      work.after.push(() => {
        this.#adopt(rule);
        this.#host.show([[FACT, null, json]]);
      });
    });
  }

  #adopt(rule: MuteAll | undefined): void {
    this.#rule = rule;
    this.#host.state.muteAll = rule;
  }
}

function invalid(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
