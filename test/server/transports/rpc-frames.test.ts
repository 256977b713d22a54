/** What `listen` and `tail` put on the wire, seen by a client that speaks the protocol by hand. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { type FrameSocket, openFrames } from "../../support/frames.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { push } from "../../support/wire.ts";

const RETURNED = ["undefined"];

/** A batch of one event, as it is on the wire. */
function batch(data: unknown): unknown {
  return { events: [[expect.objectContaining({ data })]], cursor: expect.any(String) };
}

function call(callback: number, data: unknown): unknown {
  return ["push", ["pipeline", callback, [], [batch(data)]]];
}

function callAfter(previous: number, callback: number, data: unknown): unknown {
  return ["push", ["pipeline", callback, [], [batch(data), ["pipeline", previous]]]];
}

function write(pipe: number, data: unknown): unknown {
  return ["push", ["pipeline", pipe, ["write"], [batch(data)]]];
}

async function messages({ next }: FrameSocket, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  while (taken.length < count) taken.push(await next());
  return taken;
}

/** Answers of a tail are not asked for by the clock, unless a test is about that. */
const NEVER_MS = 2 ** 30;

async function opened({ limits, ...options }: Parameters<typeof startedLocal>[0] = {}) {
  const server = await startedLocal({ ...options, limits: { answerMs: NEVER_MS, ...limits } });
  const client = await openFrames(server.socketUrl);
  const send = (...lines: unknown[]) => {
    client.send(...lines.map((m) => (typeof m === "string" ? m : JSON.stringify(m))));
  };
  /** Everything that was sent has been acted upon: a pong comes after all that came before its ping. */
  const heard = async () => {
    client.socket.ping();
    await once(client.socket, "pong");
  };
  return { server, client, send, heard, take: (count: number) => messages(client, count) };
}

test("everything that goes out takes the next id, whether the library knows of it or not", async () => {
  const { server, send, heard, take } = await opened({ app: { publishToken: "secret" } });
  const { hub } = server;

  send(push("listen", "topic", ["export", -1]), ["pull", 1]);
  expect(await take(1)).toEqual([["resolve", 1, ["export", -1]]]);
  await hub.publish("topic", [[1]]);
  // In a message every array is one in an array.
  expect(await take(2)).toEqual([call(-1, [[[[1]]]]), ["pull", 1]]);

  send(["resolve", 1, RETURNED], push("tail", "topic"), ["pull", 2]);
  expect(await take(2)).toEqual([["pipe"], ["resolve", 2, ["readable", 2]]]);
  await hub.publish("topic", "two");
  expect(await take(5)).toEqual([
    call(-1, "two"),
    ["release", 1, 1],
    ["pull", 3],
    write(2, "two"),
    ["pull", 4],
  ]);
  send(["resolve", 3, 7]);
  await heard();
  await hub.publish("topic", "three");
  // 5 and 6
  expect(await take(4)).toEqual([
    call(-1, "three"),
    ["release", 3, 1],
    ["pull", 5],
    write(2, "three"),
  ]);
  send(["resolve", 5, RETURNED]);

  // A call that the library makes by itself: the client has its own function called.
  send(["push", ["export", -9]], ["push", ["pipeline", 3, ["x"], [5]]], ["pull", 4]);
  expect(await take(2)).toEqual([
    ["push", ["pipeline", -9, ["x"], [5]]],
    ["pull", 7],
  ]);

  send(push("authenticate", "secret"), ["pull", 5]);
  expect(await take(1)).toEqual([["resolve", 5, ["export", -2]]]);
  send(push("listen", "topic", ["export", -2]), ["pull", 6]);
  expect(await take(1)).toEqual([["resolve", 6, ["export", -3]]]);
  await hub.publish("topic", "four");
  // 8, 9 and 10
  expect(await take(6)).toEqual([
    call(-1, "four"),
    ["release", 5, 1],
    ["pull", 8],
    write(2, "four"),
    call(-2, "four"),
    ["pull", 10],
  ]);

  // None of these is that call's answer, whatever its number is in the library.
  send(...[1, 2, 3, 4, 5, 6].map((id) => ["resolve", id, "of nobody"]));
  send(["resolve", 7, "of x"]);
  expect(await take(2)).toEqual([
    ["release", 7, 1],
    ["resolve", 4, "of x"],
  ]);
  send(push("tail", "topic"), ["pull", 7]);
  expect(await take(2)).toEqual([["pipe"], ["resolve", 7, ["readable", 11]]]);
});

