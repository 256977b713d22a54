/**
 * The bytes of Server-Sent Events, and that a foreign reader of the standard understands them, however
 * the network cuts them.
 */
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comment, eventBlock, type EventFields } from "../../../server/wire/event-stream.ts";
import { openChunks } from "../../support/chunks.ts";
import { property } from "../../support/property.ts";
import { startedLocal } from "../../support/server.ts";
import { SSE } from "../../support/topic-requests.ts";

/** Parts of lines that mean something to somebody. */
const STRANGE = [
  "",
  " ",
  "  ",
  ":",
  ": heartbeat",
  "data: x",
  "id: x",
  "event: gap",
  "\n",
  "\r",
  "\r\n",
  "\n\n",
  "\r\n\r\n",
  "\n\r",
  "\u0000",
  "\ufeff",
  "\u2028",
  "\u2029",
  "\u0085",
  "\ud800",
  "\udfff",
  "\u{1f600}",
  "é",
];

const text = fc
  .array(fc.oneof(fc.constantFrom(...STRANGE), fc.string({ unit: "binary", maxLength: 8 })), {
    maxLength: 8,
  })
  .map((parts) => parts.join(""));

/** What fits on one line, as the names of events have to. */
const line = text.map((some) => some.replaceAll(/[\r\n\0]/g, ""));

describe("eventBlock", () => {
  test.each<[string, EventFields, string]>([
    ["data", { data: "{}" }, "data: {}\n\n"],
    [
      "a place, a name and data",
      { id: "e.1", event: "n", data: "1" },
      "id: e.1\nevent: n\ndata: 1\n\n",
    ],
    ["a place alone", { id: "e.0" }, "id: e.0\n\n"],
    ["a time to come back", { retry: 1500 }, "retry: 1500\n\n"],
    ["a time of nothing", { retry: 0, data: "x" }, "retry: 0\ndata: x\n\n"],
    ["empty data", { data: "" }, "data: \n\n"],
    ["\\n", { data: "a\nb" }, "data: a\ndata: b\n\n"],
    ["\\r", { data: "a\rb" }, "data: a\ndata: b\n\n"],
    ["\\r\\n is one break", { data: "a\r\nb" }, "data: a\ndata: b\n\n"],
    ["\\n\\r is two breaks", { data: "a\n\rb" }, "data: a\ndata: \ndata: b\n\n"],
    ["breaks at both ends", { data: "\na\n" }, "data: \ndata: a\ndata: \n\n"],
    ["a space in front", { data: " a", event: " b" }, "event:  b\ndata:  a\n\n"],
    ["a colon in front", { data: ":a", event: ":b" }, "event: :b\ndata: :a\n\n"],
    ["U+2028 is no break", { data: "a\u2028b" }, "data: a\u2028b\n\n"],
    ["U+0085 and VT are no breaks", { data: "a\u0085\u000bb" }, "data: a\u0085\u000bb\n\n"],
  ])("%s", (_name, fields, bytes) => {
    expect(eventBlock(fields)).toBe(bytes);
  });

  test("without a space after the colon, as the dashboard's clients want it", () => {
    expect(eventBlock({ event: "n", data: "a\nb" }, { colon: ":" })).toBe(
      "event:n\ndata:a\ndata:b\n\n",
    );
  });

  test("is read back as it was written, wherever the bytes are cut", () =>
    property(
      [
        fc.array(fc.record({ event: fc.option(line, { nil: undefined }), data: text }), {
          maxLength: 5,
        }),
        fc.array(fc.nat(), { maxLength: 20 }),
      ],
      (events, cuts) => {
        const blocks = events.map((fields, index) => eventBlock({ id: `e.${index}`, ...fields }));
        const written = `${eventBlock({ retry: 1000, id: "e.0" })}${blocks.join(comment("heartbeat"))}`;
        expect(read(cutAt(Buffer.from(written), cuts))).toEqual(
          events.map(({ event, data }, index) => ({
            id: `e.${index}`,
            event: event === undefined || event === "" ? undefined : onWire(event),
            data: onWire(data).replaceAll(/\r\n?/g, "\n"), // what the standard does not keep
          })),
        );
      },
      { runs: 500 },
    ));

  test("is read back without the space too", () =>
    property([line, text], (event, data) => {
      const written = Buffer.from(eventBlock({ event, data }, { colon: ":" }));
      const [given] = read([written]);
      expect(given!.event ?? "").toBe(onWire(event));
      expect(given!.data).toBe(onWire(data).replaceAll(/\r\n?/g, "\n"));
    }));
});

