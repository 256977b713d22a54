/** Who is told what about who is connected. */
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ClientCount } from "../../../server/demos/client-count.ts";
import { Hub } from "../../../server/hub.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { type OpenStream, openStream } from "./open-stream.ts";
import { startedDemos } from "./started-demos.ts";
import { StuckResponse } from "./stuck-response.ts";

function told(...counts: number[]): string {
  return counts.map((count) => `event:client-count\ndata:{"Count":${count}}\n\n`).join("");
}

function countsOf(stream: OpenStream): number[] {
  return [...stream.text().matchAll(/"Count":(\d+)/g)].map(([, count]) => Number(count));
}

test("everybody is told at each join and leave, in the bytes of the model", async () => {
  const { url } = await startedDemos();
  const ann = await openStream(`${url}/api/client-count`);
  await ann.blocks(1);
  const bob = await openStream(`${url}/api/client-count`);
  await ann.blocks(2);
  bob.close();
  await ann.blocks(3);
  expect(ann.text()).toBe(told(1, 2, 1));
  expect(bob.text()).toBe(told(2));
});

test.each([
  ["memory", false],
  ["a store that takes its time", true],
])("of those who come together each counts itself first: %s", async (_store, slowStores) => {
  const { url } = await startedDemos({ slowStores });
  const clients = await Promise.all(
    Array.from({ length: 12 }, () => openStream(`${url}/api/client-count`)),
  );
  await until(() => clients.every((client) => countsOf(client).at(-1) === 12));
  const firsts = clients.map((client) => countsOf(client)[0]!);
  expect(firsts.length).toBe(12);
  // Whoever was told n first was the nth at the latest; nobody saw a number without itself.
  [...firsts]
    .sort((one, other) => one - other)
    .forEach((count, index) => {
      expect(count).toBeGreaterThanOrEqual(index + 1);
    });
  for (const client of clients) {
    const counts = countsOf(client);
    expect(counts).toEqual([...counts].sort((one, other) => one - other));
  }
});

test("a HEAD, and one who is refused, are not counted", async () => {
  const { url } = await startedDemos({ limits: { readers: 2 } });
  const ann = await openStream(`${url}/api/client-count`);
  await ask(`${url}/api/client-count`, { method: "HEAD" });
  const bob = await openStream(`${url}/api/client-count`);
  expect((await ask(`${url}/api/client-count`)).status).toBe(503);
  bob.close();
  await ann.blocks(3);
  expect(ann.text()).toBe(told(1, 2, 1));
});

test("one that only waits behind another on its connection is not counted", async () => {
  const { url } = await startedDemos();
  const ann = await openStream(`${url}/api/client-count`);
  const { hostname, port, host } = new URL(url);
  const line = `GET /api/client-count HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const bob = connect(Number(port), hostname).on("error", () => {});
  bob.write(line + line);
  await ann.blocks(2);
  const eve = await openStream(`${url}/api/client-count`);
  await eve.blocks(1);
  bob.destroy();
  await ann.blocks(4);
  expect(ann.text()).toBe(told(1, 2, 3, 2));
});

test("a crowd is told in a number of writes that does not grow with its square", async () => {
  const hub = new Hub(new MemoryStore());
  onTestFinished(() => hub.close());
  const count = new ClientCount(hub);
  const size = 500;
  // Without a network between, so that they come faster than any pause.
  const clients = Array.from({ length: size }, () => new StuckResponse({ reads: true }));
  for (const client of clients) {
    await count.join(client.asResponse);
    await new Promise((resolve) => setImmediate(resolve)); // a turn of its own
  }
  await until(() => clients.every(({ written }) => written.at(-1)?.endsWith(told(size))));
  const writes = clients.reduce((sum, { written }) => sum + written.length, 0);
  expect(writes).toBeLessThan((size * size) / 2 / 4); // each join to each would be size² / 2
  clients.forEach(({ written }, index) => expect(written[0]).toContain(`{"Count":${index + 1}}`));
  for (const client of clients.slice(1)) client.leave();
  await until(() => clients[0]!.written.at(-1)!.endsWith(told(1)));
  expect(hub.stats().readers).toBe(1);
});