test("a call of the library's that is not answered yet is named by the client's id in answers", async () => {
  const { server, send, take } = await opened();
  send(push("listen", "topic", ["export", -1]), ["pull", 1]);
  await take(1);
  await server.hub.publish("topic", 1);
  await take(2);
  // Here 2 is the first call of the library's that goes out; in the library it is 2 as well, but
  // for another reason: its first was never sent. So one more delivery comes between.
  send(["resolve", 1, RETURNED]);
  await server.hub.publish("topic", 2);
  await take(3);
  send(["push", ["export", -9]], ["push", ["pipeline", 2, ["x"], []]]);
  expect(await take(1)).toEqual([["push", ["pipeline", -9, ["x"], []]]]);
  // The same again, on what that will have given.
  send(["push", ["pipeline", 3, ["y"], []]], ["pull", 4]);
  expect(await take(2)).toEqual([
    ["push", ["pipeline", 3, ["y"], []]],
    ["pull", 4],
  ]);
});

test("calls that found no room for their answers are taken up when the client reads on", async () => {
  const limits = { sessionBytes: 64 * 1024 * 1024 };
  const { server, client, send } = await opened({ limits });
  for (let event = 0; event < 4; event += 1) {
    await server.hub.publish("topic", "x".repeat(60_000));
  }
  client.socket.pause();
  const calls = 100; // 24 MB, of which the kernel takes a part
  for (let id = 1; id <= calls; id += 1) send(push("read", "topic"), ["pull", id]);
  // Until it has stopped: what it has answered fills the connection, and the rest waits.
  const other = await openFrames(server.socketUrl);
  for (let trips = 1; trips <= 200; trips += 1) await roundTrip(other, trips);
  client.socket.resume();
  for (let id = 1; id <= calls; id += 1) {
    expect(await client.next()).toMatchObject(["resolve", id, {}]);
  }
});

