/** A call that fails is a rejection with a message and a code; the HTTP status stays 200. */
import { describe, expect, test } from "vitest";
import type { Subscribed } from "../../../server/contract.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { call, callLine, post, push } from "../../support/wire.ts";

const TOPICS = ["topic", "system-metrics"];

/** The line of a call that fails with one of our own errors: class, no stack, an own code. */
function rejection(message: string, code: string): string {
  return `["reject",1,["error","Error",${JSON.stringify(message)},null,{"code":"${code}"}]]`;
}

describe.each(["pollMetricsUpdates", "poll", "unsubscribe"])("%s", (method) => {
  test.each([
    ["no argument", []],
    ["undefined", [["undefined"]]],
    ["null", [null]],
    ["an empty text", [""]],
    ["a number", [5]],
    ["an object", [{ subscriptionId: "x" }]],
    ["a list", [[["x"]]]],
  ])("wants an id and gets %s", async (_name, args) => {
    const { url } = await startedLocal({ topics: TOPICS });
    expect(await callLine(url, method, ...args)).toBe(
      rejection("subscription ID required", "invalid_request"),
    );
  });

  test.each([
    "system_metrics_nobodyhasthis000000000",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "0",
    "système",
    "x".repeat(100_000),
  ])("does not know the id %#", async (id) => {
    const { url } = await startedLocal({ topics: TOPICS });
    expect(await callLine(url, method, id)).toBe(
      rejection("subscription not found", "subscription_not_found"),
    );
  });

  test("does not know an id that was ended", async () => {
    const { url } = await startedLocal({ topics: TOPICS });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    await call(url, "unsubscribe", subscriptionId);
    expect(await callLine(url, method, subscriptionId)).toBe(
      rejection("subscription not found", "subscription_not_found"),
    );
  });

  test("does not know an id whose lease has run out, and knows it just before", async () => {
    let now = 0;
    const limits = { leaseMs: 1_000 };
    const { url, hub } = await startedLocal({ topics: TOPICS, limits, hub: { now: () => now } });
    const first = await call<Subscribed>(url, "subscribeSystemMetrics");
    const second = await call<Subscribed>(url, "subscribeSystemMetrics");
    now = 999;
    await call(url, method, first.subscriptionId);
    now = 1_000;
    expect(await callLine(url, method, second.subscriptionId)).toBe(
      rejection("subscription not found", "subscription_not_found"),
    );
    expect(hub.stats().subscriptions).toBe(method === "unsubscribe" ? 0 : 1);
  });
});

test("pollMetricsUpdates does not poll another topic's subscription", async () => {
  const { url, hub } = await startedLocal({ topics: TOPICS });
  const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic");
  await hub.publish("topic", "still there");
  expect(await callLine(url, "pollMetricsUpdates", subscriptionId)).toBe(
    rejection("subscription not found", "subscription_not_found"),
  );
  const batch = await call(url, "poll", subscriptionId);
  expect(batch).toMatchObject({ events: [[{ data: "still there" }]] });
});

describe.each(["read", "subscribe"])("%s", (method) => {
  test.each(["nobody-publishes-this", "__proto__", "constructor", "a..b"])(
    "does not know the topic %s",
    async (topic) => {
      const { url, hub } = await startedLocal({ topics: TOPICS });
      expect(await callLine(url, method, topic)).toBe(
        rejection(`topic not found: ${topic}`, "topic_not_found"),
      );
      expect(await hub.topics()).toHaveLength(TOPICS.length);
    },
  );

  test.each([
    ["nothing", []],
    ["null", [null]],
    ["a number", [7]],
    ["an empty text", [""]],
    ["a dot in front", ["..%2f"]],
    ["a slash", ["a/b"]],
    ["129 letters", ["x".repeat(129)]],
    ["a list", [[["topic"]]]],
  ])("wants a topic and gets %s", async (_name, args) => {
    const { url } = await startedLocal({ topics: TOPICS });
    expect(await callLine(url, method, ...args)).toMatch(
      /^\["reject",1,\["error","Error","Expected a topic of 1–128 [^"]*(?:\\"[^"]*)*",null,\{"code":"invalid_request"\}\]\]$/,
    );
  });

  test("makes no topic of it", async () => {
    const { url, hub } = await startedLocal({ topics: TOPICS });
    await callLine(url, method, "new");
    expect(await hub.topics()).toHaveLength(TOPICS.length);
  });
});

