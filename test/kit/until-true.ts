/** Waits for a condition that has to be asked for: looked at again and again, never slept for. */
const LOOK_MS = 20;
const WITHIN_MS = 10_000;

/** Resolves once it holds; rejects with its name when that takes too long. A throw counts as no. */
export async function untilTrue(
  what: string,
  holds: () => Promise<boolean>,
  withinMs = WITHIN_MS,
): Promise<void> {
  const end = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    const isTrue = await holds().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (isTrue) return;
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms; ${last}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
