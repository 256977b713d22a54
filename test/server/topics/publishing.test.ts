/** `POST /topics/:topic`: who may, what is taken, and that a repeat does nothing twice. */
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { Hub } from "../../../server/hub.ts";
import { Publishing } from "../../../server/publishing.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import type { Store } from "../../../server/store/store.ts";
import { batch, openSocket } from "../../support/rpc.ts";
import { startedLocal, startedProcess } from "../../support/server.ts";
import { postEvent, refusalOf, startedPublishing, TOKEN } from "../../support/topic-requests.ts";
import { type Answer, ask, openTcp, readUntil } from "../../support/wire.ts";

const cursorOf = ({ text }: Answer) => (JSON.parse(text) as { cursor: string }).cursor;

describe("who may publish", () => {
  test("nobody where no token is configured, whatever is shown", async () => {
    const server = await startedLocal();
    for (const token of [TOKEN, "", "undefined", "null"]) {
      const answer = await postEvent(server, "1", { token });
      expect(refusalOf(answer)).toEqual({ status: 403, code: "forbidden" });
      expect(answer.headers).not.toHaveProperty("www-authenticate");
    }
    await expect(batch(server.url).authenticate(undefined as never)).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(server.hub.stats().published).toBe(0);
  });

  test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER ${TOKEN}`, `Bearer    ${TOKEN}   `])(
    "%j may",
    async (Authorization) => {
      const server = await startedPublishing();
      expect((await postEvent(server, "1", { headers: { Authorization } })).status).toBe(201);
    },
  );

  test.each([
    "",
    "Bearer",
    "Bearer ",
    TOKEN,
    `Basic ${TOKEN}`,
    `Bearer${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} x`,
    `Bearer x ${TOKEN}`,
    `Bearer "${TOKEN}"`,
    `Token ${TOKEN}`,
    `Bearer ${"x".repeat(5_000)}`,
  ])("%j is a 401 that says how", async (Authorization) => {
    const server = await startedPublishing();
    const answer = await postEvent(server, "1", { headers: { Authorization } });
    expect(refusalOf(answer)).toEqual({ status: 401, code: "unauthorized" });
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(server.hub.stats().published).toBe(0);
  });

  test("no token is a 401, also before a body that is too large", async () => {
    const server = await startedPublishing();
    const answer = await ask(`${server.url}/topics/topic`, {
      method: "POST",
      body: "x".repeat(70_000),
    });
    expect(refusalOf(answer)).toEqual({ status: 401, code: "unauthorized" });
  });

  test("the token does not travel in the address", async () => {
    const server = await startedPublishing();
    const url = `${server.url}/topics/topic?token=${TOKEN}&access_token=${TOKEN}`;
    const answer = await ask(url, { method: "POST", body: "1" });
    expect(refusalOf(answer)).toEqual({ status: 401, code: "unauthorized" });
  });

  test("the program takes its token from --publish-token, and shows it nowhere", async () => {
    const server = await startedProcess([
      "--publish-token",
      "s3cret-s3cret",
      "--metrics",
      "simulated",
    ]);
    expect((await postEvent(server, "1", { token: "s3cret-s3cret" })).status).toBe(201);
    const refused = await postEvent(server, "1", { token: "s3cret-s3cre" });
    expect(refusalOf(refused)).toEqual({ status: 401, code: "unauthorized" });
    expect(server.output() + refused.text).not.toContain("s3cret-s3cre");
  });
});

describe("what is published", () => {
  test("is stored once it is answered, with the event's own cursor", async () => {
    const server = await startedPublishing();
    for (const number of [1, 2, 3]) {
      const answer = await postEvent(server, `{"number":${number}}`, { name: "näme" });
      expect(answer.status).toBe(201);
      expect(answer.headers["content-type"]).toBe("application/json");
      const { events, cursor } = await server.hub.read("topic");
      expect(JSON.parse(answer.text)).toEqual({ cursor });
      expect(events.at(-1)).toMatchObject({ offset: number, name: "näme", data: { number } });
    }
  });

  test("makes its topic", async () => {
    const server = await startedPublishing({ store: { topics: 2 } });
    expect(cursorOf(await postEvent(server, "1", { topic: "new" }))).toMatch(/\.1$/);
    const full = await postEvent(server, "1", { topic: "newer" });
    expect(refusalOf(full)).toEqual({ status: 503, code: "limit_exceeded" });
    expect((await postEvent(server, "1", { topic: "new" })).status).toBe(201);
  });

  test.each([".hidden", "no%2Ftopic", "%00", "a%20b", "a".repeat(129)])(
    "has no topic %s",
    async (topic) => {
      const server = await startedPublishing();
      const answer = await postEvent(server, "1", { topic });
      expect(refusalOf(answer)).toEqual({ status: 400, code: "invalid_request" });
      expect(await server.hub.topics()).toHaveLength(1);
    },
  );

  test.each([
    ["1 character", "x", 201],
    ["128 characters", "é".repeat(128), 201],
    ["129 characters", "é".repeat(129), 400],
    ["no character", "", 400],
    ["a colon and a space in front", " :", 201],
    ["message, which SSE calls events without a name", "message", 201],
    ["gap", "gap", 400],
    ["error", "error", 400],
    ["Gap", "Gap", 201],
    ["a line feed", "a\nid: x", 400],
    ["a carriage return", "a\rb", 400],
    ["NUL", "a\0b", 400],
  ])("has a name: %s", async (_name, name, status) => {
    const server = await startedPublishing();
    const answer = await postEvent(server, "1", { name });
    expect(answer.status).toBe(status);
    if (status === 400) expect(refusalOf(answer).code).toBe("invalid_request");
    expect(server.hub.stats().published).toBe(status === 201 ? 1 : 0);
  });

  test.each([
    ["nothing", ""],
    ["blanks", "  \n"],
    ["no JSON", "{"],
    ["more than JSON", "{}{}"],
    ["JavaScript", "undefined"],
    ["not a number", "NaN"],
    ["a BOM", "\ufeff{}"],
    ["a form", "a=1&b=2"],
    ["bad UTF-8", Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ["half a character", Buffer.from([0x22, 0xe2, 0x82])],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
    ["129 levels", "[".repeat(129) + "]".repeat(129)],
    ["30,000 levels", "[".repeat(30_000) + "]".repeat(30_000)],
    ["30,000 levels that do not end", '{"a":'.repeat(10_000)],
  ])("is not %s", async (_name, body) => {
    const server = await startedPublishing();
    expect(refusalOf(await postEvent(server, body))).toEqual({
      status: 400,
      code: "invalid_request",
    });
    expect(server.hub.stats().published).toBe(0);
    expect(server.errors).toEqual([]);
  });

  test.each([
    ["128 levels", "[".repeat(128) + "]".repeat(128)],
    ["blanks around it", ' \n{ "a" : 1 }\r\n'],
    ["null", "null"],
    ["a text", '""'],
    ["a lone surrogate", '"\\ud800"'],
    ["keys that objects inherit", '{"__proto__":{"x":1},"constructor":2,"toJSON":3}'],
    ["a key twice", '{"a":1,"a":2}'],
  ])("may be %s", async (_name, body) => {
    const server = await startedPublishing();
    expect((await postEvent(server, body)).status).toBe(201);
    const { events } = await server.hub.read("topic");
    expect(JSON.stringify(events[0]!.data)).toBe(JSON.stringify(JSON.parse(body)));
  });

  test.each([
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "nonsense",
    "",
  ])("is JSON, whatever the Content-Type says: %j", async (type) => {
    const server = await startedPublishing();
    const headers = { "Content-Type": type };
    expect((await postEvent(server, "{}", { headers })).status).toBe(201);
    expect((await postEvent(server, "a=1", { headers })).status).toBe(400);
  });
});

describe("the body's size", () => {
  describe.each([
    ["announced", {}],
    ["chunked", { "Transfer-Encoding": "chunked" }],
  ])("%s", (_name, headers) => {
    test.each([65_535, 65_536, 65_537])("%i of 65,536 bytes", async (bytes) => {
      const server = await startedPublishing();
      // Blanks count: it is the body that is bounded. Two bytes each, as it is bytes that count.
      const body = `"${"é".repeat(1_000)}"`;
      const answer = await postEvent(server, body + " ".repeat(bytes - Buffer.byteLength(body)), {
        headers,
      });
      if (bytes <= 65_536) expect(answer.status).toBe(201);
      else expect(refusalOf(answer)).toEqual({ status: 413, code: "too_large" });
      expect(server.hub.stats().published).toBe(bytes <= 65_536 ? 1 : 0);
    });
  });

  test("of the event counts as well: numbers grow when they are written out", async () => {
    const server = await startedPublishing();
    const body = `[${"1e20,".repeat(5_000)}1]`; // 25 KB, but 21 digits each
    expect(refusalOf(await postEvent(server, body))).toEqual({ status: 413, code: "too_large" });
  });

  test("is refused when it is announced, before anything of it has come", async () => {
    const { url } = await startedPublishing();
    const socket = await openTcp(url);
    socket.write(`${HEAD}Content-Length: 1000000000\r\n\r\n`);
    expect(await readUntil(socket, /"too_large"/)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("is refused while it comes without an announcement, and the connection is ended", async () => {
    const server = await startedPublishing();
    const socket = await openTcp(server.url);
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `4000\r\n${" ".repeat(0x4000)}\r\n`;
    let answered = false;
    const answer = readUntil(socket, /"too_large"/).finally(() => (answered = true));
    let sent = 0;
    while (!answered) {
      socket.write(chunk);
      sent += 0x4000;
      await new Promise((resolve) => setImmediate(resolve));
      expect(sent).toBeLessThan(64 * 1024 * 1024);
    }
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
    // Whoever goes on sending is cut off.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const more = setInterval(() => socket.write(chunk), 10);
    await closed;
    clearInterval(more);
    expect(server.hub.stats().published).toBe(0);
  });

  test("comes as slowly as it likes, and nothing is published before it is whole", async () => {
    const server = await startedPublishing();
    const socket = await openTcp(server.url);
    socket.write(`${HEAD}Content-Length: 7\r\n\r\n`);
    for (const byte of '{"a":1') {
      socket.write(byte);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(server.hub.stats().published).toBe(0);
    socket.write("}");
    expect(await readUntil(socket, /"cursor"/)).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
  });

  test("that breaks off publishes nothing, though it is JSON as far as it came", async () => {
    const server = await startedPublishing();
    const socket = await openTcp(server.url);
    socket.end(`${HEAD}Content-Length: 3\r\n\r\n12`);
    expect(await readUntil(socket, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect((await postEvent(server, "2")).status).toBe(201);
    expect((await server.hub.read("topic")).events.map(({ data }) => data)).toEqual([2]);
    expect(server.errors).toEqual([]);
  });
});

const HEAD = `POST /topics/topic HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`;

describe("an idempotency key", () => {
  test("a repeat gets the first answer and publishes nothing", async () => {
    const server = await startedPublishing();
    const first = await postEvent(server, '{"a":1}', { key: "k", name: "n" });
    await postEvent(server, "2");
    const repeat = await postEvent(server, ' {"a": 1}', { key: "k", name: "n" });
    expect(repeat.status).toBe(201);
    expect(repeat.text).toBe(first.text);
    expect(server.hub.stats().published).toBe(2);
  });

  test("so do a hundred at once", async () => {
    const server = await startedPublishing();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => postEvent(server, "1", { key: "k" })),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(server.hub.stats().published).toBe(1);
  });

  test("is the same over HTTP, an HTTP batch and a session", async () => {
    const server = await startedPublishing();
    const options = { idempotencyKey: "k", name: "n" };
    const { api } = await openSocket(server.socketUrl);
    const overHttp = cursorOf(await postEvent(server, "[1]", { key: "k", name: "n" }));
    const inBatch = await batch(server.url).authenticate(TOKEN).publish("topic", [1], options);
    const inSession = await api.authenticate(TOKEN).publish("topic", [1], options);
    expect([inBatch.cursor, inSession.cursor]).toEqual([overHttp, overHttp]);
    expect(server.hub.stats().published).toBe(1);
    const conflict = api.authenticate(TOKEN).publish("topic", [2], options);
    await expect(conflict).rejects.toMatchObject({ code: "idempotency_conflict" });
  });

  test.each([
    ["other data", "2", {}],
    ["another name", "1", { name: "n" }],
    ["the name that says undefined", "1", { name: "undefined" }],
    ["the same keys in another order", '{"b":2,"a":1}', {}],
  ])("with %s is a 422, and the first one stays", async (_name, body, options) => {
    const server = await startedPublishing();
    const firstBody = body.startsWith("{") ? '{"a":1,"b":2}' : "1";
    const first = await postEvent(server, firstBody, { key: "k" });
    const answer = await postEvent(server, body, { key: "k", ...options });
    expect(refusalOf(answer)).toEqual({ status: 422, code: "idempotency_conflict" });
    expect((await postEvent(server, firstBody, { key: "k" })).text).toBe(first.text);
    expect(server.hub.stats().published).toBe(1);
  });

  test("belongs to its topic", async () => {
    const server = await startedPublishing({ topics: ["a", "b"] });
    const inA = await postEvent(server, "1", { topic: "a", key: "b k" });
    const inB = await postEvent(server, "2", { topic: "b", key: "b k" });
    expect([inA.status, inB.status]).toEqual([201, 201]);
    expect((await server.hub.read("b")).events.map(({ data }) => data)).toEqual([2]);
    const nowhere = await postEvent(server, "1", { topic: "a%20b", key: "k" });
    expect(refusalOf(nowhere)).toEqual({ status: 400, code: "invalid_request" });
  });

  test.each([
    ["1 character", "k", 201],
    ["255 characters", "k".repeat(255), 201],
    ["256 characters", "k".repeat(256), 400],
    ["no character", "", 400],
    ["blanks within", "a b", 201],
    ["a tab", "a\tb", 400],
    ["more than ASCII", "é", 400],
    ["__proto__", "__proto__", 201],
  ])("of %s", async (_name, key, status) => {
    const server = await startedPublishing();
    const answer = await postEvent(server, "1", { key });
    expect(answer.status).toBe(status);
    if (status === 201) expect((await postEvent(server, "1", { key })).text).toBe(answer.text);
    expect(server.hub.stats().published).toBe(status === 201 ? 1 : 0);
  });

  test("of an event that was refused is free for another", async () => {
    const server = await startedPublishing({ store: { topics: 1 } });
    const refused = await postEvent(server, "1", { key: "k", topic: "new" });
    expect(refusalOf(refused)).toEqual({ status: 503, code: "limit_exceeded" });
    for (const [body, options] of [
      ["{", {}],
      ["1", { name: "gap" }],
    ] as const) {
      expect((await postEvent(server, body, { key: "k", ...options })).status).toBe(400);
    }
    expect((await postEvent(server, "2", { key: "k" })).status).toBe(201);
  });

  test("of one that the store has failed to take may be tried again, by all who waited", async () => {
    const store = new MemoryStore();
    let broken = true;
    const failing: Store = Object.assign(Object.create(store) as Store, {
      append: async (...event: Parameters<Store["append"]>) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (broken) throw new Error("the disk is full");
        return store.append(...event);
      },
      create: (topic: string) => store.create(topic),
      close: () => store.close(),
    });
    const publishing = new Publishing(new Hub(failing));
    const publish = () => publishing.publish("topic", 1, { idempotencyKey: "k" });
    for (const { status } of await Promise.allSettled([publish(), publish(), publish()])) {
      expect(status).toBe("rejected");
    }
    broken = false;
    const [one, other] = await Promise.all([publish(), publish()]);
    expect(other).toEqual(one);
    expect(one.cursor).toMatch(/\.1$/);
  });

  describe("is forgotten", () => {
    const make = (limits: { idempotencyKeys?: number; idempotencyMs?: number }) => {
      let now = 0;
      const hub = new Hub(new MemoryStore(), { limits });
      const publishing = new Publishing(hub, { now: () => now });
      const publish = async (idempotencyKey: string) =>
        Number((await publishing.publish("topic", 1, { idempotencyKey })).cursor.split(".")[1]);
      return { publish, pass: (ms: number) => (now += ms) };
    };

    test("when its time is over, and not before", async () => {
      const { publish, pass } = make({ idempotencyMs: 1_000 });
      expect(await publish("k")).toBe(1);
      pass(999);
      expect(await publish("k")).toBe(1);
      expect(await publish("later")).toBe(2);
      pass(1);
      expect(await publish("k")).toBe(3); // a repeat had not prolonged it
      expect(await publish("later")).toBe(2);
      pass(999);
      expect(await publish("later")).toBe(4);
      expect(await publish("k")).toBe(3);
    });

    test("after ten minutes, and the newest 10,000 are kept, by default", async () => {
      const { publish, pass } = make({});
      for (let key = 1; key <= 10_000; key += 1) await publish(`${key}`);
      expect(await publish("1")).toBe(1);
      pass(10 * 60_000 - 1);
      expect(await publish("10000")).toBe(10_000);
      pass(1);
      expect(await publish("10000")).toBe(10_001);
    });

    test.each([
      [1, [3]],
      [2, [3, 2]],
      [3, [3, 2, 1]],
      [4, [3, 2, 1]],
    ])("when %i newer ones are enough: the oldest goes first", async (idempotencyKeys, kept) => {
      const { publish } = make({ idempotencyKeys });
      for (const key of ["1", "2", "3"]) await publish(key);
      // The newest first, so that asking for one does not push out the next to be asked for.
      const remembered: number[] = [];
      for (const key of [3, 2, 1]) {
        if ((await publish(`${key}`)) === key) remembered.push(key);
      }
      expect(remembered).toEqual(kept);
    });
  });
});

describe("over Cap'n Web", () => {
  test("authenticate and publish are one round trip, also in a batch", async () => {
    const server = await startedPublishing();
    const api = batch(server.url);
    const publisher = api.authenticate(TOKEN);
    const answers = await Promise.all([
      publisher.publish("topic", { a: [1] }, { name: "n" }),
      publisher.publish("topic", null),
    ]);
    expect(answers.map(({ cursor }) => cursor.split(".")[1])).toEqual(["1", "2"]);
    const { events } = await server.hub.read("topic");
    expect(events).toMatchObject([{ data: { a: [1] }, name: "n" }, { data: null }]);
  });

  test.each([undefined, null, "", `${TOKEN}x`, [TOKEN], { token: TOKEN }, 0])(
    "the token %j is refused, and with it what is called on its object",
    async (token) => {
      const server = await startedPublishing();
      const api = batch(server.url);
      const publisher = api.authenticate(token as never);
      const both = await Promise.allSettled([publisher, publisher.publish("topic", 1)]);
      for (const { status, reason } of both as PromiseRejectedResult[]) {
        expect({ status, reason }).toMatchObject({
          status: "rejected",
          reason: { code: "unauthorized" },
        });
      }
      expect(server.hub.stats().published).toBe(0);
    },
  );

  test.each<[string, unknown[]]>([
    ["a topic that is none", [["topic"], 1]],
    ["no topic", []],
    ["no data", ["topic"]],
    ["a name that is none", ["topic", 1, { name: 5 }]],
    ["a name of two lines", ["topic", 1, { name: "a\nb" }]],
    ["a name that SSE uses itself", ["topic", 1, { name: "error" }]],
    ["half a character as a name", ["topic", 1, { name: "\ud800" }]],
    ["a key that is none", ["topic", 1, { idempotencyKey: 5 }]],
    ["a topic that is none, with a key", [["topic"], 1, { idempotencyKey: "k" }]],
    ["an object as topic, with a key", [{}, 1, { idempotencyKey: "k" }]],
    ["options that are none", ["topic", 1, "options"]],
    ["too many levels", ["topic", JSON.parse("[".repeat(129) + "]".repeat(129))]],
    ["a bigint", ["topic", 1n]],
  ])("refuses %s", async (_name, args) => {
    const server = await startedPublishing();
    await postEvent(server, "1", { key: "k" });
    const publisher = batch(server.url).authenticate(TOKEN) as unknown as {
      publish(...args: unknown[]): Promise<unknown>;
    };
    await expect(publisher.publish(...args)).rejects.toMatchObject({ code: "invalid_request" });
    expect(server.hub.stats().published).toBe(1);
    expect(server.errors).toEqual([]);
  });

  test("refuses an event that is too large, and one byte less passes", async () => {
    const server = await startedPublishing();
    const publish = (bytes: number) =>
      batch(server.url)
        .authenticate(TOKEN)
        .publish("topic", "x".repeat(bytes - 2));
    await expect(publish(65_537)).rejects.toMatchObject({ code: "too_large" });
    expect((await publish(65_536)).cursor).toMatch(/\.1$/);
  });

  test("a stopping server takes no more, and says so", async () => {
    const server = await startedPublishing();
    const { api } = await openSocket(server.socketUrl);
    const publisher = await api.authenticate(TOKEN);
    await server.app.close();
    const answer = await postEvent(server, "1");
    expect(refusalOf(answer)).toEqual({ status: 503, code: "shutting_down" });
    await expect(publisher.publish("topic", 1)).rejects.toThrow();
    expect(server.hub.stats().published).toBe(0);
  });
});

test("a thousand publishers at once get a thousand places without a hole", async () => {
  const server = await startedPublishing();
  const posts = Array.from({ length: 200 }, (_, number) => postEvent(server, `${number}`));
  const { api } = await openSocket(server.socketUrl);
  const publisher = api.authenticate(TOKEN);
  const calls = Array.from({ length: 800 }, (_, number) => publisher.publish("topic", number));
  const cursors = [
    ...(await Promise.all(posts)).map(cursorOf),
    ...(await Promise.all(calls)).map(({ cursor }) => cursor),
  ];
  const offsets = cursors.map((cursor) => Number(cursor.split(".")[1])).toSorted((a, b) => a - b);
  expect(offsets).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
});

test("an answer that nobody waits for any more is published all the same, once", async () => {
  const server = await startedPublishing();
  await new Promise<void>((resolve) => {
    const headers = { Authorization: `Bearer ${TOKEN}`, "Idempotency-Key": "k" };
    const outgoing = request(`${server.url}/topics/topic`, {
      method: "POST",
      headers,
      agent: false,
    });
    outgoing.on("error", () => {});
    outgoing.once("close", resolve);
    outgoing.end("1", () => outgoing.destroy());
  });
  // Whether it arrived or not: a repeat makes it exactly one.
  expect(cursorOf(await postEvent(server, "1", { key: "k" }))).toMatch(/\.1$/);
  expect(server.hub.stats().published).toBe(1);
});
