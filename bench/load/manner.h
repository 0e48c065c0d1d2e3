/* Owns how a viewer gets into a room of a foreign server: a file of lines, bytes in hexadecimal.
 *   protocol <name>                the subprotocol to ask for
 *   greet <opcode> <hex>           a frame to send once the socket is open, in order
 *   joined <hex>                   bytes in the payload that says one is in; without it, open is in
 *   answer <hex> <opcode> <hex>    the frame to send when a payload is exactly this
 * Publications are counted by the stamps in them, whatever is around. Knows no socket. */
#ifndef MANNER_H
#define MANNER_H
#include "payload.h"

#define GREETING_BYTES_MAX 1024
#define ANSWERS_MAX 4

struct answer { char *to, *with; size_t nto, nwith; int opcode; };
static struct {
  const char *protocol;
  char greeting[GREETING_BYTES_MAX];
  size_t ngreeting;
  struct answer answers[ANSWERS_MAX];
  int nanswers;
} manner = {.protocol = ""};

static void bad_manner(const char *line) {
  fprintf(stderr, "viewers: --manner: cannot read: %s\n", line);
  exit(2);
}

static char *bytes_of(const char *hex, size_t *n) {
  *n = strlen(hex) / 2;
  char *bytes = malloc(*n + 1);
  if (bytes == NULL) abort();
  for (size_t i = 0; i < *n; i++) {
    unsigned one;
    if (sscanf(hex + 2 * i, "%2x", &one) != 1) bad_manner(hex);
    bytes[i] = (char)one;
  }
  return bytes;
}

/* Appends a masked frame (mask zero) of less than 126 bytes to the greeting. */
static void add_greeting(int opcode, const char *hex) {
  size_t n;
  char *bytes = bytes_of(hex, &n), *at = manner.greeting + manner.ngreeting;
  if (n > 125 || manner.ngreeting + n + 6 > GREETING_BYTES_MAX) bad_manner(hex);
  memset(at, 0, 6);
  at[0] = (char)(0x80 | opcode);
  at[1] = (char)(0x80 | n);
  memcpy(at + 6, bytes, n);
  manner.ngreeting += n + 6;
  free(bytes);
}

static void read_manner_line(char *line) {
  char word[16], first[2048] = "", second[2048] = "";
  int opcode;
  if (sscanf(line, "protocol %2047s", first) == 1) manner.protocol = strdup(first);
  else if (sscanf(line, "greet %d %2047s", &opcode, first) == 2) add_greeting(opcode, first);
  else if (sscanf(line, "joined %2047s", first) == 1) stamped.joined = bytes_of(first, &stamped.njoined);
  else if (sscanf(line, "answer %2047s %d %2047s", first, &opcode, second) == 3) {
    if (manner.nanswers == ANSWERS_MAX) bad_manner(line);
    struct answer *answer = &manner.answers[manner.nanswers++];
    answer->opcode = opcode;
    answer->to = bytes_of(first, &answer->nto);
    answer->with = bytes_of(second, &answer->nwith);
  } else if (sscanf(line, "%15s", word) == 1) bad_manner(line);
}

static void read_manner(const char *path) {
  FILE *file = fopen(path, "r");
  char line[4200];
  if (file == NULL) { perror(path); exit(2); }
  while (fgets(line, sizeof line, file) != NULL) read_manner_line(line);
  fclose(file);
  stamped.on = 1;
}

static const struct answer *answer_to(const char *payload, size_t n) {
  for (int i = 0; i < manner.nanswers; i++) {
    const struct answer *one = &manner.answers[i];
    if (n == one->nto && memcmp(payload, one->to, n) == 0) return one;
  }
  return NULL;
}
#endif
