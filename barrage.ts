#!/usr/bin/env node
/**
 * The program: hands the command line the services it can start. The one file that knows them all.
 */
import { runProgram } from './src/cli/program.js';
import { runAll } from './all.js';

process.exitCode = await runProgram(process.argv.slice(2), { all: runAll });
