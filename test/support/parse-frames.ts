/** WebSocket frames as a server writes them (RFC 6455 §5.2), read without any library. */
export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly text: string;
}

/** @throws {Error} for what a server may not send, or this server never does */
export function parseFrames(bytes: Buffer): Frame[] & { rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  for (;;) {
    const frame = parseFrame(bytes.subarray(at));
    if (!frame) return Object.assign(frames, { rest: bytes.subarray(at) });
    frames.push(frame);
    at += frame.size;
  }
}

export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

function parseFrame(bytes: Buffer): (Frame & { size: number }) | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes[0]!, bytes[1]!];
  const opcode = first & 0x0f;
  if (first >> 4 !== 8) throw new Error(`not a whole message without extensions: ${first}`);
  if (!(Object.values(OPCODE) as number[]).includes(opcode)) throw new Error(`opcode ${opcode}`);
  if (second > 127) throw new Error("a server does not mask");
  const head = second < 126 ? 2 : second === 126 ? 4 : 10;
  if (bytes.length < head) return undefined;
  const length =
    head === 2 ? second : head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (head === 4 && length < 126) throw new Error("longer than need be");
  if (head === 10 && length < 0x1_0000) throw new Error("longer than need be");
  if (bytes.length < head + length) return undefined;
  const payload = bytes.subarray(head, head + length);
  return { opcode, payload, text: payload.toString(), size: head + length };
}
