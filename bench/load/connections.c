/* Connections: opened a few at a time, taken through their steps, then read and searched. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "load.h"

enum { READ = 256 * 1024, PORTS_PER_ADDRESS = 20000 };

static unsigned char buffer[MAX_CARRY + MAX_HEAD + READ];
static uint64_t opened; /* by this process, ever */

static void begin(Connection *connection) {
  Set *set = connection->set;
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) die("no socket: %s (ulimit -n is too low?)", strerror(errno));
  if (set->receiveBuffer > 0) {
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &set->receiveBuffer, sizeof(int));
  }
  /* A new source address when the ports of one run short; the whole of 127.0.0.0/8 is ours. */
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(opened++ / PORTS_PER_ADDRESS % 100));
  int on = 1; /* the port is chosen when the destination is known */
  setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(connection->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind: %m");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(set->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    lost(set, connection, strerror(errno), strlen(strerror(errno)));
    return;
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) die("epoll_ctl: %m");
}

void openMore(Set *set) {
  while (set->begun < set->size && set->begun - set->through < set->parallel) {
    begin(&set->connections[set->begun++]);
  }
}

void setReading(Connection *connection, bool reads) {
  if (connection->closed) return;
  connection->paused = !reads;
  struct epoll_event event = {.events = reads ? EPOLLIN : 0, .data.ptr = connection};
  epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* What is sent is small, and the socket's buffer is empty: it takes all of it or is gone. */
void sendAll(Connection *connection, const unsigned char *bytes, size_t length) {
  if (length > 0 && send(connection->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length &&
      errno == EAGAIN) {
    die("the server does not read what it is sent");
  }
}

static void gone(Connection *connection) {
  close(connection->fd);
  connection->closed = true;
  connection->set->closed += 1;
  lost(connection->set, connection, (char *)connection->head, connection->headLength);
  free(connection->head);
  connection->head = NULL;
}

/* Counts the markers in what is new, together with what may be the beginning of one before it. */
static void search(Connection *connection, unsigned char *bytes, size_t length, uint64_t arrival) {
  Set *set = connection->set;
  if (set->mark.length == 0) return;
  unsigned char *at = bytes - connection->carryLength, *end = bytes + length;
  memcpy(at, connection->carry, connection->carryLength);
  uint64_t before = connection->events;
  for (;;) {
    unsigned char *found = memmem(at, end - at, set->mark.bytes, set->mark.length);
    if (!found) break;
    unsigned char *digits = found + set->mark.length;
    if (end - digits < set->digits) {
      at = found; /* the time is not all here yet */
      break;
    }
    at = digits + set->digits;
    connection->events += 1;
    if (set->digits == 0) continue;
    uint64_t sent = 0;
    for (; digits < at; digits += 1) sent = sent * 10 + (*digits - '0');
    uint64_t delay = arrival > sent ? arrival - sent : 0;
    addDelay(&set->delays, delay);
    if (connection->index < set->first) addDelay(&set->firstDelays, delay);
  }
  size_t most = set->mark.length - 1;
  bool found = (size_t)(end - at) >= set->mark.length && memcmp(at, set->mark.bytes, most + 1) == 0;
  if (!found && (size_t)(end - at) > most) at = end - most;
  connection->carryLength = end - at;
  memcpy(connection->carry, at, connection->carryLength);
  if (connection->events == before) return;
  set->events += connection->events - before;
  arrived(set, before, connection->events, false);
}

static void nextSteps(Connection *connection);

static void readMore(Connection *connection) {
  Set *set = connection->set;
  unsigned char *bytes = buffer + MAX_CARRY;
  ssize_t length = recv(connection->fd, bytes, READ, 0);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return gone(connection);
  uint64_t arrival = now(), before = connection->bytes;
  connection->bytes += length;
  set->bytes += length;
  if (connection->step == set->stepCount) {
    if (set->websocket) walkFrames(connection, bytes, length);
    search(connection, bytes, length, arrival);
  } else {
    if (set->websocket && connection->step > 0) walkFrames(connection, bytes, length);
    connection->head = realloc(connection->head, connection->headLength + length);
    if (!connection->head) die("no memory");
    memcpy(connection->head + connection->headLength, bytes, length);
    connection->headLength += length;
    nextSteps(connection);
  }
  if (!connection->closed) arrived(set, before, connection->bytes, true);
}

/* As many steps as what has come allows. What follows the last one is searched for events. */
static void nextSteps(Connection *connection) {
  Set *set = connection->set;
  while (connection->step < set->stepCount) {
    Bytes await = set->steps[connection->step].await;
    size_t used = 0;
    if (await.length > 0) {
      unsigned char *found =
          connection->headLength < await.length
              ? NULL
              : memmem(connection->head, connection->headLength, await.bytes, await.length);
      if (!found && connection->headLength > MAX_HEAD) gone(connection);
      if (!found) return;
      used = found - connection->head + await.length;
    }
    connection->headLength -= used;
    if (used > 0) memmove(connection->head, connection->head + used, connection->headLength);
    bool handshake = set->websocket && connection->step == 0;
    connection->step += 1;
    if (handshake) walkFrames(connection, connection->head, connection->headLength);
    if (connection->step < set->stepCount) {
      Bytes send = set->steps[connection->step].send;
      sendAll(connection, send.bytes, send.length);
    }
  }
  if (connection->headLength > 0) {
    memcpy(buffer + MAX_CARRY, connection->head, connection->headLength);
    search(connection, buffer + MAX_CARRY, connection->headLength, now());
  }
  free(connection->head);
  connection->head = NULL;
  connection->headLength = 0;
  set->through += 1;
  openMore(set);
  if (set->through == set->size) answerOpened(set);
}

void onReady(Connection *connection, uint32_t events) {
  Set *set = connection->set;
  if (connection->closed) return;
  if (events & (EPOLLERR | EPOLLHUP) && (connection->paused || !(events & EPOLLIN))) {
    return gone(connection);
  }
  if (events & EPOLLOUT) { /* connected */
    setReading(connection, true);
    sendAll(connection, set->steps[0].send.bytes, set->steps[0].send.length);
    if (set->steps[0].await.length == 0) nextSteps(connection);
  }
  if (events & EPOLLIN && !connection->paused) readMore(connection);
}

void closeSet(Set *set) {
  for (uint32_t index = 0; index < set->begun; index += 1) {
    Connection *connection = &set->connections[index];
    if (connection->closed || connection->fd < 0) continue;
    close(connection->fd);
    connection->closed = true;
    free(connection->head);
  }
}
