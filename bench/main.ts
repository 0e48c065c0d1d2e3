/**
 * The bench: builds the viewers, asks each question of the built service, writes the report.
 * `npm run bench -- --help` lists the options; bench/README.md says how to read the result.
 */
import { join } from 'node:path';
import { measureApi } from './api.js';
import { measureDispatch } from './dispatch.js';
import { measureBytes } from './bytes.js';
import { measureCdn } from './cdn.js';
import { measureCluster } from './cluster.js';
import { measureFanOut } from './fan-out.js';
import { measureFlood } from './flood.js';
import { measureIdle } from './idle.js';
import { measureJoins } from './joins.js';
import { clock, say } from './kit.js';
import { isPinning, LOAD_CORE, machineFacts, pinSelf, type MachineFacts } from './machine.js';
import { measureMany } from './many.js';
import { measureMicro } from './micro/main.js';
import { measurePeersLoad } from './peers/load.js';
import { endTogether } from './peers/program.js';
import { measurePeersSlow } from './peers/slow.js';
import {
  PEER_QUESTIONS,
  QUESTIONS,
  readPlan,
  type Bench,
  type Question,
  type Table,
} from './plan.js';
import { measurePoll } from './poll.js';
import { measureStorm } from './storm.js';
import { measureSimulation } from './simulation/main.js';
import { measureSlow } from './slow.js';
import { measureSmallRooms } from './small-rooms.js';
import { writeReport } from './report.js';
import { projectFolder } from './service.js';
import { measureSoak } from './soak.js';
import { measureUplink } from './uplink.js';
import { measureWake } from './wake.js';
import { buildViewers, type Builder } from './viewer-load.js';

const ANSWERS: Readonly<Record<Question, (bench: Bench) => Promise<Table | readonly Table[]>>> = {
  fanout: measureFanOut,
  'small-rooms': measureSmallRooms,
  slow: measureSlow,
  bytes: measureBytes,
  uplink: measureUplink,
  flood: measureFlood,
  api: measureApi,
  dispatch: measureDispatch,
  joins: measureJoins,
  micro: measureMicro,
  poll: measurePoll,
  wake: measureWake,
  cluster: measureCluster,
  many: measureMany,
  soak: measureSoak,
  cdn: measureCdn,
  storm: measureStorm,
  idle: measureIdle,
  simulation: measureSimulation,
  'peers-load': measurePeersLoad,
  'peers-slow': measurePeersSlow,
};

/** Load average over a minute above which something else is at work. */
const LOAD_QUIET = 0.7;

const HELP = `usage: npm run bench -- [--quick] [--only ${QUESTIONS.join(',')}] [--runs 3]
  [--seconds 8] [--viewers 1000,10000] [--rates 10,100,1000] [--feeds viewers,api] [--crowd 50000]
  [--offered 10000,30000,50000] [--cdn-viewers 1000,5000,25000,30000]
  [--seed 1] [--out bench/report]
or: npm run bench -- --peers [--quick] [--only ${PEER_QUESTIONS.join(',')}] [--runs 5]
  [--peer barrage,nchan,=ws] [--viewers 1000,10000] [--rates 100]`;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return say(HELP);
  const plan = readPlan(args);
  const at = new Date(clock.now()).toISOString();
  const machine = machineFacts();
  pinSelf(LOAD_CORE);
  endTogether();
  const builder = buildViewers();
  // What is simulated does not depend on the machine.
  const isMeasuring = plan.only.some((question) => question !== 'simulation');
  const warnings = isMeasuring ? doubtsOf(machine, builder) : [];
  const tables: Table[] = [];
  for (const question of plan.only) {
    try {
      tables.push(...[await ANSWERS[question]({ plan, builder })].flat());
    } catch (error) {
      warnings.push(`${question} failed: ${String(error).replaceAll(projectFolder, '.')}`);
      say(`${question} failed: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = 1;
    }
  }
  const folder = plan.folder ?? join(projectFolder, 'bench', 'report');
  const path = writeReport(folder, { at, machine, plan, warnings, tables });
  process.stdout.write(`${path}\n`);
}

/** What makes measured figures doubtful before anything was measured. */
function doubtsOf({ load, cores }: MachineFacts, { warning }: Builder): string[] {
  const doubts = warning === undefined ? [] : [warning];
  if (!isPinning()) doubts.push('taskset is missing: server and load share cores');
  if (Number(load.split(' ')[0]) > LOAD_QUIET) {
    doubts.push(`the machine was busy at the start (load ${load}): do not trust figures`);
  }
  if (cores < 2) doubts.push('one core only: server and load share it');
  return doubts;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
