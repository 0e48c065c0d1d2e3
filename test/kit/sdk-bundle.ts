/** The SDK, with adapters of it, as one script for a page without modules: the global `barrage`. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** `modules`: names under client/, without their ending. */
export async function bundleSdk(modules: readonly string[] = ['index']): Promise<string> {
  const contents = modules.map((name) => `export * from './${name}.ts';`).join('\n');
  const resolveDir = fileURLToPath(new URL('../../client', import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    ...{ bundle: true, format: 'iife', globalName: 'barrage', write: false },
  });
  return outputFiles[0]!.text;
}
