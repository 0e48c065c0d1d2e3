/** Owns doing things one after another: each begins when the one before it has ended, either way. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(run, run);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Resolves when all that was taken so far has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
