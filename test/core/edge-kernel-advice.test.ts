/** What an edge says of the kernel's send buffers at its start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { kernelAdvice, SEND_BUFFER_BYTES_MAX } from '../../edge/kernel-advice.js';
import { sendBufferBytes } from '../../src/adapters/host.js';

it('E-SLOW-6 the largest send buffer is read, and told of from 1 MiB on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barrage-advice-'));
  const file = join(folder, 'tcp_wmem');
  const told = (text: string) => {
    writeFileSync(file, text);
    return kernelAdvice(sendBufferBytes(file));
  };
  expect(told('4096\t16384\t4194304\n')).toMatch(/4194304 bytes.*net\.ipv4\.tcp_wmem/);
  expect(told('4096 16384 262144\n')).toBeUndefined();
  expect(told(`4096 16384 ${SEND_BUFFER_BYTES_MAX}\n`)).toBeUndefined();
  expect(told('none')).toBeUndefined();
  rmSync(folder, { recursive: true });
  expect(kernelAdvice(sendBufferBytes(file))).toBeUndefined();
});
