/* Owns a viewer that comes over HTTP: server-sent events, or long polls one after the other on a kept
 * connection. What the events and answers mean is read by payload.h. Included by sockets.h, whose
 * connection it uses; knows neither pace nor standard input. */
#ifndef HTTP_H
#define HTTP_H

#define POLL_WAIT_MS 20000
/* The end of an answer, in which its cursor and advice are. */
#define TAIL_BYTES 256

/* The request of a viewer that just connected, or polls again. */
static void ask_http(struct viewer *v) {
  char request[4096], query[320] = "";
  const char *token = opt.ntokens > 0 ? opt.tokens[v->index % opt.ntokens] : NULL;
  if (opt.http == POLLS && v->cursor[0] != 0)
    snprintf(query, sizeof query, "?cursor=%s&waitMs=%d", v->cursor, POLL_WAIT_MS);
  int n = snprintf(request, sizeof request, "GET %s%s HTTP/1.1\r\nHost: %s:%d\r\n%s%s%s\r\n", opt.path,
      query, opt.host, opt.port, token ? "Authorization: Bearer " : "", token ? token : "",
      token ? "\r\n" : "");
  if (!send_bytes(v, request, (size_t)n)) stats->blocked++;
}

/* Those who were told to come back later do so when it is time. */
static void poll_again(int count, int64_t now) {
  for (int i = 0; i < count; i++) {
    struct viewer *v = &viewers[i];
    if (v->state != OPEN || v->again == 0 || v->again > now) continue;
    v->again = 0;
    ask_http(v);
  }
}

/* Bytes of the answer at `at` when it is whole, 0 when more must be read. */
static size_t take_answer(struct viewer *v, const char *at, size_t have, int64_t when) {
  const char *end = find(at, at + have, "\r\n\r\n");
  if (end == NULL) return 0;
  int64_t length = number_after(at, end, "Content-Length: ");
  const char *body = end + 4;
  if (length < 0 || memcmp(at, "HTTP/1.1 200", 12) != 0) {
    if (stats->errors++ == 0) fprintf(stderr, "viewers: poll refused: %.60s\n", at);
    return have;
  }
  if (at + have < body + length) return 0;
  take_payload(v, body, (size_t)length, when);
  take_joined(v);
  const char *stop = body + length, *tail = length > TAIL_BYTES ? stop - TAIL_BYTES : body;
  const char *cursor = find(tail, stop, "\"cursor\":\"");
  if (cursor == NULL) { stats->unread++; return (size_t)(stop - at); }
  size_t n = strcspn(cursor += 10, "\"");
  if (n < sizeof v->cursor) { memcpy(v->cursor, cursor, n); v->cursor[n] = 0; }
  if (opt.heed) v->again = when + 1000 * number_after(tail, stop, "\"pollAfterMs\":") + 1;
  else ask_http(v);
  return (size_t)(stop - at);
}

/* As take_answer for a chunk of an event stream; the service ends each with an event. What ends a chunk
 * may come with the next one only, and its data are there before. */
static size_t take_chunk(struct viewer *v, const char *at, size_t have, int64_t when) {
  size_t used = have >= 2 && memcmp(at, "\r\n", 2) == 0 ? 2 : 0;
  const char *line = find(at + used, at + have, "\r\n");
  if (line == NULL) return used;
  size_t n = strtoul(at + used, NULL, 16), head = (size_t)(line + 2 - at);
  if (have < head + n) return used;
  if (n >= 2 && memcmp(at + head + n - 2, "\n\n", 2) != 0) stats->unread++;
  take_payload(v, at + head, n, when);
  return head + n;
}
#endif
