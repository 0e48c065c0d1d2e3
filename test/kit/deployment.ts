/** Reads what ships in deploy/: files, YAML documents, what the program says of a configuration. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../dist/barrage.js', import.meta.url));
const run = promisify(execFile);

export function deployPath(name: string): string {
  return DEPLOY + name;
}

export function deployText(name: string): string {
  return readFileSync(deployPath(name), 'utf8');
}

/** With merges (`<<`) done, as compose reads it. */
export function deployYaml<T>(name: string): T {
  return parse(deployText(name), { merge: true }) as T;
}

/** A Kubernetes object, as far as the tests look into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** All objects of the files a kustomization names. */
export function manifests(): Manifest[] {
  const { resources } = deployYaml<{ resources: string[] }>('kubernetes/kustomization.yaml');
  return resources.flatMap((file) =>
    parseAllDocuments(deployText(`kubernetes/${file}`)).map((each) => {
      if (each.errors.length > 0) throw each.errors[0]!;
      return each.toJS() as Manifest;
    }),
  );
}

/** `KEY=value` lines as compose and systemd read them. */
export function environmentOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^[A-Z]/.test(line));
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

/** What `barrage check-config` says, with nothing else in the environment. */
export async function checkConfig(
  file: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  const done = await run(process.execPath, [PROGRAM, 'check-config', file, ...args], { env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${done.stdout}${done.stderr}`.trim();
}

export interface Sample {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** Metrics that a PromQL expression names, each with the labels it compares with one value. */
export function metricsIn(expression: string): Sample[] {
  const names = /\b((?:barrage|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g;
  return [...expression.matchAll(names)].map(([, metric, labels = '']) => ({
    metric: metric!,
    labels: [...labels.matchAll(/(\w+)="([^"]*)"/g)]
      .map(([pair]) => pair)
      .filter((pair) => !pair.startsWith('job=')),
  }));
}
