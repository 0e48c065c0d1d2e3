/* Owns the load of many viewers on loopback: opening, speaking, churn, and the reports.
 * Children hold the sockets (each under the descriptor limit) and only ever add to shared counters;
 * the parent obeys standard input (`mark`, `report`, `total`, `speak <rate>`, `pause <n>`, `quit`) and
 * prints JSON lines.
 * Build: cc -O2 -o viewers viewers.c -lz   (or -DWITHOUT_ZLIB: json viewers only) */
#include "sockets.h"
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LINES_MAX 200000

/* The place after `at` of `count`, round and round: a number that only grew would overflow in a minute. */
static int after(int at, int count) { return at + 1 < count ? at + 1 : 0; }

/* Viewers speak in turn until the rate is met; what cannot be written at once counts as blocked. */
static void speak(int count, int64_t now) {
  static int64_t started, said, last_id;
  static int turn, text, rate;
  if (shared->speak != rate) { rate = shared->speak; started = now; said = 0; }
  int64_t due = (now - started) * rate / opt.processes / 1000000 - said;
  for (int tries = 0; due > 0 && tries < count; tries++) {
    struct viewer *v = &viewers[turn];
    turn = after(turn, count);
    if (v->state != OPEN || !v->joined) continue;
    char line[3072];
    last_id = now > last_id ? now : last_id + 1;
    int n = snprintf(line, sizeof line,
        "{\"type\":\"send\",\"room\":\"%s%s\",\"id\":%lld,\"text\":%s,\"data\":{\"bt\":%lld}}",
        opt.room, room_end(v), (long long)last_id, opt.texts[text], (long long)now);
    text = after(text, opt.ntexts);
    if (send_frame(v, 1, line, (size_t)n)) stats->offered++;
    else stats->blocked++;
    said++;
    due--;
  }
}

static void open_some(int count, int64_t now) {
  static int64_t started, asked;
  static int next;
  if (started == 0) started = now;
  for (int i = 0; i < count && pending < opt.pending; i++) {
    if (!opt.churn && asked * 1000000 * opt.processes >= (now - started) * opt.rate) return;
    struct viewer *v = &viewers[next];
    next = after(next, count);
    if (v->state == IDLE && v->since == 0) { start_viewer(v); asked++; }
  }
}

static void end_late(int count, int64_t now) {
  for (int i = 0; i < count; i++) {
    struct viewer *v = &viewers[i];
    if (v->state != IDLE && !v->joined && now - v->since > HANDSHAKE_US) end_viewer(v, &stats->failed);
  }
}

/* Every nth viewer stops reading until n is 0 again; its connection stays. */
static void pause_some(int count) {
  static int every;
  if (shared->pause == every) return;
  int now = shared->pause;
  for (int i = 0; i < count; i++) {
    struct viewer *v = &viewers[i];
    if (v->state != OPEN) continue;
    if (every > 0 && v->index % every == 0) watch(v, EPOLL_CTL_ADD, EPOLLIN);
    if (now > 0 && v->index % now == 0) { epoll_ctl(epoll, EPOLL_CTL_DEL, v->fd, NULL); stats->stalled++; }
  }
  every = now;
}

static void run_child(int process, int count) {
  struct epoll_event events[512];
  int64_t swept = 0, polled = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  stats = &shared->stats[process];
  viewers = calloc((size_t)count, sizeof *viewers);
  buffer = malloc(BUFFER_BYTES);
  epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) viewers[i].index = i * opt.processes + process;
  for (int64_t end = now_us() + opt.seconds * 1000000LL, now; (now = now_us()) < end && !shared->stop;) {
    open_some(count, now);
    if (shared->speak > 0) speak(count, now);
    pause_some(count);
    if (opt.heed && now - polled > 10000) { poll_again(count, now); polled = now; }
    int n = epoll_wait(epoll, events, 512, shared->speak > 0 || pending > 0 ? 1 : opt.heed ? 10 : 20);
    for (int i = 0; i < n; i++) {
      struct viewer *v = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) writable(v);
      if (v->state != IDLE && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(v);
    }
    if (now - swept > 1000000) { end_late(count, now); swept = now; }
    stats->cpuUs = cpu_us();
  }
  _exit(0);
}

