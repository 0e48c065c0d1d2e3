/* Owns what the load counts: counters and histograms in memory shared by all processes, and the JSON
 * lines made of them. Children only add, so a window is the difference of two snapshots. */
#ifndef COUNTS_H
#define COUNTS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "payload.h"
#include <time.h>

#define BUCKETS 1664
#define PROCESSES_MAX 64

/* flushes: WebSocket payloads with frames; blocked: danmaku the socket would not take at once. */
#define COUNTERS(X) \
  X(opened) X(joined) X(failed) X(closed) X(stalled) X(flushes) X(frames) X(bytes) X(deliveries) \
  X(distinct) X(gaps) X(repeats) X(unread) X(errors) X(pings) X(offered) X(blocked) X(cpuUs)

/* Every field is a uint64_t: add_up and print_counts treat it as an array of them. */
struct stats {
#define FIELD(name) uint64_t name;
  COUNTERS(FIELD)
#undef FIELD
  uint64_t verdicts[VERDICT_COUNT], latency[BUCKETS], answer[BUCKETS];
};
struct shared {
  volatile int speak, stop, pause;
  struct stats stats[PROCESSES_MAX];
};

static int64_t clock_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}
static int64_t now_us(void) { return clock_us(CLOCK_MONOTONIC); }
static uint64_t cpu_us(void) { return (uint64_t)clock_us(CLOCK_PROCESS_CPUTIME_ID); }

/* 64 steps in every power of two of microseconds: 1.6 % resolution. */
static int bucket_of(int64_t us) {
  if (us < 64) return us < 0 ? 0 : (int)us;
  int shift = 57 - __builtin_clzll((uint64_t)us);
  int bucket = (shift + 1) * 64 + (int)((us >> shift) - 64);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_ms(int bucket) {
  int shift = bucket / 64 - 1;
  return bucket < 64 ? bucket / 1e3 : (double)((int64_t)(bucket % 64 + 64) << shift) / 1e3;
}

static void add_up(const struct shared *shared, int processes, struct stats *sum) {
  memset(sum, 0, sizeof *sum);
  for (int i = 0; i < processes; i++)
    for (size_t k = 0; k < sizeof *sum / sizeof(uint64_t); k++)
      ((uint64_t *)sum)[k] += ((const volatile uint64_t *)&shared->stats[i])[k];
}

/* Whether every viewer has joined, failed or been closed. */
static int is_settled(const struct shared *shared, int viewers) {
  uint64_t settled = 0;
  for (int i = 0; i < PROCESSES_MAX; i++) settled += shared->stats[i].joined + shared->stats[i].failed;
  return settled >= (uint64_t)viewers;
}

static double percentile(const uint64_t *buckets, double share) {
  uint64_t total = 0, running = 0;
  for (int i = 0; i < BUCKETS; i++) total += buckets[i];
  for (int i = 0; i < BUCKETS && total > 0; i++)
    if ((running += buckets[i]) >= share * (double)total) return bucket_ms(i);
  return 0;
}

static void print_times(const char *name, const uint64_t *buckets) {
  printf(",\"%s\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}", name,
         percentile(buckets, 0.5), percentile(buckets, 0.9), percentile(buckets, 0.99),
         percentile(buckets, 0.999), percentile(buckets, 1));
}

/* One JSON line: everything counted since the snapshot `from`. */
static void print_counts(const char *type, const struct shared *shared, const struct stats *from, int64_t us) {
  static struct stats d;
  add_up(shared, PROCESSES_MAX, &d);
  for (size_t k = 0; k < sizeof d / sizeof(uint64_t); k++) ((uint64_t *)&d)[k] -= ((const uint64_t *)from)[k];
  printf("{\"type\":\"%s\",\"seconds\":%.6f", type, (double)us / 1e6);
#define PRINT(name) printf(",\"" #name "\":%llu", (unsigned long long)d.name);
  COUNTERS(PRINT)
#undef PRINT
  printf(",\"verdicts\":{");
  for (int i = 0, any = 0; i < VERDICT_COUNT; i++)
    if (d.verdicts[i] > 0)
      printf("%s\"%s\":%llu", any++ ? "," : "", VERDICTS[i], (unsigned long long)d.verdicts[i]);
  printf("}");
  print_times("latencyMs", d.latency);
  print_times("answerMs", d.answer);
  printf("}\n");
  fflush(stdout);
}
#endif
