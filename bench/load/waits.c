/* What waits for events: `wait`, and the closed loop of `drive`. Both are about a whole set. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "load.h"

static const uint64_t STALLED = 60000000000; /* a burst that takes a minute never ends */

void zero(Set *set) {
  for (uint32_t index = 0; index < set->size; index += 1) {
    set->connections[index].events = set->connections[index].bytes = 0;
  }
  set->events = set->bytes = 0;
  set->since = now();
  set->cpuSince = cpu();
  set->idleSince = idle;
  memset(&set->delays, 0, sizeof set->delays);
  memset(&set->firstDelays, 0, sizeof set->firstDelays);
}

static uint64_t had(const Connection *connection, bool bytes) {
  return bytes ? connection->bytes : connection->events;
}

static void checkWait(Set *set) {
  if (!set->wait.active || set->wait.reached < set->size) return;
  set->wait.active = false;
  answerStats(set->wait.id, set, 0);
}

void beginWait(Set *set, long id, uint64_t each, bool byBytes, uint64_t timeoutMs) {
  if (set->wait.active || set->drive.active) return answerError(id, "somebody waits already");
  set->wait = (Wait){.active = true, .id = id, .each = each, .byBytes = byBytes};
  set->wait.deadline = now() + timeoutMs * 1000000;
  for (uint32_t index = 0; index < set->size; index += 1) {
    if (had(&set->connections[index], byBytes) >= each) set->wait.reached += 1;
  }
  checkWait(set);
}

/* One more burst, please. */
static void askForBurst(Set *set) {
  set->wait.reached = 0;
  set->wait.each = (set->drive.bursts + 1) * set->drive.events;
  set->wait.deadline = now() + STALLED;
  if (send(set->drive.fd, "b", 1, MSG_NOSIGNAL) != 1) die("the control connection is gone");
}

void startDrive(Set *set, long id, int port, uint64_t events, uint64_t ms, bool spin) {
  if (set->wait.active || set->drive.active) return answerError(id, "somebody waits already");
  if (set->through < set->size || set->closed > 0) return answerError(id, "not all are open");
  Drive *drive = &set->drive;
  if (drive->fd == 0) {
    drive->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(drive->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(drive->fd, (struct sockaddr *)&to, sizeof to) < 0) die("control: %m");
  }
  zero(set);
  *drive = (Drive){.active = true, .spin = spin, .id = id, .fd = drive->fd, .events = events};
  drive->until = now() + ms * 1000000;
  set->wait.byBytes = false;
  askForBurst(set);
}

static void burstArrived(Set *set) {
  Drive *drive = &set->drive;
  drive->bursts += 1;
  uint64_t expected = drive->bursts * drive->events * set->size;
  if (set->events != expected) {
    drive->active = false;
    answerError(drive->id, "%llu events arrived, and %llu were published for these connections",
                (unsigned long long)set->events, (unsigned long long)expected);
  } else if (now() < drive->until) {
    askForBurst(set);
  } else {
    drive->active = false;
    answerStats(drive->id, set, drive->bursts);
  }
}

void arrived(Set *set, uint64_t before, uint64_t after, bool bytes) {
  bool waited = set->wait.active || set->drive.active;
  if (!waited || set->wait.byBytes != bytes) return;
  if (before >= set->wait.each || after < set->wait.each) return;
  set->wait.reached += 1;
  if (set->drive.active && set->wait.reached == set->size) burstArrived(set);
  else checkWait(set);
}

static void failAll(Set *set, const char *why) {
  long ids[] = {set->openId, set->wait.active ? set->wait.id : 0,
                set->drive.active ? set->drive.id : 0};
  set->openId = 0;
  set->wait.active = set->drive.active = false;
  for (int index = 0; index < 3; index += 1) {
    if (ids[index]) answerError(ids[index], "%s", why);
  }
}

void lost(Set *set, Connection *connection, const char *said, size_t length) {
  char why[600];
  int shown = length > 400 ? 400 : (int)length;
  snprintf(why, sizeof why, "connection %u of %s ended: %.*s", connection->index, set->name, shown,
           said ? said : "");
  failAll(set, why);
}

static void checkDeadline(Set *set) {
  if (!(set->wait.active || set->drive.active) || now() < set->wait.deadline) return;
  char why[200];
  snprintf(why, sizeof why, "timeout: %u of %u connections of %.31s have had %llu %s",
           set->wait.reached, set->size, set->name, (unsigned long long)set->wait.each,
           set->wait.byBytes ? "bytes" : "events");
  failAll(set, why);
}

void checkDeadlines(void) {
  for (int index = 0; index < MAX_SETS; index += 1) {
    if (sets[index].used) checkDeadline(&sets[index]);
  }
}

bool anySpinning(void) {
  for (int index = 0; index < MAX_SETS; index += 1) {
    if (sets[index].drive.active && sets[index].drive.spin) return true;
  }
  return false;
}
