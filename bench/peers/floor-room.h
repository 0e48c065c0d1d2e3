/* Owns the least a chatroom is: viewers are told that they are in, what one says becomes a publication
 * with an id, a time and its user, and its sender is told a verdict. Fields are looked for, not parsed:
 * nothing is validated, limited, logged or kept. Included by floor.c, whose sockets it uses. */
#ifndef FLOOR_ROOM_H
#define FLOOR_ROOM_H
#include <time.h>

#define SAID_BYTES_MAX 4096

static const char JOINED[] =
    "{\"type\":\"joined\",\"room\":\"room\",\"epoch\":1,\"offset\":0,\"publications\":[]}";

/* One short text frame, its head before it. */
static void tell_text(int fd, const char *text, size_t n) {
  char bytes[512];
  size_t head = n < 126 ? 2 : 4;
  if (head + n > sizeof bytes) return;
  bytes[0] = (char)0x81;
  bytes[1] = (char)(n < 126 ? n : 126);
  if (n >= 126) { bytes[2] = (char)(n >> 8); bytes[3] = (char)n; }
  memcpy(bytes + head, text, n);
  tell(fd, bytes, head + n);
}

static void tell_joined(int fd) { tell_text(fd, JOINED, sizeof JOINED - 1); }

/* Where the string or object at `from` ends, behind its last byte; `stop` when it does not. */
static const char *end_of(const char *from, const char *stop) {
  int depth = 0, in_text = 0;
  for (const char *at = from; at < stop; at++) {
    if (in_text && *at == '\\') at++;
    else if (*at == '"') in_text = !in_text;
    else if (!in_text && *at == '{') depth++;
    else if (!in_text && *at == '}') depth--;
    if (!in_text && depth == 0) return at + 1;
  }
  return stop;
}

static const char *value_of(const char *from, const char *stop, const char *name) {
  const char *at = memmem(from, (size_t)(stop - from), name, strlen(name));
  return at == NULL ? NULL : at + strlen(name);
}

/* What a viewer said, as viewers.c says it: type, room, id, text, data. */
static void hear(int fd, const char *said, size_t n) {
  static unsigned long long next = 1;
  const char *stop = said + n, *id = value_of(said, stop, "\"id\":");
  const char *text = value_of(said, stop, "\"text\":"), *data = value_of(said, stop, "\"data\":");
  char line[SAID_BYTES_MAX + 512], verdict[256];
  struct timespec now;
  if (id == NULL || text == NULL || data == NULL) return;
  clock_gettime(CLOCK_REALTIME, &now);
  int bytes = snprintf(line, sizeof line,
      "{\"id\":\"p%llu\",\"kind\":\"danmaku\",\"lane\":\"normal\",\"at\":%lld,\"user\":{\"id\":\"u%d\"},"
      "\"text\":%.*s,\"data\":%.*s}",
      next, now.tv_sec * 1000LL + now.tv_nsec / 1000000, fd, (int)(end_of(text, stop) - text), text,
      (int)(end_of(data, stop) - data), data);
  if (bytes < (int)sizeof line) take_line(line, (size_t)bytes);
  bytes = snprintf(verdict, sizeof verdict,
      "{\"type\":\"verdict\",\"room\":\"room\",\"id\":%lld,\"verdict\":\"published\",\"publication\":\"p%llu\"}",
      atoll(id), next++);
  tell_text(fd, verdict, (size_t)bytes);
}

/* Unmasks and hears the whole frames among `n` bytes; the answer is how many bytes they were, or `n`
 * and one more for a frame no viewer of the bench sends. */
static size_t hear_frames(int fd, unsigned char *from, size_t n) {
  size_t used = 0;
  for (;;) {
    unsigned char *at = from + used;
    size_t have = n - used, bytes, head = 6;
    if (have < 6) return used;
    bytes = at[1] & 127;
    if (bytes == 126) { if (have < 8) return used; bytes = (size_t)at[2] << 8 | at[3]; head = 8; }
    if (bytes > SAID_BYTES_MAX) return n + 1;
    if (have < head + bytes) return used;
    for (size_t i = 0; i < bytes; i++) at[head + i] ^= at[head - 4 + (i & 3)];
    if ((at[0] & 15) == 1) hear(fd, (char *)at + head, bytes);
    used += head + bytes;
    if (sockets[fd].kind != VIEWER) return used;
  }
}
#endif