test("a heartbeat is a comment: its reader hears nothing", () => {
  expect(comment("heartbeat")).toBe(": heartbeat\n\n");
  expect(read([Buffer.from(comment("heartbeat"))])).toEqual([]);
});

describe("over the wire", () => {
  test("a stream begins with the time to come back and the place, and has no event yet", async () => {
    const { url, hub } = await startedLocal();
    const cursor = await hub.publish("topic", 1);
    const { next, status, headers, socket } = await openChunks(`${url}/topics/topic`, SSE);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "transfer-encoding": "chunked",
    });
    expect(headers).not.toHaveProperty("content-encoding");
    const first = await next();
    expect(first).toMatch(new RegExp(`^retry: \\d{4}\nid: ${cursor}\n\n$`));
    expect(read([Buffer.from(first!)])).toEqual([]);
    socket.destroy();
  });

  test("every client gets another time to come back, from 1 to 5 seconds", async () => {
    const { url } = await startedLocal();
    const times = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { next, socket } = await openChunks(`${url}/topics/topic`, SSE);
        const [, retry] = /^retry: (\d+)\n/.exec((await next())!)!;
        socket.destroy();
        return Number(retry);
      }),
    );
    expect(Math.min(...times)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(5_000);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2_000);
    expect(new Set(times).size).toBeGreaterThan(80);
  });

  test("events and gaps are these bytes", async () => {
    const { url, hub } = await startedLocal({ store: { historyEvents: 2 } });
    const first = await hub.publish("topic", "lost");
    const [epoch] = first.split(".");
    await hub.publish("topic", "lost too");
    await hub.publish("topic", { text: "a\r\nb" }, { name: "näme: x" });
    await hub.publish("topic", null);
    const { next, socket } = await openChunks(`${url}/topics/topic?after=${first}`, SSE);
    expect(await next()).toMatch(new RegExp(`^retry: \\d{4}\nid: ${first}\n\n$`));
    expect(await next()).toBe(
      `id: ${epoch}.2\nevent: gap\ndata: {"missed":1,"reason":"evicted"}\n\n` +
        `id: ${epoch}.3\nevent: näme: x\ndata: {"text":"a\\r\\nb"}\n\n` +
        `id: ${epoch}.4\ndata: null\n\n`,
    );
    socket.destroy();
  });

  test("a stopping server ends the stream with the time to come back, and why", async () => {
    const server = await startedLocal();
    const { next, socket } = await openChunks(`${server.url}/topics/topic`, SSE);
    await next();
    await server.app.close({ graceMs: 8_000, random: () => 0.25 });
    expect(await next()).toBe(
      `retry: 2000\nevent: error\n` +
        `data: {"code":"shutting_down","message":"the server is stopping","retryAfterMs":2000}\n\n`,
    );
    expect(await next()).toBeUndefined();
    socket.destroy();
  });

  test("an EventSource that comes while the server stops is told to come again", async () => {
    const server = await startedLocal();
    await server.app.close({ graceMs: 8_000, random: () => 0.25 });
    const { status, headers, next, socket } = await openChunks(`${server.url}/topics/topic`, SSE);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    });
    expect(await next()).toMatch(
      /^retry: 2000\nevent: error\ndata: {"code":"shutting_down",.*}\n\n$/,
    );
    expect(await next()).toBeUndefined();
    socket.destroy();
  });
});

/** As an EventSource has it: bytes → text → events. */
function read(parts: readonly Buffer[]) {
  const events: { id: string | undefined; event: string | undefined; data: string }[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => events.push({ id, event, data }),
    onError: (error) => {
      throw error;
    },
  });
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const part of parts) parser.feed(decoder.decode(part, { stream: true }));
  return events;
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index]));
}

/** UTF-8 has no lone surrogates. */
function onWire(some: string): string {
  return Buffer.from(some).toString();
}
