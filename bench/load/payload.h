/* Owns what one WebSocket payload means: its frame lines, publications, stamps, verdicts. Payloads
 * with frames are read once and remembered by hash and length, since all viewers of a slice get the
 * same bytes. Knows no socket. */
#ifndef PAYLOAD_H
#define PAYLOAD_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef WITHOUT_ZLIB
#include <zlib.h>
#endif

#define CACHE_SLOTS 8192
#define INFLATED_BYTES_MAX (16u << 20)

static const char *const VERDICTS[] = {
    "published", "merged",       "counted",    "sampled_out",  "shed",      "invalid", "too_large",
    "rate_limited", "slow_mode", "repeated", "muted",      "banned",       "blocked",   "forbidden", "frozen",
    "closed",    "not_joined",   "unknown_room", "overloaded", "unavailable", "other"};
#define VERDICT_COUNT ((int)(sizeof VERDICTS / sizeof *VERDICTS))

enum line_kind { LINE_FRAME, LINE_JOINED, LINE_VERDICT, LINE_ERROR, LINE_ANSWER };

struct line {
  enum line_kind kind;
  int keep;           /* frame: class keep; answer: recovered */
  int verdict;        /* verdict: index into VERDICTS */
  uint32_t count;     /* frame: publications */
  int64_t epoch, tick, offset, from, id;
};

/* One payload as read. `stamps` are the microseconds its publications were posted at. */
struct payload {
  uint64_t hash;
  size_t bytes;
  int frames;
  uint32_t publications, nlines, nstamps, lines_cap, stamps_cap;
  struct line *lines;
  int64_t *stamps;
};

/* Bytes a foreign server's answer to joining holds; set, every stamp counts as a publication. */
static struct { int on; const char *joined; size_t njoined; } stamped;

static void *grow(void *at, uint32_t *cap, uint32_t need, size_t size) {
  if (need <= *cap) return at;
  *cap = need < 16 ? 16 : need * 2;
  at = realloc(at, *cap * size);
  if (at == NULL) abort();
  return at;
}

