/*
 * As much of WebSocket (RFC 6455) as keeps a peer content: pings are answered, and so is a text
 * frame that a protocol above uses as its own ping. Everything else is only walked over.
 */
#include <string.h>
#include "load.h"

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

static size_t min(size_t a, size_t b) { return a < b ? a : b; }

/* How long the head of a frame is, as far as its first two bytes tell. A server never masks. */
static size_t headSize(const Frame *frame) {
  if (frame->headLength < 2) return 2;
  int length = frame->head[1] & 0x7f;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static uint64_t payloadSize(const Frame *frame) {
  size_t head = headSize(frame);
  if (head == 2) return frame->head[1] & 0x7f;
  uint64_t size = 0;
  for (size_t index = 2; index < head; index += 1) size = size << 8 | frame->head[index];
  return size;
}

static void whole(Connection *connection) {
  const Frame *frame = &connection->frame;
  const Set *set = connection->set;
  int opcode = frame->head[0] & 0x0f;
  if (opcode == PING) {
    /* A client masks; with a key of zeros the payload stays what it is. */
    unsigned char pong[6 + MAX_REPLY] = {0x80 | PONG, 0x80 | frame->smallLength};
    memcpy(pong + 6, frame->small, frame->smallLength);
    sendAll(connection, pong, 6 + frame->smallLength);
  } else if (opcode == TEXT && set->replyTo.length > 0 && frame->isSmall &&
             frame->smallLength == set->replyTo.length &&
             memcmp(frame->small, set->replyTo.bytes, set->replyTo.length) == 0) {
    sendAll(connection, set->reply.bytes, set->reply.length);
  }
}

void walkFrames(Connection *connection, const unsigned char *bytes, size_t length) {
  Frame *frame = &connection->frame;
  while (length > 0) {
    if (!frame->inPayload) {
      size_t take = min(length, headSize(frame) - frame->headLength);
      memcpy(frame->head + frame->headLength, bytes, take);
      frame->headLength += take;
      bytes += take;
      length -= take;
      if (frame->headLength < headSize(frame)) continue;
      frame->left = payloadSize(frame);
      frame->isSmall = frame->left <= MAX_REPLY;
      frame->smallLength = 0;
      frame->inPayload = true;
    }
    size_t take = min(length, frame->left);
    if (frame->isSmall) {
      memcpy(frame->small + frame->smallLength, bytes, take);
      frame->smallLength += take;
    }
    bytes += take;
    length -= take;
    frame->left -= take;
    if (frame->left > 0) continue;
    whole(connection);
    frame->inPayload = false;
    frame->headLength = 0;
  }
}
