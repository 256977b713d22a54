/**
 * WebSocket clients of a server of lines that write, or that come and go. In Node, because what they
 * do is little: lines are written a hundred at a time, ready-made.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { answer } from "../child.ts";
import { openSocket, textFrame } from "../load/joining.ts";

export type LineQuestion =
  | { kind: "open"; port: number; bytes: number }
  /** As fast as the server reads. Answered when it has read all, and `echo`: all has come back. */
  | { kind: "write"; ms: number; echo: boolean }
  | { kind: "close" }
  /** One after the other in `lanes` lanes; each until the server ends it, as the program ends. */
  | { kind: "visit"; port: number; visits: number; lanes: number };

const BLOCK_LINES = 100; // in one write
// Of what is still to come back. Without such a bound websocketd stands still for ever, it seems
// because it waits for the program to read while the program waits for it.
const WINDOW_LINES = 2 * BLOCK_LINES;
const [[HANDSHAKE, READY]] = openSocket("/").steps as [[string, string]];
const MASKED = 0x80; // with a key of zeros, which leaves the payload as it is
const PING = Buffer.from([0x89, MASKED, 0, 0, 0, 0]);
const PONG_BYTES = 2;
const CLOSE = 0x88;
const CLOSE_NORMALLY = Buffer.from([CLOSE, MASKED | 2, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff]);

let socket: Socket;
let lineBytes = 0;
let received = 0;
let hasMore = () => {};

answer(async (question: LineQuestion): Promise<number | void> => {
  switch (question.kind) {
    case "open":
      return open(question.port, question.bytes);
    case "write":
      return write(question.ms, question.echo);
    case "close":
      return void socket.destroy();
    case "visit":
      return visitAll(question);
  }
});

async function open(port: number, bytes: number): Promise<void> {
  lineBytes = bytes;
  socket = connect(port, "127.0.0.1").setNoDelay();
  socket.write(HANDSHAKE);
  const [head] = (await once(socket, "data")) as [Buffer];
  if (!head.toString().endsWith(READY)) throw new Error(`no handshake: ${head.toString()}`);
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    hasMore();
  });
}

/** @returns how many lines */
async function write(ms: number, echo: boolean): Promise<number> {
  const block = Buffer.concat(Array<Buffer>(BLOCK_LINES).fill(textFrame("x".repeat(lineBytes))));
  const frameBytes = echo ? lineBytes + (lineBytes < 126 ? 2 : 4) : 0;
  const end = performance.now() + ms;
  received = 0;
  let lines = 0;
  while (performance.now() < end) {
    lines += BLOCK_LINES;
    if (!socket.write(block)) await once(socket, "drain");
    await hasReceived((lines - WINDOW_LINES) * frameBytes);
  }
  socket.write(PING); // its answer comes after everything before it was read
  const all = lines * frameBytes + PONG_BYTES;
  await hasReceived(all);
  if (received > all) throw new Error(`${received} bytes came, not ${all}`);
  return lines;
}

async function hasReceived(bytes: number): Promise<void> {
  while (received < bytes) await new Promise<void>((resolve) => (hasMore = resolve));
}

async function visitAll({ port, visits, lanes }: LineQuestion & { kind: "visit" }): Promise<void> {
  let left = visits;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await visit(port);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function visit(port: number): Promise<void> {
  const visitor = connect(port, "127.0.0.1").setNoDelay();
  visitor.write(HANDSHAKE);
  let heard = Buffer.alloc(0);
  visitor.on("data", (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    const frames = heard.subarray(heard.indexOf(READY) + READY.length);
    if (frames[0] === CLOSE) visitor.end(CLOSE_NORMALLY); // websocketd only ends the connection
  });
  await once(visitor, "close");
  if (!heard.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(heard.toString());
}
