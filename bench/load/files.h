/* Owns what CDN viewers read: manifests and segments are the same bytes for all, so each is unpacked
 * once and then shared. Counts times in bins of a millisecond. Knows no socket. */
#pragma once
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

#define BYTES_MAX (1 << 20)
#define BINS 60000
#define MANIFESTS 64
#define SEGMENTS 256
#define ENTRIES_MAX 128
#define LINES_MAX 4096

struct manifest {
  char modified[40];
  char *raw;
  int raw_length, count;
  int64_t at;
  int sequences[ENTRIES_MAX];
};
struct segment { int sequence, count; char name[128]; int64_t *ats; };

static struct manifest manifests[MANIFESTS];
static struct segment segments[SEGMENTS];
static int newest_manifest = -1;

static void bin(uint32_t *bins, double ms) {
  bins[ms < 0 ? 0 : ms >= BINS ? BINS - 1 : (int)ms]++;
}

static int quantile(const uint32_t *bins, double share) {
  uint64_t total = 0, sum = 0;
  for (int i = 0; i < BINS; i++) total += bins[i];
  for (int i = 0; i < BINS; i++) if ((sum += bins[i]) >= (uint64_t)((double)total * share) && sum > 0) return i;
  return 0;
}

static struct manifest *files_manifest(int version) { return &manifests[version % MANIFESTS]; }
static struct segment *files_segment(int sequence) { return &segments[sequence % SEGMENTS]; }

/* Text of a body, ended by 0; valid until the next call. */
static const char *unpack(const char *body, int length) {
  static char text[4 * BYTES_MAX + 1];
  z_stream z = {.next_in = (Bytef *)body, .avail_in = (uInt)length};
  z.next_out = (Bytef *)text;
  z.avail_out = sizeof text - 1;
  if (length < 2 || (unsigned char)body[0] != 0x1f) {
    memcpy(text, body, (size_t)length);
    text[length] = 0;
    return text;
  }
  inflateInit2(&z, 31);
  inflate(&z, Z_FINISH);
  text[z.total_out] = 0;
  inflateEnd(&z);
  return text;
}

static void read_entries(struct manifest *m, const char *text) {
  const char *at = strstr(text, "\"at\":");
  m->at = at ? atoll(at + 5) : 0;
  m->count = 0;
  for (const char *p = text; m->count < ENTRIES_MAX && (p = strstr(p, "\"sequence\":")); p++) {
    int sequence = atoi(p + 11);
    const char *name = strstr(p, "\"name\":\"");
    if (name == NULL) return;
    struct segment *s = files_segment(sequence);
    if (s->sequence != sequence) {
      free(s->ats);
      *s = (struct segment){.sequence = sequence};
    }
    sscanf(name + 8, "%127[^\"]", s->name);
    m->sequences[m->count++] = sequence;
  }
}

/* Its version: the same bytes have the same. */
static int files_read_manifest(const char *head, const char *body, int length) {
  for (int v = newest_manifest; v >= 0 && v > newest_manifest - 4; v--) {
    struct manifest *m = files_manifest(v);
    if (m->raw_length == length && memcmp(m->raw, body, (size_t)length) == 0) return v;
  }
  struct manifest *m = files_manifest(++newest_manifest);
  m->raw = realloc(m->raw, (size_t)length);
  memcpy(m->raw, body, (size_t)length);
  m->raw_length = length;
  m->modified[0] = 0;
  const char *modified = strcasestr(head, "\r\nlast-modified: ");
  if (modified && modified < body) sscanf(modified + 17, "%39[^\r]", m->modified);
  read_entries(m, unpack(body, length));
  return newest_manifest;
}

static void files_read_segment(struct segment *s, const char *body, int length) {
  static int64_t ats[LINES_MAX];
  if (s->ats != NULL) return;
  for (const char *p = unpack(body, length); s->count < LINES_MAX && (p = strstr(p, "\"at\":")); p++) {
    ats[s->count++] = atoll(p + 5);
  }
  s->ats = malloc(sizeof *ats * (size_t)(s->count + 1));
  memcpy(s->ats, ats, sizeof *ats * (size_t)s->count);
}
