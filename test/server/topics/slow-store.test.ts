/**
 * The same doors over a store that answers by promise, as a file or Redis does: much can happen
 * while it is asked.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp } from "../../../server/app.ts";
import { Hub } from "../../../server/hub.ts";
import { listen } from "../../../server/listen.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import type { Store } from "../../../server/store/store.ts";
import { refusedHandshake } from "../../support/frames.ts";
import type { LocalServer } from "../../support/server.ts";
import { makeSlowStore } from "../../support/slow-store.ts";
import { topicReaders } from "../../support/topic-readers.ts";
import { NDJSON, postEvent, refusalOf, SSE, TOKEN } from "../../support/topic-requests.ts";
import { ask, openTcp, readUntil } from "../../support/wire.ts";
import { numbers } from "../../transport-contract.ts";

const SHAKE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/** What a client of each transport sends. */
const REQUESTS: [string, string][] = [
  ["SSE", "GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"],
  [
    "NDJSON",
    "GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n",
  ],
  ["long-polling", "GET /topics/topic?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["WebSocket", `GET /topics/topic HTTP/1.1\r\nHost: localhost\r\n${SHAKE}\r\n\r\n`],
];

describe.each(REQUESTS)("over %s", (name, request) => {
  test.each(["ends", "read"] as const)(
    "a client that leaves while the store answers `%s` leaves nothing open",
    async (call) => {
      const { server, hold } = await startGated();
      const { asked, release } = hold(call);
      const sockets = await Promise.all(Array.from({ length: 10 }, () => openTcp(server.url)));
      for (const socket of sockets) socket.write(request);
      await expect.poll(asked).toBe(10);
      for (const [index, socket] of sockets.entries()) {
        if (index % 2 === 0) socket.destroy();
        else socket.resetAndDestroy();
      }
      await turns();
      await release();
      await expect.poll(() => server.app.stats().readers).toBe(0);
      await server.hub.publish("topic", 1);
      await expect.poll(() => server.app.stats().readers).toBe(0);
      expect(server.errors).toEqual([]);
    },
  );

  test.each(["ends", "read"] as const)(
    "a server that stops while the store answers `%s` tells its client",
    async (call) => {
      const { server, hold } = await startGated();
      const { asked, release } = hold(call);
      const socket = await openTcp(server.url);
      socket.write(request);
      await expect.poll(asked).toBe(1);
      const told = readUntil(socket, /"shutting_down"/);
      told.catch(() => {}); // looked at below
      const stopping = server.app.close({ graceMs: 4_000, random: () => 0.5 });
      await turns();
      await release();
      const text = await told;
      await stopping;
      expect(text).toContain('"retryAfterMs":2000');
      // The door is where it was refused, unless it had passed it.
      const stayed = call === "read" && name !== "long-polling";
      const open = name === "WebSocket" ? "101" : "200";
      expect(text).toMatch(new RegExp(`^HTTP/1.1 ${stayed || name === "SSE" ? open : "503"} `));
      expect(server.app.stats().readers).toBe(0);
      expect(server.errors).toEqual([]);
    },
  );

  test("a store that never answers does not hold up a server that stops", async () => {
    const { server, hold } = await startGated();
    const { asked } = hold("ends");
    const socket = await openTcp(server.url);
    socket.write(request);
    await expect.poll(asked).toBe(1);
    await server.close(); // without a grace
  });
});

describe("a store that fails", () => {
  test("at the door is a 500 without its reason, over every transport", async () => {
    const { server, fail } = await startGated();
    fail("ends");
    for (const headers of [SSE, NDJSON, {}]) {
      const answer = await ask(`${server.url}/topics/topic`, { headers });
      expect(refusalOf(answer)).toEqual({ status: 500, code: "internal" });
      expect(answer.text).not.toContain("disk");
    }
    const handshake = await refusedHandshake(`${server.url.replace(/^http/, "ws")}/topics/topic`);
    expect(refusalOf(handshake)).toEqual({ status: 500, code: "internal" });
    expect(server.errors).toHaveLength(4);
    expect(server.app.stats().readers).toBe(0);
  });

  test.each(REQUESTS)(
    "behind the door ends %s, and says only that it did",
    async (_name, request) => {
      const { server, fail } = await startGated();
      fail("read");
      const socket = await openTcp(server.url);
      socket.write(request);
      const text = await readUntil(socket, /"internal error"/);
      expect(text).not.toContain("disk");
      socket.destroy();
      await expect.poll(() => server.app.stats().readers).toBe(0);
      expect(server.errors).toHaveLength(1);
    },
  );

  test("for one publication is a 500, and the next one is stored", async () => {
    const { server, fail, heal } = await startGated();
    fail("append");
    expect(refusalOf(await postEvent(server, "1", { key: "k" }))).toEqual({
      status: 500,
      code: "internal",
    });
    heal();
    expect((await postEvent(server, "1", { key: "k" })).status).toBe(201);
  });
});

test("every reader gets every event once and in order, from a store that takes its time", async () => {
  const server = await start(makeSlowStore({ historyEvents: 2_000 }));
  const total = 300;
  const readers = await Promise.all(
    topicReaders.map(async ([name, openReader]) => ({
      name,
      reader: await openReader(server, { after: "earliest" }),
    })),
  );
  const reading = readers.map(async ({ name, reader }) => {
    const offsets: number[] = [];
    while (offsets.length < total) {
      const { events, gap } = await reader.next();
      expect(gap).toBeUndefined();
      offsets.push(...events.map(({ offset }) => offset));
    }
    await reader.close();
    expect({ name, offsets }).toEqual({ name, offsets: numbers(1, total) });
  });
  for (const number of numbers(1, total)) await server.hub.publish("topic", number);
  await Promise.all(reading);
  await expect.poll(() => server.app.stats().readers).toBe(0);
});

test("a hub that is closed at any moment of a `subscribe` leaves no reader", async () => {
  for (const makeStore of [() => new MemoryStore(), () => makeSlowStore()]) {
    for (let moment = 0; moment < 30; moment += 1) {
      const hub = new Hub(makeStore());
      await hub.createTopic("topic");
      const ending = hub.subscribe("topic").then((subscription) => subscription.next());
      ending.catch(() => {}); // looked at below
      for (let tick = 0; tick < moment; tick += 1) await Promise.resolve();
      await hub.close();
      await expect(ending).rejects.toMatchObject({ code: "shutting_down" });
      expect(hub.stats().readers).toBe(0);
    }
  }
});

type Call = "ends" | "read" | "append";

/** A server over a store whose calls can be held up, and made to fail. */
async function startGated() {
  const memory = new MemoryStore();
  let held: { call: Call; asked: number; gate: Promise<void> } | undefined;
  let failing: Call | undefined;
  const gated =
    <A extends unknown[], R>(call: Call, run: (...args: A) => R) =>
    async (...args: A): Promise<Awaited<R>> => {
      if (failing === call) throw new Error("the disk is full");
      if (held?.call === call) {
        held.asked += 1;
        await held.gate;
      }
      return await run(...args);
    };
  const server = await start({
    create: (topic) => memory.create(topic),
    append: gated("append", (topic: string, event: Parameters<Store["append"]>[1]) =>
      memory.append(topic, event),
    ),
    read: gated("read", (...args: Parameters<Store["read"]>) => memory.read(...args)),
    ends: gated("ends", (topic: string) => memory.ends(topic)),
    topics: () => memory.topics(),
    watch: (topic, ring) => memory.watch(topic, ring),
    close: () => memory.close(),
  });
  const hold = (call: Call) => {
    let open = () => {};
    held = { call, asked: 0, gate: new Promise((resolve) => (open = resolve)) };
    const release = async () => {
      open();
      held = undefined;
      await turns();
    };
    return { asked: () => held!.asked, release };
  };
  return {
    server,
    hold,
    fail: (call: Call) => (failing = call),
    heal: () => (failing = undefined),
  };
}

async function start(store: Store): Promise<LocalServer> {
  const errors: unknown[] = [];
  const hub = new Hub(store, { onError: (error) => errors.push(error) });
  await hub.createTopic("topic");
  const app = createApp(hub, { publishToken: TOKEN });
  const { port, close: stop } = await listen(app, { host: "127.0.0.1", port: 0 });
  const close = async () => {
    await Promise.all([stop({ graceMs: 0 }), app.close()]);
  };
  onTestFinished(close);
  const address = `127.0.0.1:${port}`;
  return { hub, app, url: `http://${address}`, socketUrl: `ws://${address}/api`, errors, close };
}

/** Long enough for what is on its way within this process. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
