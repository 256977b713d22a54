/** A stream of states whose newest events the history has dropped before it could send them. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { streamStates } from "../../../server/demos/state-stream.ts";
import { Hub } from "../../../server/hub.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { openChunks } from "../../support/chunks.ts";

test("says nothing of states that are gone, and goes on with the next", async () => {
  let now = 0;
  const hub = new Hub(new MemoryStore({ historyAgeMs: 1_000, now: () => now }));
  await hub.publish("topic", "first");
  const server = createServer((_request, response) => {
    void streamStates(response, hub, { topic: "topic" });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { next, socket } = await openChunks(`http://127.0.0.1:${port}/`);
  onTestFinished(async () => {
    socket.destroy();
    await hub.close();
    server.close();
  });
  expect(await next()).toContain('"first"');
  await hub.publish("topic", "too old when its turn comes");
  now += 2_000;
  await hub.read("topic"); // whoever reads sees that it is gone
  for (let count = 0; count < 4; count += 1) await turn(); // its turn
  await hub.publish("topic", "next");
  expect(await next()).toContain('"next"');
});
