/** An EventSource that comes back, by the header it sends; it cannot react to a refusal. */
import { describe, expect, onTestFinished, test } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import { openChunks } from "../../support/chunks.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { eventsToBatch } from "../../support/topic-readers.ts";
import { NDJSON, refusalOf, SSE } from "../../support/topic-requests.ts";
import { ask } from "../../support/wire.ts";
import { numbers } from "../../transport-contract.ts";

const EPOCH_GAP = { missed: null, reason: "epoch" };

/** A server that keeps 3 … 5 of five events. */
async function start(): Promise<{ server: LocalServer; at: (offset: number) => string }> {
  const server = await startedLocal({ store: { historyEvents: 3 } });
  const cursor = await server.hub.publish("topic", 1);
  for (const number of numbers(2, 5)) await server.hub.publish("topic", number);
  return { server, at: (offset) => cursor.replace(/1$/, `${offset}`) };
}

/** The place that the stream begins at, and its batches. */
async function resume({ url }: LocalServer, lastEventId: string, query = "") {
  const headers = { ...SSE, "Last-Event-ID": lastEventId };
  const { status, next, socket } = await openChunks(`${url}/topics/topic${query}`, headers);
  onTestFinished(() => void socket.destroy());
  expect(status).toBe(200);
  const decode = eventsToBatch();
  // The greeting may bring a gap along.
  const greeting = (await next())!;
  const [, place] = /^retry: \d+\nid: (\S+)\n\n/.exec(greeting)!;
  let first = decode(greeting);
  return {
    place,
    next: async (): Promise<Batch> => {
      for (;;) {
        const batch = first ?? decode((await next())!);
        first = undefined;
        if (batch) return batch;
      }
    },
  };
}

const offsets = ({ events }: Batch) => events.map(({ offset }) => offset);

describe("Last-Event-ID", () => {
  test("goes on behind it", async () => {
    const { server, at } = await start();
    const { place, next } = await resume(server, at(3));
    expect(place).toBe(at(3));
    const batch = await next();
    expect(batch.gap).toBeUndefined();
    expect(offsets(batch)).toEqual([4, 5]);
  });

  test("at the newest waits for the next", async () => {
    const { server, at } = await start();
    const { place, next } = await resume(server, at(5));
    expect(place).toBe(at(5));
    await server.hub.publish("topic", 6);
    expect(offsets(await next())).toEqual([6]);
  });

  test("older than the history is told the exact number of what is lost", async () => {
    const { server, at } = await start();
    const { next } = await resume(server, at(1));
    const batch = await next();
    expect(batch.gap).toEqual({ missed: 1, reason: "evicted" });
    expect(offsets(batch)).toEqual([3, 4, 5]);
  });

  test("of another epoch gets a gap and then the oldest that is kept", async () => {
    const { server } = await start();
    const { next } = await resume(server, "former-life.99");
    const batch = await next();
    expect(batch.gap).toEqual(EPOCH_GAP);
    expect(offsets(batch)).toEqual([3, 4, 5]);
  });

  test("of another epoch, when there is nothing yet, gets the gap and a place to come back to", async () => {
    const server = await startedLocal();
    const { next } = await resume(server, "former-life.99");
    const { gap, cursor, events } = await next();
    expect({ gap, events }).toEqual({ gap: EPOCH_GAP, events: [] });
    const again = await resume(server, cursor);
    await server.hub.publish("topic", 1);
    const batch = await again.next();
    expect(batch.gap).toBeUndefined();
    expect(offsets(batch)).toEqual([1]);
  });

  test.each([6, 1_000, 999_999_999_999_999])(
    "from the future (%i of 5) gets a gap and goes on at the newest",
    async (offset) => {
      const { server, at } = await start();
      const { place, next } = await resume(server, at(offset));
      expect(place).toBe(at(5));
      expect(await next()).toEqual({ events: [], cursor: at(5), gap: EPOCH_GAP });
      await server.hub.publish("topic", 6);
      expect(await next()).toMatchObject({ events: [{ offset: 6 }], cursor: at(6) });
    },
  );

  test.each(["x", "earliest", "latest", "a.b", "a.-1", "a.01", "é.1", "a.1, a.2", "9".repeat(100)])(
    "%j is malformed: 400",
    async (lastEventId) => {
      const { server } = await start();
      const answer = await ask(`${server.url}/topics/topic`, {
        headers: { ...SSE, "Last-Event-ID": Buffer.from(lastEventId).toString("latin1") },
      });
      expect(refusalOf(answer)).toEqual({ status: 400, code: "invalid_cursor" });
      expect(server.app.stats().readers).toBe(0);
    },
  );

  test("for an unknown topic is a 404", async () => {
    const { server } = await start();
    for (const lastEventId of ["former-life.1", "x.999999"]) {
      const answer = await ask(`${server.url}/topics/nope`, {
        headers: { ...SSE, "Last-Event-ID": lastEventId },
      });
      expect(refusalOf(answer)).toEqual({ status: 404, code: "topic_not_found" });
    }
  });

  test.each(["?after=earliest", "?after=x.1", "?last=3", "?last=0", "?after=earliest&last=3"])(
    "wins over %s",
    async (query) => {
      const { server, at } = await start();
      const { place, next } = await resume(server, at(4), query);
      expect(place).toBe(at(4));
      expect(offsets(await next())).toEqual([5]);
    },
  );

  test("that is empty is none: the address decides", async () => {
    const { server, at } = await start();
    const { place, next } = await resume(server, "", "?last=1");
    expect(place).toBe(at(4));
    expect(offsets(await next())).toEqual([5]);
    expect((await resume(server, "")).place).toBe(at(5));
  });

  test("means nothing to a poll and to NDJSON", async () => {
    const { server, at } = await start();
    const headers = { "Last-Event-ID": at(3) };
    const { text } = await ask(`${server.url}/topics/topic`, { headers });
    expect(JSON.parse(text)).toEqual({ events: [], cursor: at(5) });
    const lines = await openChunks(`${server.url}/topics/topic`, { ...headers, ...NDJSON });
    onTestFinished(() => void lines.socket.destroy());
    expect(lines.headers["cursor"]).toBe(at(5));
  });

  test("from before the first event loses none of those that came meanwhile", async () => {
    const server = await startedLocal();
    const { place } = await resume(server, "");
    for (const number of numbers(1, 10)) await server.hub.publish("topic", number);
    const { next } = await resume(server, place!);
    const batch = await next();
    expect(batch.gap).toBeUndefined();
    expect(offsets(batch)).toEqual(numbers(1, 10));
  });
});