describe("listen", () => {
  test("calls again when the callback has returned, with all that has come meanwhile", async () => {
    const { server, client, send, take } = await opened();
    send(push("listen", "topic", ["export", -1]), ["pull", 1]);
    await take(1);
    await server.hub.publish("topic", 1);
    await take(2);
    for (let event = 2; event <= 5; event += 1) await server.hub.publish("topic", event);
    await roundTrip(client, 2);
    send(["resolve", 1, RETURNED]);
    expect(await take(3)).toMatchObject([
      ["push", ["pipeline", -1, [], [{ events: [[{}, {}, {}, {}]] }]]],
      ["release", 1, 1],
      ["pull", 2],
    ]);
    expect(client.inbox).toEqual([]);
  });

  test("calls ahead of a callback that keeps up, each call with the result of the one before", async () => {
    const { server, client, send, heard, take } = await opened();
    const { hub } = server;
    send(push("listen", "topic", ["export", -1]), ["pull", 1]);
    await take(1);
    // Twice as far ahead after each answer; when half of that is reached, one is asked for.
    await hub.publish("topic", 1);
    expect(await take(2)).toEqual([call(-1, 1), ["pull", 1]]);
    send(["resolve", 1, RETURNED]);
    await hub.publish("topic", 2);
    expect(await take(3)).toEqual([call(-1, 2), ["release", 1, 1], ["pull", 2]]);
    send(["resolve", 2, RETURNED]);
    await heard();
    await hub.publish("topic", 3);
    expect(await take(1)).toEqual([call(-1, 3)]); // nothing before it that has not returned
    await hub.publish("topic", 4);
    expect(await take(4)).toEqual([
      callAfter(3, -1, 4),
      ["release", 2, 1],
      ["release", 3, 1],
      ["pull", 4],
    ]);
    await hub.publish("topic", 5);
    expect(await take(1)).toEqual([callAfter(4, -1, 5)]);
    await hub.publish("topic", 6);
    expect(await take(1)).toEqual([callAfter(5, -1, 6)]);
    await hub.publish("topic", 7); // four are without an answer
    await hub.publish("topic", 8);
    await roundTrip(client, 2);
    send(["resolve", 4, RETURNED]);
    expect(await take(1)).toMatchObject([
      ["push", ["pipeline", -1, [], [{ events: [[{}, {}]] }, ["pipeline", 6]]]],
    ]);
  });

  test.each([
    ["has returned something", { promptMs: NEVER_MS }, 7],
    ["has taken its time", { promptMs: 0 }, RETURNED],
  ])("waits for a callback that %s", async (_name, limits, returned) => {
    const { server, client, send, take } = await opened({ limits });
    send(push("listen", "topic", ["export", -1]), ["pull", 1]);
    await take(1);
    await server.hub.publish("topic", 1);
    expect(await take(2)).toEqual([call(-1, 1), ["pull", 1]]);
    for (let id = 1; id <= 10; id += 1) {
      send(["resolve", id, returned]);
      await server.hub.publish("topic", id + 1);
      const next = id + 1;
      expect(await take(3)).toEqual([call(-1, next), ["release", id, 1], ["pull", next]]);
    }
    await server.hub.publish("topic", "one more");
    await roundTrip(client, 2);
    expect(client.inbox).toEqual([]);
  });

  test("releases the last call and the callback when the handle is disposed of", async () => {
    const { server, send, take } = await opened();
    send(push("listen", "topic", ["export", -1]), ["pull", 1]);
    await take(1);
    await server.hub.publish("topic", 1);
    await take(2);
    send(["resolve", 1, RETURNED], ["release", -1, 1], ["release", 1, 1]);
    expect(await take(2)).toEqual([
      ["release", 1, 1],
      ["release", -1, 1],
    ]);
    expect(server.app.stats().readers).toBe(0);
  });

  test("gives back what the callback returns by reference", async () => {
    const { server, send, take } = await opened();
    send(push("listen", "topic", ["export", -1]), ["pull", 1]);
    await take(1);
    await server.hub.publish("topic", 1);
    await take(2);
    send(["resolve", 1, { held: ["export", -5] }]);
    expect(await take(1)).toEqual([["release", -5, 1]]);
  });

  test("takes no function of the server's own", async () => {
    const { server, send, take } = await opened();
    send(push("topics"), push("listen", "topic", ["pipeline", 0, ["topics"]]), ["pull", 2]);
    const expected = "Expected `onBatch` to be a function of the client's, got one of the server's";
    const error = ["error", "Error", expected, null, { code: "invalid_request" }];
    expect(await take(1)).toEqual([["reject", 2, error]]);
    expect(server.app.stats().readers).toBe(0);
  });

  test("that fails before the first batch leaves no callback behind", async () => {
    const { send, take } = await opened();
    send(push("listen", "unknown", ["export", -1]), ["pull", 1]);
    const answers = await take(2);
    expect(answers).toContainEqual(["release", -1, 1]);
  });
});

