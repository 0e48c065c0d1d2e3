/* Owns the load of many viewers of a CDN on loopback: each asks for the manifest every poll at a random
 * phase of its own and for each segment once, as docs/cdn.md says. Viewers share kept connections, one
 * request at a time on each. Obeys standard input (`mark`, `report`, `quit`) and prints JSON lines.
 * Build: cc -O2 -o pollers pollers.c -lz */
#define _GNU_SOURCE
#include "files.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 256
#define FIRST_SEGMENTS 2
#define SEGMENTS_AT_ONCE 5
#define RETRY_MS 500

struct viewer { double due; int64_t at; int seen, version; };
/* A request: of a viewer, for the manifest (file < 0) or a segment. */
struct ask { int viewer, file, is_first; double since; };
struct wire {
  int fd, is_open, is_asking, head, length;
  double retry;
  struct ask queue[QUEUE_MAX];
  char *part;
  int part_length;
};

static struct viewer *viewers;
static struct wire *wires;
static int nviewers = 1000, nwires = 1000, port, poll_ms = 1000, addresses = 4, epoll;
static const char *room = "room";
static struct counts {
  int64_t requests, failed, missing, same, back, bytes, publications, late, segments;
} counts, marked;
static uint32_t ages[BINS], answers[BINS];
static double marked_at;
static int64_t marked_cpu;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int64_t cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void open_wire(struct wire *w) {
  struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
  int one = 1;
  w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (w->fd < 0) { perror("socket"); exit(1); }
  from.sin_addr.s_addr = htonl(0x7f000002 + (uint32_t)((w - wires) % addresses));
  setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(w->fd, (struct sockaddr *)&from, sizeof from) < 0) { perror("bind"); exit(1); }
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons((uint16_t)port);
  connect(w->fd, (struct sockaddr *)&to, sizeof to);
  w->is_open = 0;
  w->part_length = 0;
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = w};
  epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &e);
}

/* What was asked is lost; the next round asks again. */
static void close_wire(struct wire *w) {
  if (w->fd < 0) return;
  close(w->fd);
  counts.failed += w->length;
  w->fd = -1;
  w->length = w->is_asking = w->is_open = 0;
  w->retry = now_ms() + RETRY_MS;
}

static void ask_next(struct wire *w) {
  char line[512];
  if (w->is_asking || w->length == 0 || !w->is_open) return;
  struct ask *a = &w->queue[w->head];
  int version = viewers[a->viewer].version;
  const char *name = a->file < 0 ? "manifest.json" : files_segment(a->file)->name;
  const char *had = a->file < 0 && version >= 0 ? files_manifest(version)->modified : "";
  int n = snprintf(line, sizeof line, "GET /%s/%s HTTP/1.1\r\nHost: cdn\r\nAccept-Encoding: gzip\r\n%s%s%s\r\n",
      room, name, *had ? "If-Modified-Since: " : "", had, *had ? "\r\n" : "");
  if (send(w->fd, line, (size_t)n, MSG_NOSIGNAL) != n) { close_wire(w); return; }
  w->is_asking = 1;
}

static void ask(int viewer, int file, int is_first, double now) {
  struct wire *w = &wires[viewer % nwires];
  if (w->fd < 0) {
    if (now < w->retry) { counts.failed++; return; }
    open_wire(w);
  }
  if (w->length == QUEUE_MAX) { counts.late++; return; }
  struct ask *a = &w->queue[(w->head + w->length++) % QUEUE_MAX];
  *a = (struct ask){viewer, file, is_first, now};
  ask_next(w);
}

static void take_manifest(int viewer, int version, double now) {
  struct viewer *v = &viewers[viewer];
  struct manifest *m = files_manifest(version);
  if (m->at < v->at) { counts.back++; return; }
  int is_first = v->seen < 0, most = is_first ? FIRST_SEGMENTS : SEGMENTS_AT_ONCE;
  v->at = m->at;
  v->version = version;
  for (int i = m->count > most ? m->count - most : 0; i < m->count; i++) {
    if (m->sequences[i] > v->seen) ask(viewer, m->sequences[i], is_first, now);
  }
  if (m->count > 0 && m->sequences[m->count - 1] > v->seen) v->seen = m->sequences[m->count - 1];
}

static void take_segment(struct ask *a, const char *body, int length, double now) {
  struct segment *s = files_segment(a->file);
  files_read_segment(s, body, length);
  counts.segments++;
  counts.publications += s->count;
  if (!a->is_first) for (int i = 0; i < s->count; i++) bin(ages, now - (double)s->ats[i]);
}

static void answered(struct wire *w, const char *head, const char *body, int length) {
  struct ask a = w->queue[w->head];
  double now = now_ms();
  int status = atoi(head + 9);
  w->head = (w->head + 1) % QUEUE_MAX;
  w->length--;
  w->is_asking = 0;
  counts.requests++;
  counts.bytes += body - head + length;
  bin(answers, now - a.since);
  if (status == 304) counts.same++;
  else if (status == 404) counts.missing++;
  else if (status != 200) counts.failed++;
  else if (a.file < 0) take_manifest(a.viewer, files_read_manifest(head, body, length), now);
  else take_segment(&a, body, length, now);
  ask_next(w);
}

