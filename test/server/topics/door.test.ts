/**
 * What is asked is judged before anything begins, the same on every transport: a bad value is a
 * status and a code, never a broken stream, and nothing stays open.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { openChunks } from "../../support/chunks.ts";
import { openFrames, refusedHandshake } from "../../support/frames.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { NDJSON, refusalOf, SSE } from "../../support/topic-requests.ts";
import { eventsToBatch, linesToBatch } from "../../support/topic-readers.ts";
import { type Answer, ask } from "../../support/wire.ts";
import { numbers } from "../../transport-contract.ts";
import type { Batch } from "../../../server/contract.ts";

type Way = (server: LocalServer, path: string) => Promise<Answer>;

const get =
  (headers: Record<string, string>): Way =>
  ({ url }, path) =>
    ask(`${url}/topics/${path}`, { headers });

/** Every way to knock, for one that is going to be refused. */
const WAYS: [string, Way][] = [
  ["SSE", get(SSE)],
  ["NDJSON", get(NDJSON)],
  ["polling", get({})],
  [
    "WebSocket",
    ({ url }, path) => refusedHandshake(`${url.replace(/^http/, "ws")}/topics/${path}`),
  ],
];

const BAD_CURSORS = [
  "",
  "x",
  "Earliest",
  "earliest%20",
  "null",
  ".1",
  "a.",
  "a.b",
  "a.-1",
  "a.01",
  "a.1.2",
  "a.1e3",
  "a.1%20",
  "a.1%00",
  "%C3%A9.1",
  `${"a".repeat(65)}.1`,
  "a.1000000000000000",
];
const BAD_NUMBERS = ["", "-1", "1.5", "x", "1e3", "0x10", "%201", "1%20", "NaN", "9".repeat(16)];
const BAD_TOPICS = [
  "no%2Ftopic",
  ".hidden",
  "%2e%2e%2ftopic",
  "-x",
  "%00",
  "a%20b",
  "%C3%A9",
  "%E0%A4%A",
  "%",
  "a".repeat(129),
];

const BAD: [string, string[]][] = [
  ["400 invalid_cursor", BAD_CURSORS.map((after) => `topic?after=${after}`)],
  ["400 invalid_request", BAD_NUMBERS.map((last) => `topic?last=${last}`)],
  ["400 invalid_request", ["topic?last=1000001"]],
  ["400 invalid_request", BAD_NUMBERS.map((limit) => `topic?limit=${limit}`)],
  ["400 invalid_request", ["topic?limit=0", "topic?limit=1001"]],
  [
    "400 invalid_request",
    ["topic?after=latest&last=1", "topic?last=0&after=", "topic?last=1&after=x.1"],
  ],
  ["400 invalid_request", BAD_TOPICS],
  ["404 topic_not_found", ["nope", "__proto__", "constructor", "toString", "a".repeat(128)]],
  ["404 topic_not_found", ["nope?last=1", "nope?after=earliest"]],
  ["404 not_found", ["", "topic/", "topic/more", "topic%2F/"]],
];

describe.each(WAYS)("%s", (_name, knock) => {
  test("refuses every bad value with its status and code, and opens nothing", async () => {
    const server = await startedLocal();
    await server.hub.publish("topic", 1);
    const before = server.app.stats();
    for (const [expected, paths] of BAD) {
      for (const path of paths) {
        const { status, code } = refusalOf(await knock(server, path));
        expect(`${path}: ${status} ${code}`).toBe(`${path}: ${expected}`);
      }
    }
    expect(server.app.stats()).toEqual(before);
    expect(server.errors).toEqual([]);
  });

  test("refuses a cursor from the future", async () => {
    const server = await startedLocal();
    const cursor = await server.hub.publish("topic", 1);
    const future = cursor.replace(/\.1$/, ".2");
    const refused = refusalOf(await knock(server, `topic?after=${future}`));
    expect(refused).toEqual({ status: 400, code: "invalid_cursor" });
  });
});