/** Calls `read`, `poll` or `subscribe` with these options. */
type CallWith = (server: LocalServer, options: unknown) => Promise<string>;

const read: CallWith = ({ url }, options) => callLine(url, "read", "topic", options);
const subscribe: CallWith = ({ url }, options) => callLine(url, "subscribe", "topic", options);
const poll: CallWith = async ({ url }, options) => {
  const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic");
  return callLine(url, "poll", subscriptionId, options);
};

describe.each([
  ["read", read],
  ["subscribe", subscribe],
  ["poll", poll],
] as [string, CallWith][])("the cursor of %s", (_name, callWith) => {
  test.each([
    "",
    "x",
    "newest",
    "epoch.",
    ".1",
    "epoch.-1",
    "epoch.01",
    "epoch.1.1",
    "epoch.1e3",
    "epoch.9999999999999999",
    "__proto__",
    5,
    null,
    true,
    {},
    [[1]],
    ["date", 0],
  ])("is refused when it is %j", async (after) => {
    const server = await startedLocal();
    expect(await callWith(server, { after })).toMatch(
      /^\["reject",1,\["error","Error","Expected a cursor, \\"earliest\\" or \\"latest\\", got [^\n]*",null,\{"code":"invalid_cursor"\}\]\]$/,
    );
  });

  test("is refused when it lies in the future, and taken when it is the newest", async () => {
    const server = await startedLocal();
    const newest = await server.hub.publish("topic", 1);
    const future = newest.replace(/1$/, "2");
    expect(await callWith(server, { after: future })).toBe(
      rejection("Expected an offset of at most 1, got 2", "invalid_cursor"),
    );
    expect(await callWith(server, { after: newest })).toMatch(/^\["resolve",1,/);
  });

  test("of another epoch is no error", async () => {
    const server = await startedLocal();
    expect(await callWith(server, { after: "another-life.7" })).toMatch(/^\["resolve",1,/);
  });
});

const WHOLE_NUMBERS: [string, CallWith, string, number, number][] = [
  ["read", read, "limit", 1, 1_000],
  ["poll", poll, "limit", 1, 1_000],
  ["poll", poll, "waitMs", 0, 30_000],
  ["subscribe", subscribe, "capacity", 1, 1_000_000],
];

describe.each(WHOLE_NUMBERS)("%s", (_method, callWith, option, min, max) => {
  test.each([
    [min - 1, `${min - 1}`],
    [max + 1, `${max + 1}`],
    [min + 0.5, `${min + 0.5}`],
    ["5", String.raw`\"5\"`],
    ["", String.raw`\"\"`],
    [["nan"], "NaN"],
    [["inf"], "Infinity"],
    [["bigint", "5"], "bigint"],
    [["date", 5], "object"],
    [null, "null"],
    [true, "true"],
    [[[5]], "an array"],
    [{}, "object"],
  ])(`refuses %j as ${option}`, async (value, shown) => {
    const server = await startedLocal();
    const message = `Expected \`${option}\` to be a whole number ${min}–${max}, got `;
    expect(await callWith(server, { [option]: value })).toBe(
      `["reject",1,["error","Error","${message}${shown}",null,{"code":"invalid_request"}]]`,
    );
  });

  test.each([min, max, ["undefined"]])(`takes %j as ${option}`, async (value) => {
    const server = await startedLocal();
    const answering = callWith(server, { [option]: value });
    if (option === "waitMs" && value === max) {
      while (server.hub.stats().subscriptions === 0) await turn();
      await server.hub.publish("topic", "so that nobody waits 30 s");
    }
    expect(await answering).toMatch(/^\["resolve",1,/);
  });
});

test.each([
  ["a text", "limit", String.raw`got \"limit\"`],
  ["a number", 5, "got 5"],
  ["a list", [[]], "got an array"],
])("options that are %s are refused", async (_name, options, shown) => {
  const { url } = await startedLocal();
  expect(await callLine(url, "read", "topic", options)).toBe(
    `["reject",1,["error","Error","Expected an options object, ${shown}",null,{"code":"invalid_request"}]]`,
  );
});

test.each([null, ["undefined"], {}, { unknown: 1 }, JSON.parse('{"__proto__":{"limit":0}}')])(
  "options that say nothing are none: %j",
  async (options) => {
    const { url } = await startedLocal();
    expect(await callLine(url, "read", "topic", options)).toMatch(/^\["resolve",1,/);
  },
);

test.each([1, 2, 3])("subscriptions are limited: %i of 2", async (count) => {
  const { url, hub } = await startedLocal({ limits: { subscriptions: 2 } });
  const lines: string[] = [];
  for (let made = 0; made < count; made += 1) lines.push(await callLine(url, "subscribe", "topic"));
  const refused = lines.filter((line) => line.startsWith('["reject"'));
  const error = rejection("Expected at most 2 subscriptions", "limit_exceeded");
  expect(refused).toEqual(count > 2 ? [error] : []);
  expect(hub.stats().subscriptions).toBe(Math.min(2, count));
});

describe("what is not part of the interface", () => {
  test.each([
    "constructor",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "__proto__",
    "__defineGetter__",
    "#hub",
    "hub",
    "_hub",
    "#poll",
    "guard",
    "dispose",
    "then",
    "Symbol(Symbol.dispose)",
    "tail",
    "listen",
    "",
    "nothing of ours",
  ])("%s cannot be called in a batch", async (method) => {
    const { url, hub, errors } = await startedLocal();
    const line = await callLine(url, method, "topic", ["export", -1]);
    expect(line).toMatch(/^\["reject",1,\["error","\w+","/m); // after the stub's release
    expect(line).toContain('"code":"invalid_request"');
    expect(line).not.toMatch(/\bat \S+:\d+|\.ts:|\.js:|node_modules/);
    expect(hub.stats()).toMatchObject({ subscriptions: 0, readers: 0 });
    expect(errors).toEqual([]);
  });

  test.each([
    [["subscribe", "constructor"]],
    [["subscribe", "call"]],
    [["topics", "apply"]],
    [["constructor", "constructor"]],
    [["__proto__", "topics"]],
    [["#hub", "close"]],
    [[0]],
  ])("the path %j leads nowhere", async (path) => {
    const { url } = await startedLocal();
    const line = JSON.stringify(["push", ["pipeline", 0, path, ["return process"]]]);
    const { status, text } = await post(url, `${line}\n["pull",1]`);
    expect(status).toBe(200);
    expect(text).toMatch(/^\["reject",1,\["error","\w+","/);
  });

  test("the main object shows no property", async () => {
    const { url } = await startedLocal();
    for (const name of ["hub", "#hub", "options", "constructor", "__proto__"]) {
      const line = JSON.stringify(["push", ["pipeline", 0, [name]]]);
      const { text } = await post(url, `${line}\n["pull",1]`);
      expect(text).toMatch(/^\["(?:resolve",1,\["undefined"\]\]$|reject",1,)/);
    }
  });
});

test("a failure of our own is told as internal, without a word about it", async () => {
  const server = await startedLocal();
  server.hub.topics = () => {
    throw new Error("the password is 1234");
  };
  expect(await callLine(server.url, "topics")).toBe(rejection("internal error", "internal"));
  expect(server.errors).toMatchObject([{ message: "the password is 1234" }]);
});

test("one call that fails leaves the others of its batch alone", async () => {
  const { url } = await startedLocal();
  const lines = [push("read", "nope"), push("topics"), '["pull",1]', '["pull",2]'];
  const { status, text } = await post(url, lines.join("\n"));
  expect(status).toBe(200);
  const kinds = text.split("\n").map((line) => (JSON.parse(line) as unknown[]).slice(0, 2));
  expect(kinds).toContainEqual(["reject", 1]);
  expect(kinds).toContainEqual(["resolve", 2]);
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