static const char *find(const char *from, const char *end, const char *what) {
  return from < end ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

static int64_t number_after(const char *from, const char *end, const char *name) {
  const char *at = find(from, end, name);
  int64_t value = 0;
  if (at == NULL) return -1;
  for (at += strlen(name); at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (*at - '0');
  return value;
}

static int verdict_of(const char *from, const char *end) {
  const char *at = find(from, end, "\"verdict\":\"");
  if (at != NULL) {
    at += 11;
    for (int i = 0; i < VERDICT_COUNT - 1; i++) {
      size_t n = strlen(VERDICTS[i]);
      if (at + n < end && memcmp(at, VERDICTS[i], n) == 0 && at[n] == '"') return i;
    }
  }
  return VERDICT_COUNT - 1;
}

static void read_publications(struct payload *p, struct line *line, const char *from, const char *end) {
  /* A publication starts with its id after `[` or `,`; a user's id follows a colon. */
  for (const char *at = from; (at = find(at, end, "{\"id\":\"")) != NULL; at += 7)
    if (at[-1] == '[' || at[-1] == ',') line->count++;
  for (const char *at = from; (at = find(at, end, "\"bt\":")) != NULL; at += 5) {
    p->stamps = grow(p->stamps, &p->stamps_cap, p->nstamps + 1, sizeof *p->stamps);
    p->stamps[p->nstamps++] = number_after(at, end, "\"bt\":");
  }
  p->publications += line->count;
  p->frames++;
}

static void read_line(struct payload *p, const char *from, const char *end) {
  struct line line = {0};
  const char *head = end - from > 400 ? from + 400 : end;
  const char *list = find(from, head, "\"publications\":[");
  const char *stop = list != NULL ? list : head;
  if (find(from, from + 20 < end ? from + 20 : end, "{\"type\":\"") != from) return;
  const char *type = from + 9;
  if (end - type < 6) return;
  if (memcmp(type, "frame\"", 6) == 0) line.kind = LINE_FRAME;
  else if (memcmp(type, "joined", 6) == 0) line.kind = LINE_JOINED;
  else if (memcmp(type, "verdic", 6) == 0) line.kind = LINE_VERDICT;
  else if (memcmp(type, "error\"", 6) == 0) line.kind = LINE_ERROR;
  else if (memcmp(type, "public", 6) == 0) line.kind = LINE_ANSWER;
  else return;
  line.epoch = number_after(from, stop, "\"epoch\":");
  line.offset = number_after(from, stop, "\"offset\":");
  line.from = number_after(from, stop, "\"from\":");
  if (line.from < 0) line.from = line.offset;
  line.tick = number_after(from, stop, "\"tick\":");
  if (line.kind == LINE_VERDICT) {
    line.id = number_after(from, end, "\"id\":");
    line.verdict = verdict_of(from, end);
  } else if (line.kind == LINE_FRAME) {
    line.keep = find(from, stop, "\"class\":\"keep\"") != NULL;
    if (list != NULL) read_publications(p, &line, list, end);
  } else if (line.kind == LINE_ANSWER) {
    line.keep = find(from, stop, "\"recovered\":true") != NULL;
    if (list != NULL) read_publications(p, &line, list, end);
    if (line.count == 0) p->frames--;
  }
  p->lines = grow(p->lines, &p->lines_cap, p->nlines + 1, sizeof *p->lines);
  p->lines[p->nlines++] = line;
}

/* A payload of which nothing is known but the stamps in its publications. */
static void read_stamps(struct payload *p, const char *from, size_t bytes) {
  const char *end = from + bytes;
  for (const char *at = from; (at = find(at, end, "\"bt\":")) != NULL; at += 5) {
    p->stamps = grow(p->stamps, &p->stamps_cap, p->nstamps + 1, sizeof *p->stamps);
    p->stamps[p->nstamps++] = number_after(at, end, "\"bt\":");
  }
  p->publications = p->nstamps;
  p->frames = p->nstamps > 0;
  if (stamped.njoined == 0 || memmem(from, bytes, stamped.joined, stamped.njoined) == NULL) return;
  p->lines = grow(p->lines, &p->lines_cap, 1, sizeof *p->lines);
  p->lines[p->nlines++] = (struct line){.kind = LINE_JOINED};
}

static void read_lines(struct payload *p, const char *from, size_t bytes) {
  const char *end = from + bytes;
  p->publications = p->nlines = p->nstamps = 0;
  p->frames = 0;
  if (stamped.on) { read_stamps(p, from, bytes); return; }
  while (from < end) {
    const char *stop = memchr(from, '\n', (size_t)(end - from));
    if (stop == NULL) stop = end;
    /* Server-sent events have the line behind a name. */
    read_line(p, end - from > 6 && memcmp(from, "data: ", 6) == 0 ? from + 6 : from, stop);
    from = stop + 1;
  }
}

/* The text of a raw-deflate payload, NULL when it does not inflate. Overwritten by the next call. */
static const char *inflate_payload(const char *from, size_t bytes, size_t *out) {
#ifdef WITHOUT_ZLIB
  (void)from, (void)bytes, (void)out;
  return NULL;
#else
  static z_stream z;
  static char *text;
  if (text == NULL) {
    text = malloc(INFLATED_BYTES_MAX);
    if (text == NULL || inflateInit2(&z, -15) != Z_OK) abort();
  }
  inflateReset(&z);
  z.next_in = (Bytef *)from;
  z.avail_in = (uInt)bytes;
  z.next_out = (Bytef *)text;
  z.avail_out = INFLATED_BYTES_MAX;
  int end = inflate(&z, Z_SYNC_FLUSH);
  *out = INFLATED_BYTES_MAX - z.avail_out;
  return (end == Z_STREAM_END || end == Z_OK || end == Z_BUF_ERROR) && z.avail_in == 0 ? text : NULL;
#endif
}

static uint64_t hash_bytes(const char *at, size_t bytes) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ bytes, word;
  for (; bytes >= 8; at += 8, bytes -= 8) {
    memcpy(&word, at, 8);
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  for (word = 0; bytes > 0; bytes--) word = word << 8 | (unsigned char)at[bytes - 1];
  hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 29;
}

/* What a payload means; NULL when it is not text that can be read. Valid until the next call. */
static const struct payload *understand(const char *from, size_t bytes, int deflated, uint64_t *distinct) {
  static struct payload *cache[CACHE_SLOTS], spare;
  uint64_t hash = hash_bytes(from, bytes);
  struct payload **slot = &cache[hash % CACHE_SLOTS];
  if (*slot != NULL && (*slot)->hash == hash && (*slot)->bytes == bytes) return *slot;
  size_t text_bytes = bytes;
  const char *text = deflated ? inflate_payload(from, bytes, &text_bytes) : from;
  if (text == NULL) return NULL;
  read_lines(&spare, text, text_bytes);
  if (spare.frames == 0) return &spare;
  ++*distinct;
  struct payload *kept = *slot;
  if (kept == NULL && (kept = *slot = calloc(1, sizeof *kept)) == NULL) abort();
  struct payload swap = *kept;
  *kept = spare;
  spare = swap;
  kept->hash = hash;
  kept->bytes = bytes;
  return kept;
}
#endif