describe("a poll's `wait`", () => {
  test.each([
    "",
    "-1",
    "x",
    "1e1",
    "%201",
    "30,0",
    "1.",
    ".5",
    "Infinity",
    "30.001",
    "31",
    "9".repeat(12),
  ])("%j is refused", async (wait) => {
    const server = await startedLocal();
    const answer = await ask(`${server.url}/topics/topic?wait=${wait}`);
    expect(refusalOf(answer)).toEqual({ status: 400, code: "invalid_request" });
    expect(server.app.stats().readers).toBe(0);
  });

  test.each(["text/event-stream", "application/x-ndjson"])(
    "is judged on a stream of %s too, which does not use it",
    async (Accept) => {
      const { url } = await startedLocal();
      const answer = await ask(`${url}/topics/topic?wait=x`, { headers: { Accept } });
      expect(refusalOf(answer)).toEqual({ status: 400, code: "invalid_request" });
    },
  );

  test.each(["0", "0.0", "30", "30.0", "29.999", "007"])("%j passes", async (wait) => {
    const server = await startedLocal();
    await server.hub.publish("topic", 1);
    const { status } = await ask(`${server.url}/topics/topic?after=earliest&wait=${wait}`);
    expect(status).toBe(200);
  });

  test("is over when its time is, with an empty batch and a cursor to go on from", async () => {
    const { url, hub } = await startedLocal();
    const cursor = await hub.publish("topic", 1);
    const begun = performance.now();
    const { status, text, headers } = await ask(`${url}/topics/topic?wait=0.25`);
    expect(performance.now() - begun).toBeGreaterThan(245);
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("no-store");
    expect(JSON.parse(text)).toEqual({ events: [], cursor });
  });

  test("ends as soon as there is something, and nothing stays open", async () => {
    const server = await startedLocal();
    const held = ask(`${server.url}/topics/topic?wait=30`);
    await expect.poll(() => server.app.stats().readers).toBe(1);
    await server.hub.publish("topic", 1);
    const { events } = JSON.parse((await held).text) as Batch;
    expect(events.map(({ data }) => data)).toEqual([1]);
    expect(server.app.stats().readers).toBe(0);
  });

  test("ends with its client", async () => {
    const server = await startedLocal();
    const leave = new AbortController();
    const held = ask(`${server.url}/topics/topic?wait=30`, { signal: leave.signal });
    await expect.poll(() => server.app.stats().readers).toBe(1);
    leave.abort();
    await expect(held).rejects.toThrow("aborted");
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });
});

/** The first batch that each way is given. */
const FIRST: [string, (server: LocalServer, query: string) => Promise<Batch>][] = [
  ["SSE", async (server, query) => first(server, query, SSE, eventsToBatch())],
  ["NDJSON", async (server, query) => first(server, query, NDJSON, linesToBatch)],
  [
    "polling",
    async ({ url }, query) => JSON.parse((await ask(`${url}/topics/topic?${query}`)).text) as Batch,
  ],
  [
    "WebSocket",
    async ({ url }, query) => {
      const { next } = await openFrames(`${url.replace(/^http/, "ws")}/topics/topic?${query}`);
      return (await next()) as Batch;
    },
  ],
];

describe.each(FIRST)("over %s", (name, firstBatch) => {
  const most = name === "polling" ? 1_000 : 512; // events at once, for one who is so far behind

  test.each([
    [0, []],
    [1, [5]],
    [4, [2, 3, 4, 5]],
    [5, [2, 3, 4, 5]],
    [1_000_000, [2, 3, 4, 5]],
  ])(
    "?last=%i of four kept events begins at the right one, without a gap",
    async (last, offsets) => {
      const server = await startedLocal({ store: { historyEvents: 4 } });
      for (const number of numbers(1, 5)) await server.hub.publish("topic", number);
      // A stream says nothing before there is something.
      const asked = firstBatch(server, `last=${last}`);
      const waits = last === 0 && (name === "SSE" || name === "NDJSON");
      if (waits) {
        await expect.poll(() => server.app.stats().readers).toBe(1);
        await server.hub.publish("topic", 6);
      }
      const { events, gap } = await asked;
      expect(gap).toBeUndefined();
      expect(events.map(({ offset }) => offset)).toEqual(waits ? [6] : offsets);
    },
  );

  test.each([
    [1, 1],
    [999, 999],
    [1_000, 1_000],
  ])("?limit=%i gives at most that many at once", async (limit, count) => {
    const server = await startedLocal({ store: { historyEvents: 1_100 } });
    for (const number of numbers(1, 1_100)) await server.hub.publish("topic", number);
    const { events, cursor } = await firstBatch(server, `after=earliest&limit=${limit}`);
    const given = Math.min(count, most);
    expect(events.map(({ offset }) => offset)).toEqual(numbers(1, given));
    expect(cursor).toMatch(new RegExp(`\\.${given}$`));
  });

  test("gives as many at once as it can when nothing is said", async () => {
    const server = await startedLocal({ store: { historyEvents: 1_100 } });
    for (const number of numbers(1, 1_100)) await server.hub.publish("topic", number);
    expect((await firstBatch(server, "after=earliest")).events).toHaveLength(most);
  });
});

