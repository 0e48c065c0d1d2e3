/* The floor: the least a server on one thread can spend on telling all viewers the same. epoll, the
 * WebSocket handshake (RFC 6455), and one write of the same prepared bytes to every socket. Lines come
 * in on a second port and are sent one by one, or collected into one frame every so many milliseconds.
 * As a room (floor-room.h) lines are what viewers say, and each sender is told a verdict.
 * Build: cc -O2 -o floor floor.c     Run: floor <port> <feed port> <batch ms, 0 for none> [room] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SOCKETS_MAX 65536
#define READ_BYTES 65536
/* A viewer that leaves more than this unread is closed. */
#define UNSENT_BYTES_MAX (1 << 20)

enum kind { NONE, VIEWERS, FEEDS, TICK, NEWCOMER, VIEWER, FEED };
/* What waits to be sent, or of one who is no viewer yet to be read; `said` is an unfinished frame. */
struct socket { enum kind kind; char *held, *said; size_t nheld, nsaid; };
struct bytes { char *at; size_t n, cap; };

static struct socket sockets[SOCKETS_MAX];
static int epoll, highest, batch_ms, is_room;
static struct bytes list, frame;

static uint32_t turn(uint32_t x, int by) { return x << by | x >> (32 - by); }

/* SHA-1 (FIPS 180-4) of less than 120 bytes, as the handshake needs it. */
static void sha1(const char *text, size_t n, unsigned char out[20]) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
  unsigned char block[128] = {0};
  size_t blocks = n < 56 ? 1 : 2;
  memcpy(block, text, n);
  block[n] = 0x80;
  block[blocks * 64 - 2] = (unsigned char)(n * 8 >> 8);
  block[blocks * 64 - 1] = (unsigned char)(n * 8);
  for (size_t b = 0; b < blocks; b++) {
    for (int i = 0; i < 16; i++) {
      const unsigned char *at = block + b * 64 + i * 4;
      w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 80; i++) w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], p = h[1], q = h[2], r = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f, k;
      if (i < 20) f = (p & q) | (~p & r), k = 0x5a827999;
      else if (i < 40) f = p ^ q ^ r, k = 0x6ed9eba1;
      else if (i < 60) f = (p & q) | (p & r) | (q & r), k = 0x8f1bbcdc;
      else f = p ^ q ^ r, k = 0xca62c1d6;
      uint32_t next = turn(a, 5) + f + e + k + w[i];
      e = r, r = q, q = turn(p, 30), p = a, a = next;
    }
    h[0] += a, h[1] += p, h[2] += q, h[3] += r, h[4] += e;
  }
  for (int i = 0; i < 20; i++) out[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const unsigned char *from, size_t n, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    uint32_t three = (uint32_t)from[i] << 16 | (i + 1 < n ? (uint32_t)from[i + 1] << 8 : 0) |
                     (i + 2 < n ? from[i + 2] : 0);
    *out++ = digits[three >> 18];
    *out++ = digits[three >> 12 & 63];
    *out++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
    *out++ = i + 2 < n ? digits[three & 63] : '=';
  }
  *out = 0;
}

static void append(struct bytes *to, const char *from, size_t n) {
  if (to->n + n > to->cap) {
    to->cap = (to->n + n) * 2;
    if ((to->at = realloc(to->at, to->cap)) == NULL) abort();
  }
  memcpy(to->at + to->n, from, n);
  to->n += n;
}

static void watch(int fd, int op, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, op, fd, &event);
}

static void end(int fd) {
  free(sockets[fd].held);
  free(sockets[fd].said);
  sockets[fd] = (struct socket){0};
  close(fd);
}

/* Keeps what the socket did not take. */
static void hold(int fd, const char *from, size_t n) {
  struct socket *s = &sockets[fd];
  if (s->nheld + n > UNSENT_BYTES_MAX) { end(fd); return; }
  if (s->nheld == 0) watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  if ((s->held = realloc(s->held, s->nheld + n)) == NULL) abort();
  memcpy(s->held + s->nheld, from, n);
  s->nheld += n;
}

static void tell(int fd, const char *from, size_t n) {
  if (sockets[fd].nheld > 0) { hold(fd, from, n); return; }
  ssize_t sent = send(fd, from, n, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) { end(fd); return; }
  if (sent < 0) sent = 0;
  if ((size_t)sent < n) hold(fd, from + sent, n - (size_t)sent);
}

static void tell_held(int fd) {
  struct socket *s = &sockets[fd];
  ssize_t sent = send(fd, s->held, s->nheld, MSG_NOSIGNAL);
  if (sent < 0) { if (errno != EAGAIN) end(fd); return; }
  s->nheld -= (size_t)sent;
  memmove(s->held, s->held + sent, s->nheld);
  if (s->nheld > 0) return;
  free(s->held);
  s->held = NULL;
  watch(fd, EPOLL_CTL_MOD, EPOLLIN);
}

/* One text frame of `head`, `text` and `tail`, built once, to every viewer. */
static void tell_all(const char *head, const char *text, size_t n, const char *tail) {
  size_t all = strlen(head) + n + strlen(tail);
  unsigned char start[10] = {0x81};
  size_t nstart = all < 126 ? 2 : all < 65536 ? 4 : 10;
  start[1] = (unsigned char)(all < 126 ? all : all < 65536 ? 126 : 127);
  for (size_t i = 2; i < nstart; i++) start[i] = (unsigned char)((uint64_t)all >> (nstart - 1 - i) * 8);
  frame.n = 0;
  append(&frame, (char *)start, nstart);
  append(&frame, head, strlen(head));
  append(&frame, text, n);
  append(&frame, tail, strlen(tail));
  for (int fd = 0; fd <= highest; fd++)
    if (sockets[fd].kind == VIEWER) tell(fd, frame.at, frame.n);
}

