/**
 * Costs to try the plan's arithmetic with: those of one report, so that a newer one, which moves what binds
 * first, moves no test. That the plan's own are those of the newest: test/core/plan-coefficients.test.ts.
 */
import type { Costs } from '../../src/plan/coefficients.js';

export const STEADY_COSTS: Costs = {
  idleShare: 0.0171,
  postUs: 1494,
  sayUs: 0,
  sendUs: 9.423,
  byteNs: 0.1414,
  viewerBytes: 3000,
  jsonFlushBytes: 116.3,
  jsonEachBytes: 181.8,
  deflateFlushBytes: 185.9,
  deflateEachBytes: 48.06,
  joinUs: 72.71,
  processBytes: 166000000,
  pollUs: 20.05,
  refuseUs: 26.22,
  edgeAdmitUs: 37,
  roomAdmitUs: 22,
  roomKeepUs: 214,
  redisKeepUs: 19,
  natsUs: 53,
};