/* Obeys standard input and prints a line a second until told to quit, the input ends or time is up. */
static void run_parent(void) {
  static struct stats first, mark;
  int64_t start = now_us(), marked = start, told = start, now;
  int ready = 0;
  char line[128];
  setvbuf(stdin, NULL, _IONBF, 0);
  while ((now = now_us()) < start + opt.seconds * 1000000LL) {
    struct pollfd in = {.fd = 0, .events = POLLIN};
    if (poll(&in, 1, ready ? 200 : 20) > 0) {
      if (fgets(line, sizeof line, stdin) == NULL || strncmp(line, "quit", 4) == 0) return;
      if (strncmp(line, "speak ", 6) == 0) shared->speak = atoi(line + 6);
      if (strncmp(line, "pause ", 6) == 0) shared->pause = atoi(line + 6);
      if (strncmp(line, "mark", 4) == 0) {
        add_up(shared, opt.processes, &mark);
        marked = now_us();
        print_counts("marked", shared, &mark, 0);
      }
      if (strncmp(line, "total", 5) == 0) print_counts("total", shared, &first, now_us() - start);
      if (strncmp(line, "report", 6) == 0) print_counts("report", shared, &mark, now_us() - marked);
    }
    if (!ready && is_settled(shared, opt.churn ? 0 : opt.viewers)) {
      ready = 1;
      print_counts("ready", shared, &first, now_us() - start);
    }
    if (now - told > 1000000) { print_counts("second", shared, &first, now - start); told = now; }
  }
}

static char **read_lines_of(const char *path, int *count) {
  FILE *file = fopen(path, "r");
  char **lines = calloc(LINES_MAX, sizeof *lines), *line = NULL;
  size_t cap = 0;
  ssize_t n;
  if (file == NULL) { perror(path); exit(2); }
  while (*count < LINES_MAX && (n = getline(&line, &cap, file)) > 1) {
    line[strcspn(line, "\n")] = 0;
    lines[(*count)++] = strdup(line);
  }
  fclose(file);
  return lines;
}

static void read_options(int argc, char **argv) {
  static const struct option names[] = {
      {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'u'}, {"room", 1, 0, 'r'},
      {"viewers", 1, 0, 'n'}, {"processes", 1, 0, 'P'}, {"rate", 1, 0, 'R'}, {"addresses", 1, 0, 'a'},
      {"format", 1, 0, 'f'}, {"tokens", 1, 0, 't'}, {"texts", 1, 0, 'x'}, {"stall", 1, 0, 's'},
      {"seconds", 1, 0, 'S'}, {"manner", 1, 0, 'm'}, {"rooms", 1, 0, 'o'}, {"churn", 0, 0, 'c'},
      {"pending", 1, 0, 'g'}, {"http", 1, 0, 'H'}, {"heed", 0, 0, 'e'}, {0, 0, 0, 0}};
  for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (o) {
    case 'h': opt.host = optarg; break;
    case 'p': opt.port = atoi(optarg); break;
    case 'u': opt.path = optarg; break;
    case 'r': opt.room = optarg; break;
    case 'n': opt.viewers = atoi(optarg); break;
    case 'P': opt.processes = atoi(optarg); break;
    case 'R': opt.rate = atoi(optarg); break;
    case 'a': opt.addresses = atoi(optarg); break;
    case 'f': opt.deflate = strcmp(optarg, "deflate") == 0; break;
    case 't': opt.tokens = read_lines_of(optarg, &opt.ntokens); break;
    case 'x': opt.texts = read_lines_of(optarg, &opt.ntexts); break;
    case 's': opt.stall = atof(optarg); break;
    case 'S': opt.seconds = atoi(optarg); break;
    case 'm': read_manner(optarg); break;
    case 'o': opt.rooms = atoi(optarg); break;
    case 'g': opt.pending = atoi(optarg); break;
    case 'c': opt.churn = 1; break;
    case 'H': opt.http = strcmp(optarg, "poll") == 0 ? POLLS : EVENTS; break;
    case 'e': opt.heed = 1; break;
    default: exit(2);
  }
  if (opt.port <= 0 || opt.viewers < 1 || opt.processes < 1 || opt.processes > PROCESSES_MAX ||
      opt.rooms < 1 || opt.rate < 1 || opt.pending < 1 || opt.addresses < 1 || opt.stall < 0 || opt.stall > 1) {
    fprintf(stderr, "viewers: --port, --viewers, --processes, --rooms, --rate, --pending or --addresses out of bounds\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  pid_t children[PROCESSES_MAX];
  read_options(argc, argv);
#ifdef WITHOUT_ZLIB
  if (opt.deflate) { fprintf(stderr, "viewers: built without zlib\n"); return 2; }
#endif
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) { perror("mmap"); return 1; }
  for (int i = 0; i < opt.processes; i++) {
    int count = opt.viewers / opt.processes + (i < opt.viewers % opt.processes);
    if ((children[i] = fork()) == 0) run_child(i, count);
  }
  run_parent();
  shared->stop = 1;
  for (int i = 0; i < opt.processes; i++) waitpid(children[i], NULL, 0);
  return 0;
}
