/* Lines in, lines out: what load.c's head describes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "load.h"

Set sets[MAX_SETS];

/* The value of `key=` among the words of a command, or NULL. */
static const char *value(char **words, const char *key) {
  size_t length = strlen(key);
  for (; *words; words += 1) {
    if (strncmp(*words, key, length) == 0 && (*words)[length] == '=') return *words + length + 1;
  }
  return NULL;
}

static uint64_t number(char **words, const char *key, uint64_t otherwise) {
  const char *text = value(words, key);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

static int digit(char c) {
  return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* Hex up to `end` or to the text's end. */
static Bytes hex(const char *text, char end) {
  size_t length = 0;
  while (text && text[length] && text[length] != end) length += 1;
  Bytes result = {malloc(length / 2 + 1), length / 2};
  for (size_t index = 0; index < result.length; index += 1) {
    result.bytes[index] = digit(text[2 * index]) << 4 | digit(text[2 * index + 1]);
  }
  return result;
}

static Set *find(const char *name) {
  for (int index = 0; name && index < MAX_SETS; index += 1) {
    if (sets[index].used && strcmp(sets[index].name, name) == 0) return &sets[index];
  }
  return NULL;
}

void answerError(long id, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  printf("{\"id\":%ld,\"error\":\"", id);
  for (char *c = text; *c; c += 1) {
    if (*c == '"' || *c == '\\') printf("\\%c", *c);
    else if (*c == '\n') printf("\\n");
    else if (*c >= ' ' && *c < 127) putchar(*c);
  }
  printf("\"}\n");
}

static void printDelays(const char *name, const Delays *delays) {
  printf(",\"%s\":{\"count\":%llu,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f}", name,
         (unsigned long long)delays->count, delayAt(delays, 0.5), delayAt(delays, 0.99),
         (double)delays->max / 1e6);
}

void answerStats(long id, Set *set, uint64_t bursts) {
  uint64_t least = UINT64_MAX, most = 0;
  for (uint32_t index = 0; index < set->size; index += 1) {
    uint64_t events = set->connections[index].events;
    if (events < least) least = events;
    if (events > most) most = events;
  }
  printf("{\"id\":%ld,\"connections\":%u,\"closed\":%u,\"events\":%llu,\"least\":%llu,"
         "\"most\":%llu,"
         "\"bytes\":%llu,\"ms\":%.3f,\"cpuMs\":%.3f,\"idleMs\":%.3f,\"bursts\":%llu",
         id, set->size, set->closed, (unsigned long long)set->events, (unsigned long long)least,
         (unsigned long long)most, (unsigned long long)set->bytes,
         (double)(now() - set->since) / 1e6, (double)(cpu() - set->cpuSince) / 1e6,
         (double)(idle - set->idleSince) / 1e6, (unsigned long long)bursts);
  printDelays("delay", &set->delays);
  printDelays("first", &set->firstDelays);
  printf("}\n");
}

static void openSet(long id, char **words) {
  const char *name = value(words, "set"), *steps = value(words, "steps");
  Set *set = NULL;
  for (int index = 0; index < MAX_SETS && !set; index += 1) {
    if (!sets[index].used) set = &sets[index];
  }
  if (!name || !steps || find(name) || !set) die("open: no name, no steps, or a name again");
  memset(set, 0, sizeof *set);
  set->used = true;
  snprintf(set->name, sizeof set->name, "%s", name);
  set->port = (int)number(words, "port", 0);
  set->size = (uint32_t)number(words, "n", 1);
  set->parallel = (uint32_t)number(words, "parallel", 200);
  set->websocket = number(words, "ws", 0);
  set->digits = (int)number(words, "digits", 0);
  set->receiveBuffer = (int)number(words, "rcvbuf", 0);
  set->mark = hex(value(words, "mark"), ' ');
  if (set->mark.length + set->digits >= MAX_CARRY) die("open: the mark is too long");
  const char *reply = value(words, "reply");
  if (reply && strchr(reply, ':')) {
    set->replyTo = hex(reply, ':');
    set->reply = hex(strchr(reply, ':') + 1, ' ');
  }
  for (; steps && set->stepCount < MAX_STEPS; set->stepCount += 1) {
    const char *await = strchr(steps, ':');
    if (!await) die("open: a step is SEND:AWAIT");
    set->steps[set->stepCount].send = hex(steps, ':');
    set->steps[set->stepCount].await = hex(await + 1, ',');
    steps = strchr(await, ',');
    if (steps) steps += 1;
  }
  set->connections = calloc(set->size, sizeof *set->connections);
  for (uint32_t index = 0; index < set->size; index += 1) {
    set->connections[index].set = set;
    set->connections[index].index = index;
    set->connections[index].fd = -1;
  }
  zero(set);
  set->openId = id;
  openMore(set);
}

void answerOpened(Set *set) {
  if (set->openId == 0) return; /* it has failed */
  printf("{\"id\":%ld,\"connections\":%u,\"ms\":%.3f}\n", set->openId, set->size,
         (double)(now() - set->since) / 1e6);
  set->openId = 0;
}

static void pauseOrResume(long id, Set *set, bool reads, uint64_t n) {
  for (uint32_t index = 0; index < set->size && index < n; index += 1) {
    setReading(&set->connections[index], reads);
  }
  printf("{\"id\":%ld}\n", id);
}

static void closeIt(long id, Set *set) {
  closeSet(set);
  if (set->drive.fd) close(set->drive.fd);
  free(set->connections);
  free(set->mark.bytes);
  free(set->replyTo.bytes);
  free(set->reply.bytes);
  for (int step = 0; step < set->stepCount; step += 1) {
    free(set->steps[step].send.bytes);
    free(set->steps[step].await.bytes);
  }
  set->used = false;
  printf("{\"id\":%ld,\"closed\":%u}\n", id, set->size);
}

void command(char *line) {
  char *words[32] = {0};
  int count = 0;
  for (char *word = strtok(line, " "); word && count < 31; word = strtok(NULL, " ")) {
    words[count++] = word;
  }
  if (count < 2) die("a command is an id and a name");
  long id = strtol(words[0], NULL, 10);
  const char *name = words[1];
  if (strcmp(name, "open") == 0) return openSet(id, words);
  if (strcmp(name, "spin") == 0) {
    spinAlways = number(words, "on", 1);
    printf("{\"id\":%ld}\n", id);
    return;
  }
  Set *set = find(value(words, "set"));
  if (!set) return answerError(id, "no such set");
  if (strcmp(name, "wait") == 0) {
    bool byBytes = value(words, "bytes");
    uint64_t each = number(words, byBytes ? "bytes" : "events", 0);
    beginWait(set, id, each, byBytes, number(words, "timeout", 60000));
  } else if (strcmp(name, "drive") == 0) {
    startDrive(set, id, (int)number(words, "control", 0), number(words, "events", 1),
               number(words, "ms", 0), number(words, "spin", 0));
  } else if (strcmp(name, "zero") == 0) {
    set->first = (uint32_t)number(words, "first", 0);
    zero(set);
    printf("{\"id\":%ld}\n", id);
  } else if (strcmp(name, "stats") == 0) {
    answerStats(id, set, 0);
  } else if (strcmp(name, "pause") == 0 || strcmp(name, "resume") == 0) {
    pauseOrResume(id, set, name[0] == 'r', number(words, "n", UINT64_MAX));
  } else if (strcmp(name, "close") == 0) {
    closeIt(id, set);
  } else {
    answerError(id, "no such command: %s", name);
  }
}
