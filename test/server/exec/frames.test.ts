import fc from "fast-check";
import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { FrameWriter } from "../../../server/exec/frame-writer.ts";
import { linesOf } from "../../../server/lines.ts";
import { OPCODE, parseFrames } from "../../support/parse-frames.ts";
import { property } from "../../support/property.ts";
import { until } from "../../support/until.ts";
import { startedExec } from "./started-exec.ts";

const NEWLINE = Buffer.from("\n");

test("makes a frame of each line, whatever is in it", async () => {
  const line = fc.oneof(
    fc.string({ unit: "binary" }).map((text) => Buffer.from(text.replaceAll("\n", ""))),
    fc.uint8Array().map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a))),
    fc.constantFrom(0, 125, 126, 65_535, 65_536).map((length) => Buffer.alloc(length, "é")),
    fc.constant(Buffer.from("\r")),
  );
  await property([fc.array(line, { minLength: 1, maxLength: 6 })], (lines) => {
    const block = Buffer.concat(lines.flatMap((bytes) => [bytes, NEWLINE]));
    const connection = new Connection();
    new FrameWriter().writeLines(connection.socket, block);
    const frames = parseFrames(connection.taken());
    expect(frames.rest).toHaveLength(0);
    expect(frames.map(({ opcode }) => opcode)).toEqual(lines.map(() => OPCODE.text));
    expect(frames.map(({ text }) => text)).toEqual(linesOf(block));
  });
});

test("what the kernel takes later is not overwritten by what comes next", () => {
  const frames = new FrameWriter();
  const [slow, fast] = [new Connection(), new Connection()];
  const lineOf = (text: string) => Buffer.from(`${text.repeat(10_000)}\n`);
  slow.writableLength = 1;
  frames.writeLines(slow.socket, lineOf("a"));
  frames.writeLines(fast.socket, lineOf("b"));
  const first = fast.taken();
  frames.writeLines(fast.socket, lineOf("c"));
  expect(parseFrames(slow.taken()).map(({ text }) => text)).toEqual(["a".repeat(10_000)]);
  expect(parseFrames(first).map(({ text }) => text)).toEqual(["b".repeat(10_000)]);
});

/** Takes what it is given at once, as the kernel does, or keeps it where it is, as Node does. */
class Connection {
  writableLength = 0;
  readonly #kept: Buffer[] = [];
  readonly socket = this as unknown as Socket;

  write(bytes: Buffer): boolean {
    this.#kept.push(this.writableLength > 0 ? bytes : Buffer.from(bytes));
    return true;
  }

  taken(): Buffer {
    return Buffer.concat(this.#kept);
  }
}

test("a client that waits for a program to read is not taken for dead", async () => {
  const { address, app } = await startedExec("sleep 2; wc -c", {
    limits: { pingMs: 200, pongMs: 200 },
  });
  const socket = new WebSocket(`ws://${address}/`);
  await once(socket, "open");
  let pings = 0;
  socket.on("ping", () => (pings += 1));
  const line = "x".repeat(99_999);
  for (let sent = 0; sent < 20; sent += 1) socket.send(line);
  await until(() => pings >= 6); // three times as long as it takes to be given up
  expect(socket.readyState).toBe(WebSocket.OPEN);
  expect(app.stats().processes).toBe(1);
  await until(() => socket.bufferedAmount === 0); // the program has read
  socket.close();
  await once(socket, "close");
  await until(() => app.stats().processes === 0);
});

test("nor is one that pauses while a program prints, however long", async () => {
  const { address, app } = await startedExec("yes", { limits: { pingMs: 250, pongMs: 250 } });
  const socket = new WebSocket(`ws://${address}/`);
  await once(socket, "message");
  socket.pause();
  // Longer than three times what it takes to be given up; nothing else can be waited for.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(app.stats().processes).toBe(1);
  socket.resume();
  await once(socket, "message");
  expect(socket.readyState).toBe(WebSocket.OPEN);
  socket.terminate();
});

test("one that takes everything and answers no ping is dropped", async () => {
  const { address, app } = await startedExec("sleep 60", { limits: { pingMs: 40, pongMs: 40 } });
  const socket = new WebSocket(`ws://${address}/`, { autoPong: false });
  await once(socket, "close");
  await until(() => app.stats().processes === 0);
});
