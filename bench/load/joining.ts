/** What a client says to begin: HTTP, a WebSocket's handshake, a client's frame. */
import type { Joining } from "./load-client.ts";

/** A request whose answer goes on; `ready` is what the server says when events may come. */
export function getStream(path: string, accept: string, ready = "\r\n\r\n"): Joining {
  return {
    steps: [[`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`, ready]],
  };
}

/** `steps` go on in frames. */
export function openSocket(path: string, ...steps: Joining["steps"]): Joining {
  const handshake =
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  return { steps: [[handshake, "\r\n\r\n"], ...steps], webSocket: true };
}

/** A client's text frame, masked with a key of zeros, which leaves the payload as it is. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = 0x81; // the last frame of a text (RFC 6455 §5.2)
  head[1] = 0x80 | Math.min(payload.length, 126);
  if (head.length === 4) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
