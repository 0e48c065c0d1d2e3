/**
 * Owns the flags of Node that every command of ours starts it with. They cannot be set once Node runs.
 */

/**
 * One helper thread of V8: those that mark and collect the heap compete with the event loop wherever a
 * process has about one core, which it has when there are as many processes as cores. With four of them
 * (Node's own choice) small rooms were read 30-46 ms late at p99, with one 9-11 ms (docs/adr/0030).
 */
export const NODE_FLAGS: readonly string[] = ['--v8-pool-size=1'];