describe("`Accept`", () => {
  const JSON_TYPE = "application/json";
  test.each<[string | string[] | undefined, string]>([
    [undefined, JSON_TYPE],
    ["", JSON_TYPE],
    ["*/*", JSON_TYPE],
    ["text/html,*/*", JSON_TYPE],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", JSON_TYPE],
    ["text/plain", JSON_TYPE],
    ["application/json", JSON_TYPE],
    ["nonsense", JSON_TYPE],
    [";;;,,,;q=", JSON_TYPE],
    ["text/event-stream", SSE.Accept],
    ["TEXT/Event-Stream", SSE.Accept],
    ["text/event-stream; charset=utf-8", SSE.Accept],
    ["text/event-stream;q=0.1", SSE.Accept],
    ["text/event-stream;q=0", JSON_TYPE],
    ["text/event-stream;q=0, */*", JSON_TYPE],
    ["*/*, text/event-stream", SSE.Accept],
    ["text/event-stream, */*", SSE.Accept],
    ["application/json;q=0.5, text/event-stream;q=0.4", JSON_TYPE],
    ["application/json;q=0.4, text/event-stream;q=0.5", SSE.Accept],
    ["application/x-ndjson, text/event-stream;q=0.9", NDJSON.Accept],
    ["application/x-ndjson;q=0.8, text/event-stream;q=0.9", SSE.Accept],
    [["application/x-ndjson;q=0.2", "text/event-stream"], SSE.Accept],
    [["text/html", "application/x-ndjson"], NDJSON.Accept],
    [`${"a/b;q=0.1,".repeat(1_000)}application/x-ndjson`, NDJSON.Accept],
  ])("%j gets %s", async (accept, type) => {
    const server = await startedLocal();
    const given = [accept ?? []].flat();
    const names = ["Accept", "accept"]; // one header, sent twice
    const headers = Object.fromEntries(given.map((value, index) => [names[index]!, value]));
    const answer = await openChunks(`${server.url}/topics/topic`, headers);
    onTestFinished(() => void answer.socket.destroy());
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(type);
    expect(server.app.stats().readers).toBe(type === JSON_TYPE ? 0 : 1);
  });
});

describe("a topic's name", () => {
  test.each([
    ["%74%6fpic", "topic"],
    ["a.b-c_d~e", "a.b-c_d~e"],
    ["a%2Db", "a-b"],
    ["_", "_"],
    ["0", "0"],
    ["A".repeat(128), "A".repeat(128)],
  ])("%s is %s", async (path, topic) => {
    const server = await startedLocal({ topics: [topic] });
    const cursor = await server.hub.publish(topic, 1);
    const { status, text } = await ask(`${server.url}/topics/${path}`);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ events: [], cursor });
  });

  test.each([
    "//x/topics/topic",
    "///topics/topic",
    "//topics/topic",
    "/topics//topic",
    "/%74opics/topic",
  ])("a handshake for %s is for the same path as a request for it", async (path) => {
    const { url } = await startedLocal();
    const { status } = await ask(url + path);
    const handshake = await refusedHandshake(url.replace(/^http/, "ws") + path).catch(() => {
      return { status: 200 };
    });
    expect(handshake.status).toBe(status);
  });

  test("`GET /topics` lists them all", async () => {
    const { url, hub } = await startedLocal({ topics: ["a", "b"], store: { historyEvents: 2 } });
    for (const number of [1, 2, 3]) await hub.publish("b", number);
    const { status, headers, text } = await ask(`${url}/topics`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "cache-control": "no-store",
    });
    expect(JSON.parse(text)).toEqual([
      { topic: "a", cursor: expect.stringMatching(/^[\w-]+\.0$/), events: 0 },
      { topic: "b", cursor: expect.stringMatching(/^[\w-]+\.3$/), events: 2 },
    ]);
  });
});

async function first(
  { url }: LocalServer,
  query: string,
  headers: Record<string, string>,
  decode: (chunk: string) => Batch | undefined,
): Promise<Batch> {
  const { next, socket } = await openChunks(`${url}/topics/topic?${query}`, headers);
  onTestFinished(() => void socket.destroy());
  for (;;) {
    const batch = decode((await next())!);
    if (batch) return batch;
  }
}
