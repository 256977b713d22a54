/**
 * A program's output as WebSocket frames (RFC 6455 §5.2), all frames of a chunk in one write. They
 * are made in one buffer for all connections: a new one for each chunk would be garbage that costs
 * as much as the write.
 */
import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";
import { BINARY_FRAME, MAX_FRAME_HEAD, TEXT_FRAME, writeFrameHead } from "../wire/text-frame.ts";

const SMALL = 4 * 1024; // bytes; of these Node makes many from one piece of memory

export class FrameWriter {
  /** Free between two writes. */
  #scratch = Buffer.alloc(0);

  /**
   * A text frame for each line of a block of whole ones. What is not UTF-8 is replaced by U+FFFD.
   * @returns whether the connection has room for more
   */
  writeLines(connection: Socket, block: Buffer): boolean {
    const text = isUtf8(block) ? block : Buffer.from(block.toString("utf8"));
    const frames = this.#room(2 * text.length); // of an empty line: 1 byte → 2
    let size = 0;
    for (let from = 0; from < text.length;) {
      const end = text.indexOf(NEWLINE, from);
      const to = end > from && text[end - 1] === RETURN ? end - 1 : end;
      size = writeFrameHead(frames, size, TEXT_FRAME, to - from);
      size += text.copy(frames, size, from, to);
      from = end + 1;
    }
    return this.#write(connection, frames.subarray(0, size));
  }

  /** One binary frame. @returns whether the connection has room for more */
  writeBytes(connection: Socket, bytes: Buffer): boolean {
    const frame = this.#room(MAX_FRAME_HEAD + bytes.length);
    const head = writeFrameHead(frame, 0, BINARY_FRAME, bytes.length);
    return this.#write(connection, frame.subarray(0, head + bytes.copy(frame, head)));
  }

  #room(bytes: number): Buffer {
    if (bytes <= SMALL) return Buffer.allocUnsafe(bytes);
    if (this.#scratch.length < bytes) this.#scratch = Buffer.allocUnsafeSlow(bytes);
    return this.#scratch;
  }

  #write(connection: Socket, frames: Buffer): boolean {
    const hasRoom = connection.write(frames);
    // What the kernel has not taken at once, the connection still reads from there.
    const keeps = connection.writableLength > 0 && frames.buffer === this.#scratch.buffer;
    if (keeps) this.#scratch = Buffer.alloc(0);
    return hasRoom;
  }
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