describe("tail", () => {
  test("writes ahead of the reader, up to 256 KiB, and asks for an answer in good time", async () => {
    const { server, client, send, take } = await opened({ store: { historyEvents: 10_000 } });
    send(push("tail", "topic"), ["pull", 1]);
    await take(2);
    await answered(server, { send, take });
    const writes: unknown[] = [];
    const asked: unknown[] = [];
    for (let event = 0; event < 40; event += 1) {
      await server.hub.publish("topic", "x".repeat(20_000));
      await roundTrip(client, 2 + event, (message) => {
        const [kind, id] = message as unknown[];
        if (kind === "push") writes.push(message);
        if (kind === "pull") asked.push(id);
      });
    }
    expect(writes.length).toBe(14); // × 20 KB is the first that is not below 256 KiB
    expect(asked).toEqual([6]); // the first that is not below a quarter; one answer at a time
    send(["resolve", 6, RETURNED]);
    // Half of the window is free again; the others are known to be taken when the last one is.
    const released = Array.from({ length: 10 }, (_, index) => ["release", 6 + index, 1]);
    expect(await take(11)).toEqual([...released, ["pull", 16]]);
    expect(await take(1)).toMatchObject([["push", ["pipeline", 1, ["write"], [{}]]]]);
  });

  test("asks by and by for an answer to what it has written, and releases every call once", async () => {
    const { server, send, take } = await opened({ limits: { answerMs: 20 } });
    send(push("tail", "topic"), ["pull", 1]);
    await take(2);
    await server.hub.publish("topic", 1);
    expect(await take(2)).toEqual([write(1, 1), ["pull", 2]]);
    await server.hub.publish("topic", 2);
    expect(await take(1)).toEqual([write(1, 2)]); // 2 is not released: it has not been answered
    send(["resolve", 2, RETURNED]);
    expect(await take(2)).toEqual([
      ["release", 2, 1],
      ["pull", 3],
    ]);
    send(["resolve", 3, RETURNED]);
    await server.hub.publish("topic", 3);
    expect(await take(3)).toEqual([write(1, 3), ["release", 3, 1], ["pull", 4]]);
  });

  test("holds at most 64 calls at the client before it asks", async () => {
    const { server, send, take } = await opened();
    send(push("tail", "topic"), ["pull", 1]);
    await take(2);
    await answered(server, { send, take });
    for (let event = 1; event <= 64; event += 1) {
      await server.hub.publish("topic", event);
      expect(await take(1)).toEqual([write(1, event)]);
    }
    const released = Array.from({ length: 64 }, (_, index) => ["release", 2 + index, 1]);
    expect(await take(65)).toEqual([...released, ["pull", 66]]);
  });

  test("releases the pipe of a reader that has cancelled", async () => {
    const { server, send, take } = await opened({ limits: { answerMs: 20 } });
    send(push("tail", "topic"), ["pull", 1]);
    await take(2);
    await server.hub.publish("topic", 1);
    expect(await take(2)).toEqual([write(1, 1), ["pull", 2]]);
    send(["reject", 2, ["error", "Error", "cancelled"]]);
    expect(await take(2)).toEqual([
      ["release", 2, 1],
      ["release", 1, 1],
    ]);
    await until(() => server.app.stats().readers === 0);
  });

  test("that is released before it is pulled leaves nothing open", async () => {
    const { server, client, send } = await opened();
    send(push("tail", "topic"));
    await until(() => server.app.stats().readers === 1);
    send(["release", 1, 1]);
    await until(() => server.app.stats().readers === 0);
    await server.hub.publish("topic", 1);
    await roundTrip(client, 2);
    expect(client.inbox).toEqual([]);
  });

  test("aborts its pipe when the server stops, and says when to come back", async () => {
    const { server, send, take } = await opened();
    send(push("tail", "topic"), ["pull", 1]);
    await take(2);
    const closed = server.app.close({ graceMs: 1_000, random: () => 0.25 });
    const reason = { code: "shutting_down", retryAfterMs: 250 };
    expect(await take(1)).toEqual([
      [
        "stream",
        ["pipeline", 1, ["abort"], [["error", "Error", "the server is stopping", null, reason]]],
      ],
    ]);
    await closed;
  });
});

/** The first write of a tail is asked for at once. */
async function answered(
  { hub }: LocalServer,
  { send, take }: Pick<Awaited<ReturnType<typeof opened>>, "send" | "take">,
): Promise<void> {
  await hub.publish("topic", "first");
  expect(await take(2)).toEqual([write(1, "first"), ["pull", 2]]);
  send(["resolve", 2, RETURNED]);
}

/** A call and its answer; by then everything before it was taken in. `id` numbers the client's calls. */
async function roundTrip(
  { send, next }: FrameSocket,
  id: number,
  onOther: (message: unknown) => unknown = (message) => expect(message).toBe(undefined),
): Promise<void> {
  send(push("topics"), `["pull",${id}]`);
  for (;;) {
    const message = (await next()) as unknown[];
    if (message[0] === "resolve" && message[1] === id) break;
    onOther(message);
  }
  send(`["release",${id},1]`);
}
