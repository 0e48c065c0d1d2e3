/** Callbacks in memory: answers as told, keeps what was asked and told, makes no connection. */
import type { CallbackEvent } from '../../src/callbacks/settings.js';
import type { Asked, Callbacks, CallbackTarget } from '../../src/ports/callbacks.js';

export class CallbacksDouble implements Callbacks {
  // The shapes are what tests are about.
  readonly questions: { target: CallbackTarget; question: any; timeoutMs: number }[] = [];
  readonly told: { target: CallbackTarget; event: CallbackEvent; body: any }[] = [];
  answer: (question: any) => Asked | Promise<Asked> = () => ({ judgement: { action: 'allow' } });
  #stopped = false;

  async ask(target: CallbackTarget, question: object, timeoutMs: number): Promise<Asked> {
    if (this.#stopped) return { failure: 'failed' };
    this.questions.push({ target, question, timeoutMs });
    return this.answer(question);
  }

  tell(target: CallbackTarget, event: CallbackEvent, body: object): void {
    if (!this.#stopped) this.told.push({ target, event, body });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }
}
