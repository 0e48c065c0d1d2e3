/* Owns one viewer's socket on its way: connect, upgrade, frames in and out, order of what arrives.
 * Knows neither pace nor standard input: viewers.c opens, speaks and ends. */
#ifndef SOCKETS_H
#define SOCKETS_H
#include "counts.h"
#include "manner.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)
#define BUFFER_BYTES (16 << 20)
#define HANDSHAKE_US 15000000

struct options {
  const char *host, *path, *room;
  int port, viewers, processes, rooms, rate, addresses, deflate, churn, seconds, pending;
  double stall;
  char **tokens, **texts;
  int ntokens, ntexts;
  enum way { SOCKETS, EVENTS, POLLS } http;
  int heed; /* polls: wait as long as the answer advises */
};
enum state { IDLE, CONNECTING, UPGRADING, OPEN };
struct viewer {
  int fd, index, joined, stalled;
  enum state state;
  int64_t since, epoch, next, tick, again;
  char cursor[48];
  char *rest, *out;
  size_t nrest, nout;
};

static struct options opt = {.host = "127.0.0.1", .path = "/v1/ws", .room = "room", .viewers = 1,
                             .processes = 1, .rooms = 1, .rate = 2000, .addresses = 4, .seconds = 600,
                             .pending = 256};
static struct shared *shared;
static struct stats *stats;
static struct viewer *viewers;
static int epoll, pending;
static char *buffer;

/* What the name of a viewer's room ends with: with several rooms `-<number>`, viewers in turn. */
static const char *room_end(const struct viewer *v) {
  static char end[16];
  if (opt.rooms == 1) return "";
  snprintf(end, sizeof end, "-%d", v->index % opt.rooms);
  return end;
}

static void watch(struct viewer *v, int op, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = v};
  epoll_ctl(epoll, op, v->fd, &event);
}

static void end_viewer(struct viewer *v, uint64_t *counter) {
  if (!v->joined) pending--;
  close(v->fd);
  free(v->rest);
  free(v->out);
  v->rest = v->out = NULL;
  v->nrest = v->nout = 0;
  v->state = IDLE;
  v->since = opt.churn ? 0 : -1;
  if (counter != NULL) ++*counter;
}

/* A churning load ends a connection the moment it has joined: a reset spares the port its wait. */
static void end_churned(struct viewer *v) {
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  end_viewer(v, NULL);
}

