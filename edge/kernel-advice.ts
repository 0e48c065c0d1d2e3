/**
 * Owns what an edge says at its start about a kernel that would hold too much for viewers who do not
 * read. Knows no file. Rule: SPEC E-SLOW-6.
 */

/** Largest send buffer of a connection, bytes, that nothing is said about; deploy/sysctl.conf sets a quarter. */
export const SEND_BUFFER_BYTES_MAX = 1 << 20;

/** What to change, or undefined; `sendBufferBytes`: undefined where the kernel does not tell. */
export function kernelAdvice(sendBufferBytes: number | undefined): string | undefined {
  if (sendBufferBytes === undefined || sendBufferBytes <= SEND_BUFFER_BYTES_MAX) return undefined;
  return (
    `the kernel holds up to ${sendBufferBytes} bytes for a viewer that does not read, before the ` +
    'edge is told: set net.ipv4.tcp_wmem as deploy/sysctl.conf does'
  );
}
