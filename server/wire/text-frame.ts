/**
 * WebSocket messages as a server writes them (RFC 6455 §5.2): final, not masked, so their bytes are
 * the same for every client.
 *
 *      0x81 | length: 1 byte, or 126 and 2 bytes, or 127 and 8 bytes | the text in UTF-8
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(MAX_FRAME_HEAD + length);
  const head = writeFrameHead(frame, 0, TEXT_FRAME, length);
  return frame.subarray(0, head + frame.write(text, head));
}

export const TEXT_FRAME = 0x81;
export const BINARY_FRAME = 0x82;
export const MAX_FRAME_HEAD = 10; // bytes

/**
 * @param length of the payload, in bytes
 * @returns where the payload begins
 */
export function writeFrameHead(into: Buffer, at: number, kind: number, length: number): number {
  into[at] = kind;
  if (length < 126) {
    into[at + 1] = length;
    return at + 2;
  }
  if (length < 0x1_0000) {
    into[at + 1] = 126;
    return into.writeUInt16BE(length, at + 2);
  }
  into[at + 1] = 127;
  return into.writeBigUInt64BE(BigInt(length), at + 2);
}
