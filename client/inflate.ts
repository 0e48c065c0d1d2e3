/**
 * Owns the raw deflate of socket messages by the platform's DecompressionStream, bounded. Knows no
 * line and no link.
 */

/** An inflated message beyond this is not what an edge sends. */
const INFLATED_BYTES_MAX = 8 << 20;

/** Whether this platform can. */
export function canInflate(): boolean {
  try {
    return new DecompressionStream('deflate-raw') !== undefined;
  } catch {
    return false;
  }
}

/** The text of one message; rejects on what is no deflate or too much. */
export async function inflate(buffer: ArrayBuffer): Promise<string> {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > INFLATED_BYTES_MAX) {
      await reader.cancel();
      throw new Error('a message is too large once inflated');
    }
    text += decoder.decode(value, { stream: true });
  }
}
