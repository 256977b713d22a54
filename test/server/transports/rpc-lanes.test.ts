/** The promises of `listen` and `tail`, with clients that keep theirs and clients that do not. */
import { describe, expect, onTestFinished, test } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import { openFrames } from "../../support/frames.ts";
import { openSocket, type SocketClient } from "../../support/rpc.ts";
import { startPublishingServer } from "../../support/publishing-server.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { push } from "../../support/wire.ts";
import { numbers } from "../../transport-contract.ts";

/** Publishes 1, 2, 3 … `count`, one in a turn of the event loop. */
async function publishSlowly({ hub }: LocalServer, count: number): Promise<void> {
  for (let number = 1; number <= count; number += 1) {
    await hub.publish("topic", number);
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function offsetsOf({ events }: Batch): number[] {
  return events.map(({ offset }) => offset);
}

/** What both ends hold. */
function tables({ session }: SocketClient, { app }: LocalServer) {
  const { imports, exports } = app.stats();
  return { client: session.getStats(), server: { imports, exports } };
}

describe("a callback", () => {
  test("that is slow is never called twice at once, and gets everything", async () => {
    const server = await startedLocal();
    const { api } = await openSocket(server.socketUrl);
    const heard: number[] = [];
    let running = 0;
    let most = 0;
    await api.listen("topic", async (batch) => {
      const offsets = offsetsOf(batch);
      running += 1;
      most = Math.max(most, running);
      for (let turns = 0; turns < 5; turns += 1) await turn();
      running -= 1;
      heard.push(...offsets);
    });
    await publishSlowly(server, 500);
    await until(() => heard.length >= 500);
    expect(heard).toEqual(numbers(1, 500));
    expect(most).toBe(1);
  });

  test("that is called ahead of its answers runs one at a time all the same, and is given the batch alone", async () => {
    const server = await startedLocal();
    const { api } = await openSocket(server.socketUrl);
    const heard: number[] = [];
    let running = 0;
    let open = () => {};
    let gate = Promise.resolve();
    await api.listen("topic", async (...parameters: unknown[]) => {
      expect(parameters.slice(1).every((value) => value === undefined)).toBe(true);
      expect(running++).toBe(0);
      await gate;
      running -= 1;
      heard.push(...offsetsOf(parameters[0] as Batch));
    });
    // Each returned at once: it is well ahead by now.
    for (let event = 1; event <= 20; event += 1) {
      await server.hub.publish("topic", event);
      await until(() => heard.length === event);
    }
    gate = new Promise((resolve) => (open = resolve));
    await publishSlowly(server, 10);
    await api.topics(); // by now the calls that were written are at the client
    expect([running, heard.length]).toEqual([1, 20]);
    open();
    await until(() => heard.length === 30);
    expect(heard).toEqual(numbers(1, 30));
  });

  test("that throws is not called again, though more calls wait for it", async () => {
    const server = await startedLocal();
    const client = await openSocket(server.socketUrl);
    const idle = tables(client, server);
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    let calls = 0;
    let reached = 0;
    let fail = (_error: Error) => {};
    const handle = await client.api.listen("topic", ({ events }) => {
      calls += 1;
      reached = events.at(-1)!.offset;
      if (reached <= 20) return undefined;
      return new Promise((_resolve, reject) => (fail = reject));
    });
    const ended = expect(Promise.resolve(handle.closed())).rejects.toThrow("out of paper");
    for (let event = 1; event <= 20; event += 1) {
      await server.hub.publish("topic", event);
      await until(() => reached === event);
    }
    await publishSlowly(server, 40);
    await until(() => reached > 20);
    await client.api.topics();
    fail(new RangeError("out of paper"));
    await ended;
    await client.api.topics();
    expect(calls).toBe(21);
    expect(server.app.stats().readers).toBe(0);
    handle[Symbol.dispose]();
    await until(() => JSON.stringify(tables(client, server)) === JSON.stringify(idle));
    expect(unhandled).toEqual([]);
  });

  test("that throws at the third batch is not called again, and its error is told", async () => {
    const server = await startedLocal();
    const client = await openSocket(server.socketUrl);
    const idle = tables(client, server);
    let calls = 0;
    const handle = await client.api.listen("topic", () => {
      calls += 1;
      if (calls === 3) throw new RangeError("out of paper");
    });
    const closed = Promise.resolve(handle.closed()); // `expect` would call a stub
    const ended = expect(closed).rejects.toThrow("out of paper");
    for (let event = 1; event <= 5; event += 1) {
      await server.hub.publish("topic", event);
      await until(() => calls >= Math.min(event, 3));
    }
    await ended;
    await server.hub.publish("topic", 6);
    await client.api.topics();
    expect(calls).toBe(3);
    expect(server.app.stats().readers).toBe(0);
    // Whoever asks afterwards is told the same.
    await expect(Promise.resolve(handle.closed())).rejects.toThrow("out of paper");
    handle[Symbol.dispose]();
    await until(() => JSON.stringify(tables(client, server)) === JSON.stringify(idle));
  });

  test("that never returns holds up nothing but itself, and costs no memory", async () => {
    const server = await startPublishingServer({ store: { historyEvents: 32 } });
    const { api } = await openSocket(server.socketUrl);
    let calls = 0;
    await api.listen("topic", () => {
      calls += 1;
      return new Promise(() => {});
    });
    let last = 0;
    await api.listen("topic", ({ events }) => {
      last = events.at(-1)?.offset ?? last;
    });
    const publishUntil = async (total: number) => {
      while (last < total) {
        const expected = last + 16;
        await server.publish({ count: 16, bytes: 20_000, perTurn: 4 });
        await until(() => last === expected);
      }
    };
    await publishUntil(64);
    const before = await server.memory();
    await publishUntil(3_072); // 60 MB
    expect((await server.memory()) - before).toBeLessThan(5 * 1024 * 1024);
    expect(calls).toBe(1);
  });

  test("that returns anything at all has returned", async () => {
    const server = await startedLocal();
    const client = await openSocket(server.socketUrl);
    const results = [undefined, null, 0, -1.5, "text", [[1]], { a: [] }, new Date(0), () => {}, 7n];
    let calls = 0;
    await client.api.listen("topic", () => results[calls++]);
    for (const [index] of results.entries()) {
      await server.hub.publish("topic", index);
      await until(() => calls === index + 1);
    }
    await client.api.topics();
    expect(server.app.stats().readers).toBe(1);
  });

  test("is not called again when it returns after its handle was disposed of", async () => {
    const server = await startedLocal();
    const client = await openSocket(server.socketUrl);
    const idle = tables(client, server);
    let finish = () => {};
    let calls = 0;
    const handle = await client.api.listen("topic", () => {
      calls += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    });
    await server.hub.publish("topic", 1);
    await until(() => calls === 1);
    const closed = handle.closed();
    handle[Symbol.dispose]();
    await closed;
    expect(server.app.stats().readers).toBe(0);
    await server.hub.publish("topic", 2);
    finish();
    await client.api.topics();
    expect(calls).toBe(1);
    await until(() => JSON.stringify(tables(client, server)) === JSON.stringify(idle));
  });
});

test("a tail that is cancelled between two batches ends, while its neighbours go on", async () => {
  const server = await startedLocal({ limits: { answerMs: 50 } });
  const client = await openSocket(server.socketUrl);
  const idle = tables(client, server);
  const cancelled = (await client.api.tail("topic")).getReader();
  const heard: number[] = [];
  const handle = await client.api.listen("topic", (batch) => void heard.push(...offsetsOf(batch)));
  const reader = (await client.api.tail("topic")).getReader();
  const read: number[] = [];
  for (let event = 1; event <= 10; event += 1) {
    await server.hub.publish("topic", event);
    if (event <= 5) await cancelled.read();
    if (event === 5) await cancelled.cancel();
    read.push(...offsetsOf((await reader.read()).value!));
  }
  await until(() => heard.length === 10);
  expect([heard, read]).toEqual([numbers(1, 10), numbers(1, 10)]);
  await until(() => server.app.stats().readers === 2);
  handle[Symbol.dispose]();
  await reader.cancel();
  await server.hub.publish("topic", 11);
  await until(() => JSON.stringify(tables(client, server)) === JSON.stringify(idle));
});

test("a reader that takes nothing is written to until its window is full, then nothing piles up", async () => {
  const server = await startPublishingServer({ store: { historyEvents: 32 } });
  const { api } = await openSocket(server.socketUrl);
  const reader = (await api.tail("topic")).getReader();
  let last = 0;
  await api.listen("topic", ({ events }) => {
    last = events.at(-1)?.offset ?? last;
  });
  const publishUntil = async (total: number) => {
    while (last < total) {
      const expected = last + 16;
      await server.publish({ count: 16, bytes: 20_000, perTurn: 4 });
      await until(() => last === expected);
    }
  };
  await publishUntil(64);
  const before = await server.memory();
  await publishUntil(3_072); // 60 MB
  expect((await server.memory()) - before).toBeLessThan(5 * 1024 * 1024);
  // What was on its way, and then, told honestly, all that it has missed.
  let [seen, missed] = [0, 0];
  while (seen + missed < 3_072) {
    const { events, gap } = (await reader.read()).value!;
    seen += events.length;
    missed += gap?.missed ?? 0;
  }
  expect(seen).toBeLessThan(100);
});

test("four hundred listens of one frozen session cost no more than a few", async () => {
  const server = await startPublishingServer({});
  const { api, socket } = await openSocket(server.socketUrl);
  const heard = Array.from({ length: 400 }, () => 0);
  await Promise.all(
    heard.map((_, index) =>
      Promise.resolve(
        api.listen("topic", ({ events }) => {
          heard[index] = events.at(-1)?.offset ?? 0;
        }),
      ),
    ),
  );
  await server.publish({ count: 1, bytes: 60_000, perTurn: 1 });
  await until(() => heard.every((offset) => offset === 1));
  const before = await server.memory();
  socket.pause();
  await server.publish({ count: 3, bytes: 60_000, perTurn: 1 });
  // Everybody has had a turn by then: whatever can be written is.
  for (let trips = 0; trips < 200; trips += 1) await server.stats();
  // Each has its own callback, and so its own frame: all of them were 24 MB and more.
  expect((await server.memory()) - before).toBeLessThan(5 * 1024 * 1024);
  socket.resume();
  await until(() => heard.every((offset) => offset === 4));
});

test("a server that stops in mid-stream tells each reader why, in its own words", async () => {
  const server = await startedLocal();
  const { api } = await openSocket(server.socketUrl);
  const reader = (await api.tail("topic")).getReader();
  const handle = await api.listen("topic", () => {});
  const closed = handle.closed();
  closed.catch(() => {}); // looked at below
  await server.hub.publish("topic", 1);
  await reader.read();
  const reading = reader.read();
  reading.catch(() => {}); // looked at below
  await server.app.close({ graceMs: 8_000, random: () => 0.25 });
  const told = { code: "shutting_down", message: "the server is stopping", retryAfterMs: 2_000 };
  await expect(reading).rejects.toMatchObject(told);
  await expect(closed).rejects.toMatchObject(told);
});

test("a thousand listens in one session hear everything, and leave nothing behind", async () => {
  const server = await startedLocal();
  const client = await openSocket(server.socketUrl);
  const idle = tables(client, server);
  const heard = Array.from({ length: 1_000 }, (): number[] => []);
  const handles = await Promise.all(
    heard.map((list) =>
      Promise.resolve(client.api.listen("topic", (batch) => void list.push(...offsetsOf(batch)))),
    ),
  );
  for (let event = 1; event <= 5; event += 1) {
    await server.hub.publish("topic", event);
    await until(() => heard.every((list) => list.length === event));
  }
  for (const list of heard) expect(list).toEqual(numbers(1, 5));
  for (const handle of handles) handle[Symbol.dispose]();
  await until(() => JSON.stringify(tables(client, server)) === JSON.stringify(idle));
  expect(server.app.stats().readers).toBe(0);
});

describe("a client that answers", () => {
  const answers: [string, string[]][] = [
    ["calls that were never made", ['["resolve",77,1]', '["reject",78,["error","Error","x"]]']],
    ["twice", ['["resolve",1,["undefined"]]', '["resolve",1,["undefined"]]', '["reject",1,1]']],
    ["before it is asked", ['["resolve",2,["undefined"]]', '["resolve",1,["undefined"]]']],
    ["ids that are no safe number", ['["resolve",9007199254740991,1]', '["resolve",1e300,1]']],
    ["with a failure of what is only the library's", ['["reject",3,["error","Error","x"]]']],
  ];

  test.each(answers)("%s hurts nobody, and leaves nothing behind", async (_name, lines) => {
    const server = await startedLocal();
    const bystander = await openSocket(server.socketUrl);
    const idle = tables(bystander, server).server;
    const heard: number[] = [];
    await bystander.api.listen("topic", (batch) => void heard.push(...offsetsOf(batch)));
    const { send, next, socket, closed } = await openFrames(server.socketUrl);
    send(push("listen", "topic", ["export", -1]), '["pull",1]');
    await next();
    await server.hub.publish("topic", 1);
    expect(await next()).toMatchObject(["push", {}]);
    send(...lines);
    await server.hub.publish("topic", 2);
    send(push("topics"), '["pull",2]');
    while (((await next()) as unknown[])[0] !== "resolve");
    await until(() => heard.length === 2);
    socket.close();
    await closed;
    await until(() => server.app.stats().readers === 1);
    expect(server.app.stats().imports).toBeLessThanOrEqual(idle.imports + 1);
    expect(server.errors).toEqual([]);
  });

  test("with an error that holds references ends its listening, and gets them back", async () => {
    const server = await startedLocal();
    const { send, next } = await openFrames(server.socketUrl);
    send(push("listen", "topic", ["export", -1]), '["pull",1]');
    await next();
    send('["push",["pipeline",1,["closed"],[]]]', '["pull",2]');
    await server.hub.publish("topic", 1);
    await next();
    await next();
    send('["reject",1,["error","Error","broken",null,{"held":["export",-7]}]]');
    const told = [await next(), await next(), await next(), await next()];
    expect(told).toContainEqual(["release", 1, 1]);
    expect(told).toContainEqual(["release", -1, 1]);
    expect(told).toContainEqual(["release", -7, 1]);
    expect(told).toContainEqual(["reject", 2, expect.arrayContaining(["broken"])]);
  });

  test("a thousand other messages at once is still answered, and its listening goes on", async () => {
    const server = await startedLocal();
    const { send, next } = await openFrames(server.socketUrl);
    send(push("listen", "topic", ["export", -1]), '["pull",1]');
    await next();
    await server.hub.publish("topic", 1);
    await next();
    await next();
    const calls = numbers(2, 1_001).flatMap((id) => [push("topics"), `["pull",${id}]`]);
    send(...calls, '["resolve",1,["undefined"]]');
    await server.hub.publish("topic", 2);
    let [results, delivered] = [0, 0];
    while (results < 1_000 || delivered < 1) {
      const [kind] = (await next()) as unknown[];
      if (kind === "resolve") results += 1;
      if (kind === "push") delivered += 1;
    }
  });
});
