/*
 * The load: up to tens of thousands of connections in one thread with epoll, so cheap that the
 * server is what is measured. Driven over stdin and stdout, a command a line and an answer a line:
 *
 *     <id> <command> [key=value …]
 *     {"id":<id>,…}   or   {"id":<id>,"error":"…"}
 *
 * Commands run side by side and are answered as they are done, each under its id. Connections come
 * in sets, named by their opener. Bytes are written in hex.
 *
 * open set=S port=P n=N steps=SEND:AWAIT[,SEND:AWAIT…] [parallel=200]
 *      [ws=1] [reply=TEXT:BYTES] [mark=HEX] [digits=D] [rcvbuf=BYTES]
 *   Opens N connections to 127.0.0.1:P. Each goes through its steps: sends SEND, then waits until the
 *   bytes AWAIT have come (either may be empty). Answered when all of them are through:
 *   {"connections":N,"ms":…}. At most `parallel` are on their way at once; parallel=N: all.
 *   ws=1: what follows the first step's AWAIT (which is then 0d0a0d0a) is WebSocket frames; pings
 *   are answered. A text frame that is exactly TEXT is answered with BYTES (engine.io's ping).
 *   mark: the bytes that every event carries once. They are searched in the raw stream after the
 *   last step, so they must be longer than a frame's header can pretend (5 or more). digits: how
 *   many decimal digits follow at once; they are the time of publishing, CLOCK_MONOTONIC in
 *   nanoseconds (Node's process.hrtime.bigint()), and give the delays.
 * wait set=S events=K|bytes=B [timeout=MS]
 *   Answered as `stats` is, once each connection of the set has had K events (or B bytes) since the
 *   last `zero` (or `open`). May be sent while the set is still being opened: that is how the
 *   joining of many is timed. It fails after `timeout` (60,000).
 * drive set=S control=P events=K ms=MS [spin=1]
 *   The closed loop: writes one byte to 127.0.0.1:P, waits until each connection has had K more
 *   events, and again, until MS have passed. Answered as `stats`, of the drive alone, with
 *   "bursts":B. Fails when more events have come than were asked for. spin=1: it never sleeps
 *   meanwhile (waking it is paid by the server).
 * spin on=0|1            The same for all that follows.
 * zero set=S [first=M]
 *   Counts, bytes, delays and times begin anew. The first M connections get delays of their own.
 * stats set=S
 *   {"connections":N,"closed":C,"events":E,"least":L,"most":M,"bytes":B,"ms":T,"cpuMs":U,
 *   "idleMs":I,"delay":{"count","p50","p99","max"},"first":{…the same}}. Events of all connections,
 *   of the one with the fewest and with the most; milliseconds since the last `zero`, of them this
 *   process's CPU, and how long it waited for something to come (spinning or asleep): its load is
 *   1 - idleMs / ms. Delays are in milliseconds.
 * pause set=S [n=M]      The first M (all of them) stop reading, and read no byte until
 * resume set=S           they all read again.
 * close set=S            Closes them. {"closed":N}
 *
 * A connection that the server ends while its set is being opened, waited for or driven fails that
 * command, with what the server said last. Later it is only counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "load.h"

enum { BATCH = 1024, LONGEST_LINE = 1 << 16, TICK_MS = 100 };

int epoll;
bool spinAlways;
uint64_t idle;

static char line[LONGEST_LINE];
static size_t lineLength;

/* What comes in `events` for standard input; connections have their own address. */
static char standardInput;

uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

_Noreturn void die(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  exit(1);
}

/* It ends with whoever drives it. */
static void readCommands(void) {
  ssize_t length = read(STDIN_FILENO, line + lineLength, sizeof line - 1 - lineLength);
  if (length <= 0) exit(0);
  lineLength += length;
  line[lineLength] = 0;
  char *begin = line, *end;
  while ((end = strchr(begin, '\n'))) {
    *end = 0;
    command(begin);
    begin = end + 1;
  }
  lineLength -= begin - line;
  memmove(line, begin, lineLength);
  if (lineLength == sizeof line - 1) die("a line is too long");
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = &standardInput};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0) die("stdin: %m");
  setvbuf(stdout, NULL, _IOLBF, 1 << 16);

  struct epoll_event events[BATCH];
  for (uint64_t ticked = now();;) {
    bool spin = spinAlways || anySpinning();
    uint64_t before = now();
    int count = epoll_wait(epoll, events, BATCH, spin ? 0 : TICK_MS);
    if (count < 0 && errno != EINTR) die("epoll_wait: %m");
    uint64_t after = now();
    if (count <= 0 || !spin) idle += after - before;
    bool commands = false;
    for (int index = 0; index < count; index += 1) {
      if (events[index].data.ptr == &standardInput) commands = true;
      else onReady(events[index].data.ptr, events[index].events);
    }
    if (commands) readCommands(); /* last: it may free connections */
    if (after - ticked > TICK_MS * 1000000ull) {
      ticked = after;
      checkDeadlines();
    }
  }
}
