/**
 * Whether the load client counts right: against a server that knows what it sends, cuts it anywhere,
 * and once sends more than was asked for. Takes a tenth of a second, before anything is measured.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { listening } from "../peers/listening.ts";
import { stamped } from "../samples.ts";
import { openSocket, textFrame } from "./joining.ts";
import { LoadClient } from "./load-client.ts";

const CONNECTIONS = 3;
const EVENTS = 100;
const AGE_MS = 50; // of each event, when it is sent
const PIECE = 47; // bytes; over many events every place is cut once

/** @throws {AssertionError} when it does not */
export async function checkLoad(): Promise<void> {
  const load = new LoadClient();
  try {
    await checkCounts(load);
    await checkFrames(load);
  } finally {
    load.close();
  }
}

async function checkCounts(load: LoadClient): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.setNoDelay().on("error", () => {}));
    socket.write("ready");
  });
  const port = await listening(server);
  await load.open("cut", { port, connections: CONNECTIONS, steps: [["", "ready"]] });
  const bytes = Buffer.from(oldEvent().repeat(EVENTS));
  const arrived = load.wait("cut", { events: EVENTS });
  for (let at = 0; at < bytes.length; at += PIECE) {
    for (const socket of sockets) socket.write(bytes.subarray(at, at + PIECE));
    await turn();
  }
  const { events, least, most, delay } = await arrived;
  assert.deepEqual({ events, least, most }, { events: 3 * EVENTS, least: EVENTS, most: EVENTS });
  assert.ok(delay.count === events && delay.p50 >= AGE_MS && delay.max < 1_000 + AGE_MS);

  const tooMany = createServer((control) => {
    control.on("data", () => {
      for (const socket of sockets) socket.write(oldEvent().repeat(3));
    });
    control.on("error", () => {});
  });
  const drive = { control: await listening(tooMany), events: 2, ms: 100 };
  await assert.rejects(load.drive("cut", drive), /events arrived, and/);
  await load.closeSet("cut");
  server.close();
  tooMany.close();
}

/** A frame of an event, a ping and a text that wants an answer, each byte by itself. */
async function checkFrames(load: LoadClient): Promise<void> {
  const server = createServer();
  const port = await listening(server);
  const opened = load.open("frames", {
    port,
    connections: 1,
    ...openSocket("/"),
    reply: ["2", textFrame("3")],
  });
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.setNoDelay().write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  await opened;
  const event = Buffer.from(oldEvent());
  const head = Buffer.from([0x81, 126, event.length >> 8, event.length & 0xff]);
  const ping = Buffer.from([0x89, 2, 0x68, 0x69]);
  const text = Buffer.from([0x81, 1, 0x32]);
  let answered = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => (answered = Buffer.concat([answered, bytes])));
  for (const byte of Buffer.concat([head, event, ping, text])) {
    socket.write(Buffer.from([byte]));
    await turn();
  }
  const pong = Buffer.from([0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
  const expected = Buffer.concat([pong, textFrame("3")]);
  while (answered.length === 0 || !answered.subarray(-1).equals(Buffer.from("3"))) {
    await once(socket, "data");
  }
  assert.ok(answered.subarray(-expected.length).equals(expected));
  assert.equal((await load.stats("frames")).events, 1);
  await load.closeSet("frames");
  server.close();
}

function oldEvent(): string {
  return `data: ${stamped(AGE_MS).json}\n\n`;
}
