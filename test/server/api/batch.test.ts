/** HTTP batch at /api: what each call answers, byte for byte. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Batch, MetricsUpdates, Subscribed, TopicInfo } from "../../../server/contract.ts";
import { startedLocal, startedProcess } from "../../support/server.ts";
import { call, callLine, post, push } from "../../support/wire.ts";

const METRICS = "system-metrics";
const SAMPLE = { cpuUsage: 45.2, memoryUsage: 62.8, networkIO: 23.4, timestamp: 1640995200 };
// nanoid: 21 characters of 6 bits; 11 would be the promised 64 bits.
const METRICS_ID = /^system_metrics_[A-Za-z0-9_-]{21}$/;

describe("the example of the documentation", () => {
  // As it is shown, and as it stands in the Markdown source, three spaces further right.
  test.each([0, 3])("works as typed into a shell, with %i spaces in front", async (spaces) => {
    const { port } = await startedProcess();
    const indent = " ".repeat(spaces);
    const script = [
      `${indent}echo '["push",["pipeline",1,["subscribeSystemMetrics"],[]]]`,
      `${indent}["pull",1]' | curl -X POST http://localhost:${port}/api -H "Content-Type: text/plain" --data-binary @-`,
    ].join("\n");
    const { stdout, stderr } = await promisify(execFile)("sh", ["-c", script]);
    expect(stderr, "this test needs curl").not.toContain("not found");
    expect(stdout).toMatch(
      /^\["resolve",1,\{"subscriptionId":"system_metrics_[A-Za-z0-9_-]{21}","message":"Subscribed to real-time system metrics","status":"active","pollInterval":1000\}\]$/,
    );
  });
});

describe("the answer", () => {
  test("is plain text in UTF-8, one message a line, without a newline at the end", async () => {
    const { url } = await startedLocal({ topics: [] });
    const body = [push("topics"), push("topics"), '["pull",1]', '["pull",2]'].join("\n");
    const { status, headers, text } = await post(url, body);
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(text).toBe('["resolve",1,[[]]]\n["resolve",2,[[]]]');
  });

  test("is empty when nothing is pulled, and the call has run all the same", async () => {
    const { url, hub } = await startedLocal();
    const { status, text } = await post(url, push("subscribe", "topic"));
    expect({ status, text }).toEqual({ status: 200, text: "" });
    expect(hub.stats().subscriptions).toBe(1);
  });

  test("is empty for an empty body", async () => {
    const { url } = await startedLocal();
    expect(await post(url, "")).toMatchObject({ status: 200, text: "" });
  });

  test.each([
    ["a newline at the end", (lines: string[]) => `${lines.join("\n")}\n`],
    ["CRLF", (lines: string[]) => lines.join("\r\n")],
    ["CRLF at the end too", (lines: string[]) => `${lines.join("\r\n")}\r\n`],
    ["blank lines", (lines: string[]) => `\n\n${lines.join("\n \t\n\r\n")}\n\n`],
    ["spaces around", (lines: string[]) => lines.map((line) => `  ${line}\t`).join("\n")],
  ])("is the same with %s in the question", async (_name, format) => {
    const { url } = await startedLocal({ topics: [] });
    const body = format([push("topics"), '["pull",1]']);
    expect(await post(url, body)).toMatchObject({ status: 200, text: '["resolve",1,[[]]]' });
  });

  test("does not depend on the request's content type", async () => {
    const { url } = await startedLocal({ topics: [] });
    for (const type of ["application/json", "application/x-www-form-urlencoded", "nonsense"]) {
      const answer = await post(url, `${push("topics")}\n["pull",1]`, { "Content-Type": type });
      expect(answer).toMatchObject({ status: 200, text: '["resolve",1,[[]]]' });
    }
  });

  test("comes in the order of completion: a held poll does not delay the others", async () => {
    const { url, hub } = await startedLocal();
    const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic");
    const body = [
      push("poll", subscriptionId, { waitMs: 30_000 }),
      push("subscribe", "topic"),
      '["pull",1]',
      '["pull",2]',
    ].join("\n");
    const answering = post(url, body);
    // The second call of the batch has run, so the first is being held.
    while (hub.stats().subscriptions < 2) await new Promise((resolve) => setImmediate(resolve));
    await hub.publish("topic", "woken");
    const kinds = (await answering).text
      .split("\n")
      .map((line) => (JSON.parse(line) as unknown[])[1]);
    expect(kinds).toEqual([2, 1]);
  });
});

describe("the metrics calls", () => {
  test("subscribeSystemMetrics gives an id, a message, a status and the real interval", async () => {
    const { url } = await startedLocal({ topics: [METRICS], app: { metricsIntervalMs: 250 } });
    const answer = await call(url, "subscribeSystemMetrics");
    expect(answer).toEqual({
      subscriptionId: expect.stringMatching(METRICS_ID) as string,
      message: "Subscribed to real-time system metrics",
      status: "active",
      pollInterval: 250,
    });
  });

  test("every subscription has an id of its own", async () => {
    const { url } = await startedLocal({ topics: [METRICS] });
    const ids = await Promise.all(
      Array.from({ length: 50 }, async () => {
        return (await call<Subscribed>(url, "subscribeSystemMetrics")).subscriptionId;
      }),
    );
    expect(new Set(ids).size).toBe(50);
  });

  test("pollMetricsUpdates without news answers an empty list, doubled on the wire", async () => {
    const { url } = await startedLocal({ topics: [METRICS] });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    const line = await callLine(url, "pollMetricsUpdates", subscriptionId);
    const [, , { timestamp, cursor }] = JSON.parse(line) as [string, number, MetricsUpdates];
    expect(line).toBe(
      `["resolve",1,{"subscriptionId":"${subscriptionId}","updates":[[]],"hasMore":false,` +
        `"timestamp":${timestamp},"cursor":"${cursor}","missed":0}]`,
    );
  });

  test("pollMetricsUpdates gives the updates in order, as they were published", async () => {
    const { url, hub } = await startedLocal({ topics: [METRICS] });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    const second = { ...SAMPLE, cpuUsage: 46, timestamp: 1640995201 };
    await hub.publish(METRICS, SAMPLE);
    await hub.publish(METRICS, second);
    const line = await callLine(url, "pollMetricsUpdates", subscriptionId);
    expect(line).toContain(`"updates":[[${JSON.stringify(SAMPLE)},${JSON.stringify(second)}]],`);
    const again = await call(url, "pollMetricsUpdates", subscriptionId);
    expect(again).toMatchObject({ updates: [[]], missed: 0 });
  });

  test("hasMore says that updates remain, and the next poll has them", async () => {
    const { url, hub } = await startedLocal({ topics: [METRICS] });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    for (const cpuUsage of [1, 2, 3]) await hub.publish(METRICS, { ...SAMPLE, cpuUsage });
    const poll = () => call(url, "pollMetricsUpdates", subscriptionId, { limit: 2 });
    expect(await poll()).toMatchObject({ hasMore: true, updates: [[{ cpuUsage: 1 }, {}]] });
    expect(await poll()).toMatchObject({ hasMore: false, updates: [[{ cpuUsage: 3 }]] });
  });

  test("missed counts what overflowed since the last poll, once", async () => {
    const { url, hub } = await startedLocal({
      topics: [METRICS],
      limits: { subscriptionCapacity: 2 },
    });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    for (const cpuUsage of [1, 2, 3, 4, 5]) await hub.publish(METRICS, { ...SAMPLE, cpuUsage });
    const poll = () => call(url, "pollMetricsUpdates", subscriptionId);
    expect(await poll()).toMatchObject({ missed: 3, updates: [[{ cpuUsage: 4 }, {}]] });
    expect(await poll()).toMatchObject({ missed: 0, updates: [[]] });
  });

  test("timestamp is the server's time in whole unix seconds", async () => {
    const { url } = await startedLocal({ topics: [METRICS] });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    const before = Math.floor(Date.now() / 1000);
    const { timestamp } = await call<MetricsUpdates>(url, "pollMetricsUpdates", subscriptionId);
    expect(Number.isInteger(timestamp)).toBe(true);
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
  });

  test("unsubscribe says that it was successful, and the id is gone", async () => {
    const { url, hub } = await startedLocal({ topics: [METRICS] });
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    expect(await callLine(url, "unsubscribe", subscriptionId)).toBe(
      `["resolve",1,{"subscriptionId":"${subscriptionId}","message":"Successfully unsubscribed","status":"inactive"}]`,
    );
    expect(hub.stats().subscriptions).toBe(0);
  });

  test("a live server fills them with plausible figures", async () => {
    const { url } = await startedProcess(["--metrics-interval", "20"]);
    const { subscriptionId } = await call<Subscribed>(url, "subscribeSystemMetrics");
    const options = { waitMs: 30_000 };
    const answer = await call<{ updates: [Record<string, number>[]] }>(
      url,
      "pollMetricsUpdates",
      subscriptionId,
      options,
    );
    const [sample] = answer.updates[0];
    expect(Object.keys(sample!)).toEqual(["cpuUsage", "memoryUsage", "networkIO", "timestamp"]);
    const { cpuUsage, memoryUsage, networkIO, timestamp } = sample!;
    for (const percent of [cpuUsage, memoryUsage]) {
      expect(percent).toBeGreaterThanOrEqual(0);
      expect(percent).toBeLessThanOrEqual(100);
    }
    expect(networkIO).toBeGreaterThanOrEqual(0);
    expect(Number.isInteger(timestamp)).toBe(true);
    for (const figure of [cpuUsage, memoryUsage, networkIO]) {
      expect(figure).toBe(Number(figure!.toFixed(2)));
    }
  });
});

describe("the calls for every topic", () => {
  test("topics lists each with its newest cursor and how much it holds", async () => {
    const { url, hub } = await startedLocal({ topics: ["a", "b"] });
    const cursor = await hub.publish("b", 1);
    const [[a, b]] = await call<[TopicInfo[]]>(url, "topics");
    expect(a).toEqual({ topic: "a", cursor: expect.stringMatching(/\.0$/) as string, events: 0 });
    expect(b).toEqual({ topic: "b", cursor, events: 1 });
  });

  test("read begins with the oldest event and answers a batch", async () => {
    const { url, hub } = await startedLocal();
    await hub.publish("topic", { a: [1, [2]] }, { name: "first" });
    const cursor = await hub.publish("topic", "text");
    const line = await callLine(url, "read", "topic");
    const times = [...line.matchAll(/"time":(\d+)/g)].map(([, time]) => Number(time));
    expect(line).toBe(
      `["resolve",1,{"events":[[` +
        `{"offset":1,"time":${times[0]},"name":"first","data":{"a":[[1,[[2]]]]}},` +
        `{"offset":2,"time":${times[1]},"data":"text"}]],"cursor":"${cursor}"}]`,
    );
    for (const time of times) expect(Math.abs(Date.now() - time)).toBeLessThan(3_600_000);
  });

  test("read goes on after a cursor, and from earliest and latest", async () => {
    const { url, hub } = await startedLocal();
    const first = await hub.publish("topic", 1);
    const second = await hub.publish("topic", 2);
    const read = (options: object) => call<Batch>(url, "read", "topic", options);
    expect(await read({ after: first })).toMatchObject({ events: [[{ data: 2 }]], cursor: second });
    expect(await read({ after: "earliest", limit: 1 })).toMatchObject({
      events: [[{ data: 1 }]],
      cursor: first,
    });
    expect(await read({ after: "latest" })).toEqual({ events: [[]], cursor: second });
  });

  test("subscribe gives an id, an empty batch at the newest place, and the lease", async () => {
    const { url, hub } = await startedLocal({ limits: { leaseMs: 1_234_567 } });
    const cursor = await hub.publish("topic", "before");
    expect(await call(url, "subscribe", "topic")).toEqual({
      subscriptionId: expect.stringMatching(/^topic_[A-Za-z0-9_-]{21}$/) as string,
      events: [[]],
      cursor,
      leaseMs: 1_234_567,
    });
  });

  test("poll gives each event once, and a gap when the window was too small", async () => {
    const { url, hub } = await startedLocal();
    const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic", { capacity: 2 });
    for (const data of [1, 2, 3]) await hub.publish("topic", data);
    const batch = await call<Batch>(url, "poll", subscriptionId);
    expect(batch).toMatchObject({
      events: [[{ offset: 2 }, { offset: 3 }]],
      gap: { missed: 1, reason: "overflow" },
    });
    const { cursor } = batch;
    expect(await call(url, "poll", subscriptionId)).toEqual({ events: [[]], cursor });
  });

  test("a poll with the last cursor repeats a lost answer", async () => {
    const { url, hub } = await startedLocal();
    const { subscriptionId, cursor } = await call<Subscribed>(url, "subscribe", "topic");
    await hub.publish("topic", "precious");
    const poll = () => call<Batch>(url, "poll", subscriptionId, { after: cursor });
    const lost = await poll();
    expect(await poll()).toEqual(lost);
    expect(lost).toMatchObject({ events: [[{ data: "precious" }]] });
  });

  test("a poll that waits is answered by the next event", async () => {
    const { url, hub } = await startedLocal();
    const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic");
    const polling = call<Batch>(url, "poll", subscriptionId, { waitMs: 30_000 });
    await hub.publish("topic", "news");
    expect(await polling).toMatchObject({ events: [[{ data: "news" }]] });
  });

  test("a poll that waits for nothing answers an empty batch with its cursor", async () => {
    const { url } = await startedLocal();
    const { subscriptionId, cursor } = await call<Subscribed>(url, "subscribe", "topic");
    const batch = await call(url, "poll", subscriptionId, { waitMs: 5 });
    expect(batch).toEqual({ events: [[]], cursor });
  });

  test("a subscription can be made and polled in one batch, by pipelining", async () => {
    const { url, hub } = await startedLocal();
    await hub.publish("topic", "old");
    const body = [
      push("subscribe", "topic", { after: "earliest" }),
      push("poll", ["pipeline", 1, ["subscriptionId"]]),
      '["pull",2]',
    ].join("\n");
    const { text } = await post(url, body);
    expect(JSON.parse(text)).toMatchObject(["resolve", 2, { events: [[{ data: "old" }]] }]);
  });
});
