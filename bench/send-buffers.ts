/**
 * Owns the kernel's bound on send buffers while a measurement needs the shipped advice, and gives back
 * what was set before. Linux and root only; says so where it cannot.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './service.js';

const SETTING = '/proc/sys/net/ipv4/tcp_wmem';
const NAME = 'net.ipv4.tcp_wmem';

/** Sets what deploy/sysctl.conf advises; the answer says what holds, and gives it back. */
export function adviseSendBuffers(): { readonly held: string; readonly undo: () => void } {
  const before = readFileSync(SETTING, 'utf8').trim();
  const advice = new RegExp(`^${NAME.replaceAll('.', '\\.')} *= *(.*)$`, 'm').exec(
    readFileSync(join(projectFolder, 'deploy', 'sysctl.conf'), 'utf8'),
  )?.[1];
  if (advice === undefined) throw new Error(`deploy/sysctl.conf does not set ${NAME}`);
  const set = (value: string) => writeFileSync(SETTING, value);
  const undo = () => set(before);
  try {
    set(advice);
  } catch {
    return {
      held: `${NAME} is ${before}: what is advised could not be set`,
      undo: () => undefined,
    };
  }
  // An interrupted bench gives it back too.
  process.once('exit', undo);
  return {
    held: `${NAME} is ${advice} meanwhile, as deploy/sysctl.conf advises`,
    undo: () => {
      process.off('exit', undo);
      undo();
    },
  };
}
