/**
 * Owns the command line: commands, options, help, exit codes. What a command does is in commands.ts,
 * what a service does is handed in. The only importer of commander.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type Config } from '../config/config.js';
import type { ConfigManager } from '../config/manager.js';
import type { FlagText } from '../config/sources.js';
import { asBarrageError, BarrageError } from '../errors.js';
import { printable } from '../formats/printable.js';
import type { PlanText } from '../plan/input.js';
import type { Role } from '../words.js';
import * as commands from './commands.js';
import { processIo, type ProgramIo } from './io.js';
import { PLAN_OPTIONS, printPlan } from './plan.js';
import { readVersion } from './version.js';

/** Runs a service; resolves when it has ended. */
export type RunService = (config: Config, manager: ConfigManager) => Promise<void>;

/** What `program.ts` can start, by the name of the command. */
export type Services = Readonly<Record<ServiceName, RunService>>;
export type ServiceName = keyof typeof SERVICES;

const SERVICES = {
  all: 'run the whole service in this process (the default)',
  edge: 'run an edge: the sockets of viewers',
  room: 'run a room service: the rooms it owns and the studio API',
  'cdn-pusher': 'run a CDN pusher: droppable publications of large rooms into files',
} as const;

/** Runs a command line (without the two words node puts in front); the process's exit code. */
export async function runProgram(
  argv: readonly string[],
  services: Services,
  io: ProgramIo = processIo(),
): Promise<number> {
  const end = { code: 0 };
  const program = buildProgram(services, io, end);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return end.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    const told = asBarrageError(error);
    io.err(`barrage: ${told.message.split('\n').map(printable).join('\n')}\n`);
    if (argv.includes('--debug')) io.err(`${stackOf(error)}\n`);
    else if (!(error instanceof BarrageError)) io.err('barrage: --debug shows where it happened\n');
    return 1;
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function buildProgram(services: Services, io: ProgramIo, end: { code: number }): Command {
  const program = new Command('barrage')
    .description('Live-stream chatroom and danmaku broadcast service')
    .version(readVersion(), '--version')
    .option('--debug', 'show stacks of errors')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'barrage: ')),
    });
  for (const name of Object.keys(SERVICES) as ServiceName[]) {
    addService(program, name, services[name], io);
  }
  addToken(program, io);
  addTail(program, io);
  addReplay(program, io, end);
  addPlan(program, io);
  addConfigCommands(program, io);
  return program;
}

interface ConfigFlags {
  readonly config?: string;
  readonly set: readonly string[];
  readonly data?: string;
  readonly viewerPort?: string;
  readonly studioPort?: string;
  readonly logLevel?: string;
  readonly processes?: string;
}

/** Flags that stand for a key of the file. */
const DIRECT = [
  { name: 'viewerPort', flag: '--viewer-port', value: '<port>', path: 'edge.port' },
  { name: 'studioPort', flag: '--studio-port', value: '<port>', path: 'studio.port' },
  { name: 'data', flag: '--data', value: '<folder>', path: 'data.folder' },
  { name: 'logLevel', flag: '--log-level', value: '<level>', path: 'log.level' },
] as const;

