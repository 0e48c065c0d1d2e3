/**
 * Owns finding programs beside Node: on the PATH and where Debian keeps servers. Installs nothing.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first of `programs` that is there, as a full path. */
export function findProgram(programs: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  const paths = programs.flatMap((program) =>
    folders.filter((folder) => folder !== '').map((folder) => join(folder, program)),
  );
  return paths.find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