static void start_viewer(struct viewer *v) {
  int one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  struct sockaddr_in from = {.sin_family = AF_INET};
  inet_pton(AF_INET, opt.host, &to.sin_addr);
  from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(v->index % opt.addresses));
  v->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (v->fd < 0) { perror("socket"); stats->failed++; v->since = -1; return; }
  setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(v->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  v->state = CONNECTING;
  v->joined = v->stalled = 0;
  v->epoch = v->tick = -1;
  v->again = 0;
  v->cursor[0] = 0;
  v->next = 0;
  v->since = now_us();
  pending++;
  if (bind(v->fd, (void *)&from, sizeof from) < 0 ||
      (connect(v->fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
    end_viewer(v, &stats->failed);
    return;
  }
  watch(v, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Sends what fits; the rest waits for EPOLLOUT. A viewer with something waiting is not given more. */
static int send_bytes(struct viewer *v, const char *bytes, size_t n) {
  if (v->nout > 0) return 0;
  ssize_t sent = send(v->fd, bytes, n, MSG_NOSIGNAL);
  if (sent < 0) { if (errno != EAGAIN) return 0; sent = 0; }
  if ((size_t)sent == n) return 1;
  v->nout = n - (size_t)sent;
  v->out = malloc(v->nout);
  memcpy(v->out, bytes + sent, v->nout);
  watch(v, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  return 1;
}

/* A masked client frame; the mask is zero, which RFC 6455 allows and leaves the bytes as they are. */
static int send_frame(struct viewer *v, int opcode, const char *payload, size_t n) {
  char frame[4096];
  size_t head = n < 126 ? 6 : 8;
  if (head + n > sizeof frame) return 0;
  memset(frame, 0, head);
  frame[0] = (char)(0x80 | opcode);
  frame[1] = (char)(0x80 | (n < 126 ? n : 126));
  if (n >= 126) { frame[2] = (char)(n >> 8); frame[3] = (char)n; }
  memcpy(frame + head, payload, n);
  return send_bytes(v, frame, head + n);
}

static void ask_http(struct viewer *v);

/* The subprotocol this load asks for; empty for none. */
static const char *offered(void) {
  if (stamped.on) return manner.protocol;
  return opt.deflate ? "barrage.v1+deflate" : "barrage.v1+json";
}

static void writable(struct viewer *v) {
  if (v->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) { end_viewer(v, &stats->failed); return; }
    if (opt.http != SOCKETS) {
      v->state = opt.http == POLLS ? OPEN : UPGRADING;
      stats->opened += opt.http == POLLS;
      watch(v, EPOLL_CTL_MOD, EPOLLIN);
      ask_http(v);
      return;
    }
    char request[8192];
    const char *token = opt.ntokens > 0 ? opt.tokens[v->index % opt.ntokens] : NULL;
    int n = snprintf(request, sizeof request,
        "GET %s%s%s%s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "%s%s%s\r\n",
        opt.path, room_end(v), token ? "&token=" : "", token ? token : "", opt.host, opt.port,
        *offered() ? "Sec-WebSocket-Protocol: " : "", offered(), *offered() ? "\r\n" : "");
    v->state = UPGRADING;
    watch(v, EPOLL_CTL_MOD, EPOLLIN);
    send_bytes(v, request, (size_t)n);
    return;
  }
  ssize_t sent = send(v->fd, v->out, v->nout, MSG_NOSIGNAL);
  if (sent > 0) {
    v->nout -= (size_t)sent;
    memmove(v->out, v->out + sent, v->nout);
  }
  if (v->nout == 0) { free(v->out); v->out = NULL; watch(v, EPOLL_CTL_MOD, EPOLLIN); }
}

/* Keepable offsets must follow each other by one, but for those `from` on; droppable ticks must rise. */
static void check_order(struct viewer *v, const struct line *line) {
  if (!line->keep) {
    if (line->epoch == v->epoch && line->tick <= v->tick) stats->repeats++;
    v->tick = line->tick;
    v->epoch = line->epoch;
    return;
  }
  if (line->from > v->next) stats->gaps++;
  if (line->offset < v->next) stats->repeats++;
  v->next = line->offset + line->count;
}

static void take_joined(struct viewer *v) {
  if (v->joined) return;
  v->joined = 1;
  stats->joined++;
  pending--;
}

static void take_line(struct viewer *v, const struct line *line, int64_t at) {
  switch (line->kind) {
    case LINE_FRAME: check_order(v, line); break;
    case LINE_JOINED:
      take_joined(v);
      v->next = line->offset + 1;
      if (opt.stall > 0 && v->index % (int)(1 / opt.stall) == 0) v->stalled = 1;
      break;
    case LINE_VERDICT:
      stats->verdicts[line->verdict]++;
      if (line->id > 0) stats->answer[bucket_of(at - line->id)]++;
      break;
    case LINE_ANSWER: if (v->cursor[0] != 0 && !line->keep) stats->gaps++; break;
    case LINE_ERROR: stats->errors++; break;
  }
}

static void take_payload(struct viewer *v, const char *bytes, size_t n, int64_t at) {
  const struct payload *p = understand(bytes, n, opt.deflate, &stats->distinct);
  if (p == NULL) { stats->unread++; return; }
  for (uint32_t i = 0; i < p->nlines; i++) {
    take_line(v, &p->lines[i], at);
    if (p->lines[i].kind == LINE_ERROR && !opt.deflate && stats->errors == 1)
      fprintf(stderr, "viewers: %.*s\n", (int)(n > 300 ? 300 : n), bytes);
  }
  if (p->frames == 0) return;
  stats->flushes++;
  stats->frames += (uint64_t)p->frames;
  stats->deliveries += p->publications;
  for (uint32_t i = 0; i < p->nstamps; i++) stats->latency[bucket_of(at - p->stamps[i])]++;
}

#include "http.h"

/* Bytes of the frame at `at` when it is whole, 0 when more must be read. */
static size_t take_frame(struct viewer *v, const char *at, size_t have, int64_t when) {
  const unsigned char *b = (const unsigned char *)at;
  if (have < 2) return 0;
  size_t head = 2, n = b[1] & 127;
  if (n == 126) { if (have < 4) return 0; n = (size_t)b[2] << 8 | b[3]; head = 4; }
  else if (n == 127) {
    if (have < 10) return 0;
    n = 0;
    for (int i = 2; i < 10; i++) n = n << 8 | b[i];
    head = 10;
  }
  if (have < head + n) return 0;
  int opcode = b[0] & 15;
  if (opcode < 3) {
    const struct answer *answer = stamped.on ? answer_to(at + head, n) : NULL;
    if (answer != NULL) { stats->pings++; send_frame(v, answer->opcode, answer->with, answer->nwith); }
    else take_payload(v, at + head, n, when);
  }
  else if (opcode == 9) { stats->pings++; send_frame(v, 10, at + head, n); }
  return head + n;
}

/* What a foreign server wants to hear once the socket is open. */
static void greet(struct viewer *v) {
  if (!stamped.on) return;
  if (manner.ngreeting > 0) send_bytes(v, manner.greeting, manner.ngreeting);
  if (stamped.njoined == 0) take_joined(v);
}

static void readable(struct viewer *v) {
  if (v->nrest > 0) memcpy(buffer, v->rest, v->nrest);
  ssize_t got = recv(v->fd, buffer + v->nrest, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) { end_viewer(v, v->joined ? &stats->closed : &stats->failed); return; }
  int64_t at = now_us();
  size_t have = v->nrest + (size_t)got, used = 0, step;
  stats->bytes += (uint64_t)got;
  if (v->state == UPGRADING) {
    const char *end = find(buffer, buffer + have, "\r\n\r\n");
    if (end != NULL && memcmp(buffer, opt.http ? "HTTP/1.1 200" : "HTTP/1.1 101", 12) != 0) {
      if (stats->failed == 0) fprintf(stderr, "viewers: upgrade refused: %.60s\n", buffer);
      end_viewer(v, &stats->failed);
      return;
    }
    if (end != NULL) { used = (size_t)(end + 4 - buffer); v->state = OPEN; stats->opened++; greet(v); }
  }
  size_t (*take)(struct viewer *, const char *, size_t, int64_t) =
      opt.http == POLLS ? take_answer : opt.http == EVENTS ? take_chunk : take_frame;
  while (v->state == OPEN && (step = take(v, buffer + used, have - used, at)) > 0) used += step;
  if (opt.churn && v->joined) { end_churned(v); return; }
  if (v->stalled == 1) { v->stalled = 2; stats->stalled++; epoll_ctl(epoll, EPOLL_CTL_DEL, v->fd, NULL); }
  size_t rest = have - used;
  if (rest > BUFFER_BYTES - READ_BYTES) { end_viewer(v, &stats->failed); return; }
  free(v->rest);
  v->rest = rest > 0 ? malloc(rest) : NULL;
  if (rest > 0) memcpy(v->rest, buffer + used, rest);
  v->nrest = rest;
}
#endif