/* A whole answer in the bytes, or they are kept for the next time. */
static void take(struct wire *w, char *bytes, int length) {
  bytes[length] = 0;
  char *end = strstr(bytes, "\r\n\r\n");
  const char *size = end ? strcasestr(bytes, "\r\ncontent-length:") : NULL;
  int body = size && size < end ? atoi(size + 17) : 0;
  if (w->is_asking && end && length >= end + 4 - bytes + body) {
    w->part_length = 0;
    answered(w, bytes, end + 4, body);
  } else if (bytes != w->part) {
    if (w->part == NULL) w->part = malloc(BYTES_MAX + 1);
    memcpy(w->part, bytes, (size_t)length);
    w->part_length = length;
  } else w->part_length = length;
}

static void read_wire(struct wire *w) {
  static char bytes[BYTES_MAX + 1];
  for (;;) {
    if (w->fd < 0) return;
    char *into = w->part_length > 0 ? w->part : bytes;
    ssize_t n = recv(w->fd, into + w->part_length, (size_t)(BYTES_MAX - w->part_length), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { close_wire(w); return; }
    take(w, into, w->part_length + (int)n);
  }
}

static void print(const char *type) {
  struct counts *c = &counts, *m = &marked;
  double seconds = (now_ms() - marked_at) / 1e3;
#define SINCE(of) (long long)(c->of - m->of)
  printf("{\"type\":\"%s\",\"seconds\":%.3f,\"requests\":%lld,\"failed\":%lld,\"missing\":%lld,"
         "\"same\":%lld,\"back\":%lld,\"late\":%lld,\"bytes\":%lld,"
         "\"publications\":%lld,\"segments\":%lld,"
         "\"delayP50Ms\":%d,\"delayP99Ms\":%d,\"delayMaxMs\":%d,\"answerP50Ms\":%d,\"answerP99Ms\":%d,\"cpuUs\":%lld}\n",
      type, seconds, SINCE(requests), SINCE(failed), SINCE(missing), SINCE(same), SINCE(back), SINCE(late),
      SINCE(bytes), SINCE(publications), SINCE(segments), quantile(ages, .5), quantile(ages, .99),
      quantile(ages, 1), quantile(answers, .5), quantile(answers, .99), (long long)(cpu_us() - marked_cpu));
  fflush(stdout);
}

static void obey(void) {
  char line[256];
  ssize_t n = read(0, line, sizeof line - 1);
  if (n <= 0) exit(0);
  line[n] = 0;
  if (strstr(line, "quit")) exit(0);
  if (strstr(line, "mark")) {
    marked = counts;
    marked_at = now_ms();
    marked_cpu = cpu_us();
    memset(ages, 0, sizeof ages);
    memset(answers, 0, sizeof answers);
    print("marked");
  }
  if (strstr(line, "report")) print("report");
}

static int by_due(const void *a, const void *b) {
  double x = ((const struct viewer *)a)->due, y = ((const struct viewer *)b)->due;
  return x < y ? -1 : x > y;
}

static void run(void) {
  struct epoll_event events[1024];
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
  for (int turn = 0;;) {
    double now = now_ms();
    for (int i = 0; i < nviewers && viewers[turn].due <= now; i++) {
      ask(turn, -1, 0, now);
      viewers[turn].due += poll_ms;
      turn = (turn + 1) % nviewers;
    }
    int n = epoll_wait(epoll, events, 1024, 1);
    for (int i = 0; i < n; i++) {
      struct wire *w = events[i].data.ptr;
      if (w == NULL) { obey(); continue; }
      if (events[i].events & (EPOLLERR | EPOLLHUP)) { close_wire(w); continue; }
      if (events[i].events & EPOLLOUT && !w->is_open) { w->is_open = 1; ask_next(w); }
      if (events[i].events & EPOLLIN) read_wire(w);
    }
  }
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--room")) room = value;
    else if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--viewers")) nviewers = atoi(value);
    else if (!strcmp(name, "--connections")) nwires = atoi(value);
    else if (!strcmp(name, "--poll-ms")) poll_ms = atoi(value);
    else if (!strcmp(name, "--addresses")) addresses = atoi(value);
    else if (!strcmp(name, "--seed")) srandom((unsigned)atoi(value));
    else { fprintf(stderr, "pollers: unknown option %s\n", name); return 2; }
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (nwires > nviewers) nwires = nviewers;
  struct rlimit all;
  getrlimit(RLIMIT_NOFILE, &all);
  all.rlim_cur = all.rlim_max;
  setrlimit(RLIMIT_NOFILE, &all);
  epoll = epoll_create1(0);
  viewers = calloc((size_t)nviewers, sizeof *viewers);
  wires = calloc((size_t)nwires, sizeof *wires);
  for (int i = 0; i < nwires; i++) wires[i].fd = -1;
  double start = now_ms() + 200;
  for (int i = 0; i < nviewers; i++) {
    viewers[i] = (struct viewer){start + (double)random() / RAND_MAX * poll_ms, 0, -1, -1};
  }
  qsort(viewers, (size_t)nviewers, sizeof *viewers, by_due);
  run();
}
