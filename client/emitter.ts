/** Owns who listens to what. A listener that throws disturbs nobody else. */

export class Emitter<E extends object> {
  readonly #heard = new Map<keyof E, Set<(value: never) => void>>();

  /** Adds a listener; the answer takes it away. */
  on<K extends keyof E>(name: K, listener: (value: E[K]) => void): () => void {
    const all = this.#heard.get(name) ?? new Set();
    this.#heard.set(name, all.add(listener as (value: never) => void));
    return () => all.delete(listener as (value: never) => void);
  }

  emit<K extends keyof E>(name: K, value: E[K]): void {
    for (const listener of [...(this.#heard.get(name) ?? [])]) {
      try {
        (listener as (value: E[K]) => void)(value);
      } catch (error) {
        report(error);
      }
    }
  }

  clear(): void {
    this.#heard.clear();
  }
}

/** As the platform reports what an event listener throws. */
function report(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError !== undefined) return reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}