static void take_line(const char *line, size_t n) {
  if (n == 0) return;
  if (batch_ms == 0) { tell_all("", line, n, ""); return; }
  if (list.n > 0) append(&list, ",", 1);
  append(&list, line, n);
}

static void tick(int fd) {
  uint64_t times;
  if (read(fd, &times, sizeof times) < 0 || list.n == 0) return;
  static long long frames;
  char head[160];
  snprintf(head, sizeof head, is_room
      ? "{\"type\":\"frame\",\"room\":\"room\",\"class\":\"drop\",\"epoch\":1,\"tick\":%lld,\"online\":0,"
        "\"publications\":["
      : "{\"type\":\"frame\",\"publications\":[", ++frames);
  tell_all(head, list.at, list.n, "]}");
  list.n = 0;
}

#include "floor-room.h"

static void upgrade(int fd, const char *request) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const char *key = strcasestr(request, "\r\nSec-WebSocket-Key:");
  char text[128], answer[256], proof[32];
  unsigned char digest[20];
  if (key == NULL) { end(fd); return; }
  for (key += 20; *key == ' ';) key++;
  int n = snprintf(text, sizeof text, "%.*s%s", (int)strcspn(key, " \r"), key, guid);
  if (n >= 100) { end(fd); return; }
  sha1(text, (size_t)n, digest);
  base64(digest, 20, proof);
  n = snprintf(answer, sizeof answer,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: %s\r\n\r\n", proof);
  sockets[fd].kind = VIEWER;
  tell(fd, answer, (size_t)n);
  if (is_room && sockets[fd].kind == VIEWER) tell_joined(fd);
}

/* `bytes` has room for what was left of the last frame before the `got` bytes that came. */
static void viewer_said(int fd, char *bytes, size_t got) {
  struct socket *s = &sockets[fd];
  size_t n = s->nsaid + got, used = hear_frames(fd, (unsigned char *)bytes, n);
  if (s->kind != VIEWER) return;
  free(s->said);
  s->said = NULL;
  s->nsaid = 0;
  if (used > n) { end(fd); return; }
  if (used == n) return;
  s->nsaid = n - used;
  if ((s->said = malloc(s->nsaid)) == NULL) abort();
  memcpy(s->said, bytes + used, s->nsaid);
}

/* Joins what is held of an unfinished line, request or frame to what came. Without a room, what a
 * viewer says is let go. */
static void readable(int fd) {
  static char buffer[READ_BYTES * 2 + 1];
  struct socket *s = &sockets[fd];
  size_t held = s->kind == VIEWER ? 0 : s->nheld;
  if (held > 0) memcpy(buffer, s->held, held);
  if (s->kind == VIEWER && (held = s->nsaid) > 0) memcpy(buffer, s->said, held);
  ssize_t got = recv(fd, buffer + held, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || held > READ_BYTES) { end(fd); return; }
  if (s->kind == VIEWER) {
    if (is_room) viewer_said(fd, buffer, (size_t)got);
    return;
  }
  char *from = buffer, *stop = buffer + held + got, *line;
  *stop = 0;
  free(s->held);
  s->held = NULL;
  s->nheld = 0;
  if (s->kind == NEWCOMER && strstr(buffer, "\r\n\r\n") != NULL) { upgrade(fd, buffer); return; }
  while (s->kind == FEED && (line = memchr(from, '\n', (size_t)(stop - from))) != NULL) {
    take_line(from, (size_t)(line - from));
    from = line + 1;
  }
  if (from == stop) return;
  s->nheld = (size_t)(stop - from);
  if ((s->held = malloc(s->nheld)) == NULL) abort();
  memcpy(s->held, from, s->nheld);
}

static void admit(int listener, enum kind kind) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= SOCKETS_MAX) { close(fd); continue; }
    if (fd > highest) highest = fd;
    sockets[fd] = (struct socket){.kind = kind};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void listen_on(int port, enum kind kind) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) { perror("floor: listen"); exit(1); }
  sockets[fd].kind = kind;
  watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void handle(int fd, uint32_t events) {
  switch (sockets[fd].kind) {
    case NONE: break;
    case VIEWERS: admit(fd, NEWCOMER); break;
    case FEEDS: admit(fd, FEED); break;
    case TICK: tick(fd); break;
    default:
      if (events & EPOLLOUT && sockets[fd].nheld > 0) tell_held(fd);
      if (sockets[fd].kind != NONE && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(fd);
  }
}

int main(int argc, char **argv) {
  struct epoll_event events[1024];
  struct rlimit files;
  if (argc != 4 && argc != 5) {
    fprintf(stderr, "usage: floor <port> <feed port> <batch ms> [room]\n");
    return 2;
  }
  is_room = argc == 5;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(0);
  batch_ms = atoi(argv[3]);
  listen_on(atoi(argv[1]), VIEWERS);
  if (batch_ms > 0) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct timespec every = {batch_ms / 1000, batch_ms % 1000 * 1000000L};
    timerfd_settime(timer, 0, &(struct itimerspec){.it_interval = every, .it_value = every}, NULL);
    sockets[timer].kind = TICK;
    watch(timer, EPOLL_CTL_ADD, EPOLLIN);
  }
  listen_on(atoi(argv[2]), FEEDS);
  for (;;) {
    int n = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < n; i++) handle(events[i].data.fd, events[i].events);
  }
}
