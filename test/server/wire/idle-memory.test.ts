/** Two thousand streams and sockets come, hear nothing, and go: nothing of them is left. */
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { type PublishingServer, startPublishingServer } from "../../support/publishing-server.ts";

const CLIENTS = 2_000;
const AT_ONCE = 250; // connections being opened
// Of each, after the two rounds that are measured: the collector's mood. The least that one could
// leave behind, a subscription with its bell, is more than 1 KiB.
const BYTES_PER_CLIENT = 300;

const SHAKE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

test.each([
  ["SSE", "Accept: text/event-stream", /\nid: /],
  ["NDJSON", "Accept: application/x-ndjson", /\r\n\r\n/],
  ["WebSocket", SHAKE, /"cursor":/],
])("over %s", async (_name, header, begun) => {
  const server = await startPublishingServer({});
  const ask = `GET /topics/topic HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
  await round(server, ask, begun); // what is made once is made, and the heap has grown
  await round(server, ask, begun);
  const before = await server.memory();
  const stats = await server.stats();
  for (let count = 0; count < 2; count += 1) {
    await round(server, ask, begun);
    expect(await server.stats()).toEqual(stats);
    expect((await server.memory()) - before).toBeLessThan(CLIENTS * BYTES_PER_CLIENT);
  }
  expect(server.complaints()).toBe("");
});

/** They come, and leave in different ways. */
async function round(server: PublishingServer, ask: string, begun: RegExp): Promise<void> {
  const sockets: Socket[] = [];
  while (sockets.length < CLIENTS) {
    const opening = Array.from({ length: AT_ONCE }, () => open(server.url, ask, begun));
    sockets.push(...(await Promise.all(opening)));
  }
  const readers = async () => (await server.stats()).readers;
  await expect.poll(readers).toBe(CLIENTS);
  for (const [index, socket] of sockets.entries()) {
    if (index % 3 === 0) socket.end();
    else if (index % 3 === 1) socket.destroy();
    else socket.resetAndDestroy();
  }
  await expect.poll(readers).toBe(0);
  await Promise.all(sockets.map(closed));
}

function open(url: string, ask: string, begun: RegExp): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(ask);
  let text = "";
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (begun.test(text)) resolve(socket);
    });
  });
}

function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
