/**
 * Batches are written beside `ws`, straight to the connection: its own frames and these must not get
 * into each other, and the close frame stays the last.
 */
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import type { Limits } from "../../../server/limits.ts";
import { collect } from "../../support/collect.ts";
import { OPCODE, parseFrames } from "../../support/parse-frames.ts";
import { startedLocal } from "../../support/server.ts";
import { serverEnds } from "../../support/server-ends.ts";
import { openTcp } from "../../support/wire.ts";

const ASK =
  "GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const NORMAL = Buffer.from([1_000 >> 8, 1_000 & 0xff]);

async function opened(limits: Partial<Limits> = {}, store = {}) {
  const ends = serverEnds();
  const server = await startedLocal({ limits, store });
  const socket = await openTcp(server.url);
  const received = collect(socket);
  const frames = () => {
    const bytes = Buffer.from(received.text, "latin1");
    return parseFrames(bytes.subarray(bytes.indexOf("\r\n\r\n") + 4));
  };
  socket.write(ASK);
  await expect.poll(() => received.text).toMatch(/"cursor":"[^"]*"\}/); // pings may follow
  return { server, socket, received, frames, end: ends[0]! };
}

/** One frame of a client (RFC 6455 §5.3), its mask all zeros. */
function send(socket: Socket, opcode: number, payload: string | Buffer = ""): void {
  const bytes = Buffer.from(payload);
  socket.write(
    Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]),
  );
}

function offsets(frames: readonly { opcode: number; text: string }[]): number[] {
  return frames
    .filter(({ opcode }) => opcode === OPCODE.text)
    .flatMap(({ text }) => (JSON.parse(text) as Batch).events.map(({ offset }) => offset));
}

test("batches, pings, pongs and signs of life arrive as whole frames, each in its order", async () => {
  const limits = { pingMs: 1, pongMs: 60_000, heartbeatMs: 1 };
  const { server, socket, frames } = await opened(limits);
  const count = (opcode: number) => frames().filter((frame) => frame.opcode === opcode).length;
  let sent = 0;
  for (let round = 0; round < 200; round += 1) {
    for (let pings = round % 3; pings > 0; pings -= 1) send(socket, OPCODE.ping, `${(sent += 1)}`);
    await server.hub.publish("topic", "é".repeat(round * 10));
    if (round % 4 === 0) await turn();
  }
  await expect.poll(() => offsets(frames()).at(-1)).toBe(200);
  await expect.poll(() => count(OPCODE.ping)).toBeGreaterThan(0);
  await expect.poll(() => count(OPCODE.pong)).toBeGreaterThan(0);
  const texts = () => frames().filter(({ opcode }) => opcode === OPCODE.text);
  await expect.poll(() => texts().at(-1)!.text).toMatch(/^\{"events":\[\],/);
  expect(offsets(frames())).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  const pongs = frames().filter(({ opcode }) => opcode === OPCODE.pong);
  const answered = pongs.map(({ text }) => Number(text));
  expect(answered).toEqual([...new Set(answered)].toSorted((a, b) => a - b));
});

test("clients may leave at any moment from the handshake on: nothing of them is left", async () => {
  const ends = serverEnds();
  const server = await startedLocal();
  const ways = [
    (socket: Socket) => socket.end(),
    (socket: Socket) => socket.destroy(),
    (socket: Socket) => socket.resetAndDestroy(),
  ];
  const leavings = ways.flatMap((leave) =>
    Array.from({ length: 40 }, async (_, turns) => {
      const socket = await openTcp(server.url);
      socket.resume().write(ASK);
      for (let count = 0; count < turns; count += 1) await turn();
      leave(socket);
    }),
  );
  await Promise.all(leavings);
  await expect.poll(() => ends.length).toBe(leavings.length);
  await server.hub.publish("topic", "is anybody there");
  await expect.poll(() => ends.filter(({ socket }) => !socket.destroyed)).toHaveLength(0);
  await expect.poll(() => server.hub.stats().readers).toBe(0);
  expect(server.errors).toEqual([]);
});

describe("nothing comes after the close frame", () => {
  test.each<[string, number, (socket: Socket, stop: () => Promise<void>) => unknown]>([
    ["of a client that sent a text", 1003, (socket) => send(socket, OPCODE.text, "hello")],
    ["of a client that sent bytes", 1003, (socket) => send(socket, 2, "hello")],
    ["of a client that sent what is no frame", 1002, (socket) => send(socket, 7)],
    ["of a client that closed", 1000, (socket) => send(socket, OPCODE.close, NORMAL)],
    ["of a server that stops", 1012, (_socket, stop) => stop()],
  ])("%s: %i", async (_name, code, begin) => {
    const limits = { pingMs: 1, pongMs: 60_000, heartbeatMs: 1 };
    const { server, socket, received, frames } = await opened(limits);
    const isClosing = () => frames().some(({ opcode }) => opcode === OPCODE.close);
    let stopped = false;
    begin(socket, () => {
      stopped = true;
      return server.app.close();
    });
    for (let after = 0; after < 20 && !received.ended; after += isClosing() ? 1 : 0) {
      if (!stopped) await server.hub.publish("topic", "x");
      await turn();
    }
    send(socket, OPCODE.close, NORMAL);
    await expect.poll(() => received.ended).toBe(true);
    const closing = frames().filter(({ opcode }) => opcode === OPCODE.close);
    expect(closing).toEqual([frames().at(-1)]);
    expect(closing[0]!.payload.readUInt16BE(0)).toBe(code);
    expect(frames().rest).toHaveLength(0);
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });
});

test("behind a client that does not read nothing grows, and room again wakes its reader", async () => {
  const { server, socket, frames, end } = await opened({}, { historyEvents: 16 });
  socket.pause();
  const publish = async () => {
    await server.hub.publish("topic", "x".repeat(60_000));
    await turn();
  };
  while (!end.socket.writableNeedDrain) await publish();
  const waiting = end.socket.writableLength;
  expect(waiting).toBeLessThan(512 * 1024); // one batch
  for (let count = 0; count < 100; count += 1) await publish();
  expect(end.socket.writableLength).toBeLessThanOrEqual(waiting);
  const published = server.hub.stats().published;

  socket.resume();
  await expect.poll(() => offsets(frames()).at(-1)).toBe(published);
  const told = frames().map(({ text }) => JSON.parse(text) as Batch);
  const missed = told.map(({ gap }) => gap?.missed ?? 0).reduce((sum, one) => sum + one, 0);
  expect(missed + offsets(frames()).length).toBe(published);
  expect(missed).toBeGreaterThan(0);
});
