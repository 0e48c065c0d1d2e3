#!/usr/bin/env node
/**
 * The program: hands the command line the services it can start. The one file that knows them all.
 */
import { runProgram } from './src/cli/program.js';
import { runAll } from './run/all.js';
import { runCdnPusher } from './run/cdn-pusher.js';
import { runEdge } from './run/edge.js';
import { runRoom } from './run/room.js';

process.exitCode = await runProgram(process.argv.slice(2), {
  all: runAll,
  edge: runEdge,
  room: runRoom,
  'cdn-pusher': runCdnPusher,
});
