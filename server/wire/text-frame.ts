/**
 * One WebSocket message of text as a server writes it (RFC 6455 §5.2): final, not masked, so its
 * bytes are the same for every client.
 *
 *      0x81 | length: 1 byte, or 126 and 2 bytes, or 127 and 8 bytes | the text in UTF-8
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = 0x81;
  if (head === 2) {
    frame[1] = length;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}
