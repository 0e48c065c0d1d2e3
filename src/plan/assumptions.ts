/**
 * Owns what the plan takes as given and the bench does not measure: settings of the service by their
 * defaults, sizes of files and headers, and habits of audiences. Each says where it is from; a test
 * holds those that repeat a constant of another part against it.
 */

export const ASSUMED = {
  /** Of `edge.heartbeat`: a silent viewer is pinged and answers. */
  heartbeatMs: 25_000,
  /** Least and longest time between two flushes for the sake of calm (edge/core/pace.ts). */
  calmShare: 0.35,
  calmMsMax: 150,
  /** Part of the busy share that fan-out gets whatever else is to do (edge/core/pace.ts). */
  fanoutShareMin: 0.3,
  /** A poller is told to come again after as many ms as there are, this at most (edge/poll-desk.ts). */
  pollAfterMs: 5000,
  /** A publication in a poll's answer, plain JSON. */
  polledBytes: 180,
  /** HTTP headers of a poll's answer, and of a CDN's over HTTP/2 with its header compression. */
  httpHeadBytes: 400,
  cdnHeadBytes: 150,
  /** `data:`, `id:` and line ends of an event, on top of the frame. */
  eventBytes: 40,
  /** Kernel memory of an idle TCP connection, one end; half of 9.3 KB seen for both, 500,000 open. */
  kernelViewerBytes: 4650,
  /** Descriptors of a process that are not for viewers: listeners, bus, files, and some air. */
  descriptorShare: 0.9,
  /** Dispatch gives an edge no more above this share of its capacity (dispatch.fullMark). */
  fullMark: 0.95,
  /** Every `edge.report`, to each room service; with its biggest rooms at most so many bytes. */
  edgeReportMs: 250,
  edgeReportBytes: 400,
  /** µs of a room service for such a report (docs/adr/0020-dispatch.md). */
  edgeReportUs: 3,
  /** Each edge tells the owner of each of its rooms how many are there. */
  audienceMs: 750,
  audienceBytes: 120,
  /** Head of an envelope on the bus, and a publication in it with its index. */
  envelopeBytes: 120,
  /** A danmaku on its way up, with what the edge adds, and its verdict on the way back. */
  uplinkBytes: 300,
  /** Above it a room takes the admission level down: times `uplinkPerSecond` (SPEC R-OVER-4). */
  uplinkOver: 1.2,
  /** `cdn.segment.age` and its lead, the polling of viewers, and how long the manifest names a segment. */
  segmentMs: 1000,
  segmentLeadMs: 150,
  cdnPollMs: 1000,
  cdnWindowMs: 10_000,
  /** Of the segments the manifest names, those that a newcomer fetches (client/core/cdn-reader.ts). */
  cdnFirstSegments: 2,
  /** Share of lines in time for what is shown, and what is added (client/core/cdn-delay.ts). */
  cdnShownShare: 0.995,
  cdnShownMoreMs: 100,
  /** Seconds after which a viewer tells how its CDN does (client/). */
  cdnReportMs: 30_000,
  /** A manifest of 10 segments; a segment, and each publication in it: as gzip (test of the plan). */
  manifestBytes: 1050,
  segmentHeadBytes: 350,
  segmentEachBytes: 29.5,
  /** The share of a room's viewers that follows the CDN when it is on by itself (`cdnOnAbove`). */
  cdnAutoShare: 0.9,
  /** Danmaku a viewer says per second, where nothing better is known: one in a thousand does. */
  saidByViewer: 0.001,
  /** All viewers come within this time, where no rate of arrivals is given. */
  arrivalSeconds: 60,
  /** Each shard's lease, and each member, is renewed every quarter of `rooms.lease`. */
  leaseMs: 2000,
  shards: 64,
} as const;
