/* What the files of the load share. The interface for its user is the head comment of load.c. */
#ifndef LOAD_H
#define LOAD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  MAX_SETS = 32,
  MAX_STEPS = 8,
  MAX_CARRY = 64,   /* of a marker that is split over two reads */
  MAX_HEAD = 65536, /* what a server may say before a step's answer */
  MAX_REPLY = 125,  /* the longest payload whose frame length takes one byte (RFC 6455 §5.2) */
};

typedef struct {
  unsigned char *bytes;
  size_t length;
} Bytes;

/* Delays, counted in buckets that are at most 1/32 wide. */
typedef struct {
  uint64_t count, max;
  uint64_t buckets[64 * 32];
} Delays;

/* Where in a WebSocket frame a connection's stream is. */
typedef struct {
  uint64_t left; /* of the payload */
  unsigned char head[10], headLength;
  unsigned char small[MAX_REPLY], smallLength; /* the payload of a ping, or what may want a reply */
  bool inPayload, isSmall;
} Frame;

typedef struct Set Set;

typedef struct {
  Set *set;
  int fd;
  uint32_t index;
  int step; /* set->stepCount: through */
  bool paused, closed;
  unsigned char carryLength, carry[MAX_CARRY];
  uint64_t events, bytes;
  Frame frame;
  unsigned char *head; /* what came before the next step's answer; only while opening */
  size_t headLength;
} Connection;

/* One command that waits for events or bytes. */
typedef struct {
  bool active;
  long id;
  bool byBytes;
  uint64_t each; /* how many each connection must have */
  uint32_t reached;
  uint64_t deadline;
} Wait;

/* One closed loop. */
typedef struct {
  bool active, spin;
  long id;
  int fd;
  uint64_t events, until, bursts;
} Drive;

struct Set {
  char name[32];
  bool used, websocket;
  int port, receiveBuffer;
  uint32_t size, parallel, begun, through, closed, first;
  Connection *connections;
  int stepCount;
  struct {
    Bytes send, await;
  } steps[MAX_STEPS];
  Bytes mark, replyTo, reply;
  int digits;
  long openId; /* 0: no opening is under way */
  uint64_t since, cpuSince, idleSince, events, bytes;
  Wait wait;
  Drive drive;
  Delays delays, firstDelays;
};

/* load.c */
extern int epoll;
extern bool spinAlways;
extern uint64_t idle; /* nanoseconds in which nothing came */
uint64_t now(void);
uint64_t cpu(void);
_Noreturn void die(const char *format, ...);

/* commands.c */
extern Set sets[MAX_SETS];
void command(char *line);
void answerStats(long id, Set *set, uint64_t bursts);
void answerOpened(Set *set);
void answerError(long id, const char *format, ...);

/* waits.c */
void beginWait(Set *set, long id, uint64_t each, bool byBytes, uint64_t timeoutMs);
void startDrive(Set *set, long id, int port, uint64_t events, uint64_t ms, bool spin);
void arrived(Set *set, uint64_t before, uint64_t after, bool bytes);
void lost(Set *set, Connection *connection, const char *why, size_t length);
void checkDeadlines(void);
bool anySpinning(void);
void zero(Set *set);

/* connections.c */
void openMore(Set *set);
void onReady(Connection *connection, uint32_t epollEvents);
void setReading(Connection *connection, bool reads);
void closeSet(Set *set);
void sendAll(Connection *connection, const unsigned char *bytes, size_t length);

/* frames.c */
void walkFrames(Connection *connection, const unsigned char *bytes, size_t length);

/* delays.c */
void addDelay(Delays *delays, uint64_t nanoseconds);
double delayAt(const Delays *delays, double share); /* in milliseconds */

#endif