function withConfig(command: Command): Command {
  command
    .option('--config <file>', 'configuration file (else BARRAGE_CONFIG, else ./barrage.yaml)')
    .option('--set <key=value>', 'set a key of the file, repeatable', collect, []);
  for (const { flag, value, path } of DIRECT) {
    command.option(`${flag} ${value}`, `the same as --set ${path}=${value}`);
  }
  return command.option('--debug', 'show stacks of errors');
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function choiceOf(options: ConfigFlags): commands.ConfigChoice {
  const flags: FlagText[] = options.set.map((text) => ({ flag: '--set', text }));
  for (const { name, flag, path } of DIRECT) {
    const value = options[name];
    if (value !== undefined) flags.push({ flag, text: `${path}=${value}` });
  }
  const { processes } = options;
  if (processes !== undefined) {
    const count = processes === 'cores' ? '0' : processes;
    flags.push({ flag: '--processes', text: `edge.processes=${count}` });
  }
  return { config: options.config, flags };
}

function addService(program: Command, name: ServiceName, run: RunService, io: ProgramIo): void {
  const command = program.command(name, { isDefault: name === 'all' }).description(SERVICES[name]);
  if (name === 'edge') {
    command.option('--processes <count>', 'the same as --set edge.processes=<count>; or cores');
  }
  withConfig(command).action(async (options: ConfigFlags) => {
    const manager = commands.openChosen(choiceOf(options), io);
    const hangup = io.onHangup(() => void manager.reload());
    try {
      await manager.watch(io.clock);
      await run(manager.current, manager);
    } finally {
      hangup.cancel();
      await manager.close();
    }
  });
}

interface TokenFlags extends ConfigFlags {
  readonly room: readonly string[];
  readonly user?: string;
  readonly name?: string;
  readonly role?: Role;
  readonly level?: number;
  readonly ttl?: string;
}

function addToken(program: Command, io: ProgramIo): void {
  const roles: readonly Role[] = ['guest', 'member', 'moderator', 'host'];
  const command = program
    .command('token')
    .description('print a viewer token, signed with the configured or stored key')
    .addOption(
      new Option('--room <room>', 'room it opens, repeatable; * opens all')
        .argParser((value: string, before: readonly string[] | undefined) =>
          collect(value, before ?? []),
        )
        .makeOptionMandatory(),
    )
    .option('--user <id>', 'the account; without it the token is for a guest')
    .option('--name <name>', 'name shown to others')
    .addOption(new Option('--role <role>', 'what the user may do').choices(roles))
    .option('--level <level>', 'standing of the account, 0 to 1000', wholeUpTo(0, 1000))
    .option('--ttl <duration>', 'how long it is good for, e.g. 12h (else tokens.ttl)');
  withConfig(command).action((options: TokenFlags) => {
    const { room, user, name, role, level, ttl } = options;
    const manager = commands.openChosen(choiceOf(options), io);
    commands.printToken(manager.current, { room, user, name, role, level, ttl }, io);
  });
}

const EDGE_URL = 'ws://127.0.0.1:8080';
const STUDIO_URL = 'http://127.0.0.1:8081';

function addTail(program: Command, io: ProgramIo): void {
  program
    .command('tail')
    .description('show what a viewer of a room receives, a line each (times are UTC)')
    .argument('<room>')
    .option('--url <url>', 'the edge', EDGE_URL)
    .option('--token <token>', 'viewer token; without it as a guest')
    .option('--debug', 'show stacks of errors')
    .action(async (room: string, { url, token }: { url: string; token?: string }) =>
      commands.tail(room, { url, token }, io),
    );
}

interface ReplayFlags extends ConfigFlags {
  readonly room: string;
  readonly speed: string;
  readonly url: string;
  readonly connections?: number;
  readonly key?: string;
  readonly studioUrl: string;
}

function addReplay(program: Command, io: ProgramIo, end: { code: number }): void {
  const command = program
    .command('replay')
    .description('say the comments of a Bilibili XML file in a room, each user as a viewer')
    .argument('<file.xml>')
    .requiredOption('--room <room>', 'room to speak in')
    .option('--speed <speed>', "times the file's own pace, or max: as fast as verdicts allow", '1')
    .option('--url <url>', 'the edge', EDGE_URL)
    .option('--connections <count>', 'connections at once at most (500)', wholeUpTo(1, 50_000))
    .option('--key <secret>', 'API key to ask the studio for tokens; else they are signed here')
    .option('--studio-url <url>', 'studio API, used with --key', STUDIO_URL);
  withConfig(command).action(async (file: string, options: ReplayFlags) => {
    const { room, speed, url, connections, key, studioUrl } = options;
    const config = (): Config => commands.openChosen(choiceOf(options), io).current;
    const choice = { room, speed, url, connections, key, studioUrl };
    if (!(await commands.replay(file, choice, config, io))) end.code = 1;
  });
}

function addPlan(program: Command, io: ProgramIo): void {
  const command = program
    .command('plan')
    .description('how many machines, and how much network, an audience needs (measured costs)');
  for (const { flag, help } of PLAN_OPTIONS) command.option(flag, help);
  command
    .option('--json', 'print it as JSON, with the coefficients')
    .option('--debug', 'show stacks of errors')
    .action(({ json, ...text }: PlanText & { readonly json?: true }) =>
      printPlan(text, json === true, io),
    );
}

function addConfigCommands(program: Command, io: ProgramIo): void {
  const check = program
    .command('check-config')
    .description('tell everything that is wrong with a configuration, or OK')
    .argument('[file]')
    .option('--print', 'print the settings that would hold, secrets hidden');
  withConfig(check).action(
    (file: string | undefined, options: ConfigFlags & { readonly print?: true }) => {
      const choice = choiceOf(options);
      const chosen = { ...choice, config: file ?? choice.config };
      commands.checkConfig(chosen, options.print === true, io);
    },
  );
  program
    .command('default-config')
    .description('print a configuration file with every key, its default and meaning')
    .action(() => commands.printDefaults(io));
}

function wholeUpTo(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${min} to ${max}.`);
  };
}
