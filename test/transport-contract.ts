/**
 * What every way of reading must do, whatever carries the batches. A new transport is finished when
 * `transportContract("name", openReader)` passes, and when `hops.test.ts` knows it.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch } from "../server/contract.ts";
import { type LocalServer, type LocalServerOptions, startLocal } from "./support/server.ts";

export interface Reader {
  /** The next batch that has an event or a gap. */
  next(): Promise<Batch>;
  /** Leaves as a client does that has had enough. */
  close(): Promise<void>;
}

export interface ReaderOptions {
  topic?: string;
  after?: string;
}

export type OpenReader = (server: LocalServer, options: ReaderOptions) => Promise<Reader>;

export interface TransportTraits {
  /**
   * How the server sees a reader that waits. `connected`: as a reader, as long as it is open;
   * `held`: as a poll that is held; `unseen`: not at all, it keeps on asking.
   */
  waits: "connected" | "held" | "unseen";
  /** Its client cannot react to a refusal, so a cursor from the future is a gap to it. */
  forgivesFuture?: boolean;
}

export function transportContract(
  name: string,
  openReader: OpenReader,
  { waits, forgivesFuture = false }: TransportTraits,
): void {
  const withServer = async (
    options: LocalServerOptions,
    body: (server: LocalServer) => Promise<void>,
  ) => {
    const server = await startLocal(options);
    try {
      await body(server);
      expect(server.errors).toEqual([]);
    } finally {
      await server.close();
    }
  };

  describe(`${name} keeps the transport's contract`, () => {
    test("gives every event once and in order, however they are published", () =>
      withServer({}, async (server) => {
        const reader = await openReader(server, { after: "earliest" });
        const total = 2_000;
        const reading = readUntil(reader, total);
        for (let number = 1; number <= total; number += 1) {
          await server.hub.publish("topic", { number });
          if (number % 97 === 0) await turn();
        }
        const { events, gaps } = await reading;
        expect(gaps).toEqual([]);
        expect(events.map(({ offset }) => offset)).toEqual(numbers(1, total));
        expect(events.map(({ data }) => (data as { number: number }).number)).toEqual(
          numbers(1, total),
        );
        await reader.close();
      }));

    test("leaves no hole between replay and live", () =>
      withServer({}, async (server) => {
        for (let number = 1; number <= 500; number += 1) await server.hub.publish("topic", number);
        let published = 500;
        let publishing = true;
        const publisher = (async () => {
          while (publishing) {
            await server.hub.publish("topic", (published += 1));
            await turn();
          }
        })();
        const reader = await openReader(server, { after: "earliest" });
        const { events, gaps } = await readUntil(reader, 700);
        publishing = false;
        await publisher;
        expect(gaps).toEqual([]);
        expect(events.map(({ offset }) => offset)).toEqual(numbers(1, events.length));
        await reader.close();
      }));

    test("begins with what is published after it was opened, when nothing is asked", () =>
      withServer({}, async (server) => {
        await server.hub.publish("topic", "before");
        const reader = await openReader(server, {});
        await server.hub.publish("topic", "after");
        expect((await reader.next()).events.map(({ data }) => data)).toEqual(["after"]);
        await reader.close();
      }));

    test("gives names and any JSON unchanged", () =>
      withServer({}, async (server) => {
        // Cap'n Web drops the keys that every object inherits, by design.
        const inherited = (text: string) =>
          Object.keys(PROTOTYPE).every((key) => !text.includes(key));
        const json = fc.jsonValue().filter((value) => inherited(JSON.stringify(value)));
        const property = fc.asyncProperty(json, async (data) => {
          const reader = await openReader(server, {});
          await server.hub.publish("topic", data, { name: "näme" });
          const { events } = await reader.next();
          expect(JSON.stringify(events[0]!.data)).toBe(JSON.stringify(data));
          expect(events[0]!.name).toBe("näme");
          await reader.close();
        });
        const examples: [fc.JsonValue][] = [
          [null],
          [[[]]],
          [[["date", 1]]],
          [{ a: [1, { b: [] }] }],
        ];
        await fc.assert(property, { numRuns: 25, examples });
      }));

    test("goes on at a cursor after any cut: the parts join without loss or repeat", () =>
      withServer({}, async (server) => {
        const total = 600;
        for (let number = 1; number <= total; number += 1) {
          await server.hub.publish("topic", number);
        }
        const offsets: number[] = [];
        let after = "earliest";
        for (let cuts = 1; offsets.length < total; cuts += 1) {
          const reader = await openReader(server, { after });
          const { events, cursor, gap } = await reader.next();
          expect(gap).toBeUndefined();
          // A reader may have taken only a part of what has arrived.
          const taken =
            cuts % 3 === 0 ? events : events.slice(0, 1 + ((cuts * 37) % events.length));
          offsets.push(...taken.map(({ offset }) => offset));
          after = `${cursor.split(".")[0]}.${offsets.at(-1)}`;
          await reader.close();
        }
        expect(offsets).toEqual(numbers(1, total));
      }));

    test("tells the exact number of events that the history no longer holds", () =>
      withServer({ store: { historyEvents: 10 } }, async (server) => {
        const cursor = await server.hub.publish("topic", 1);
        for (let number = 2; number <= 50; number += 1) await server.hub.publish("topic", number);
        const reader = await openReader(server, { after: cursor });
        const { gaps, events } = await readUntil(reader, 50);
        expect(gaps).toEqual([{ missed: 39, reason: "evicted" }]);
        expect(events.map(({ offset }) => offset)).toEqual(numbers(41, 50));
        await reader.close();
      }));

    test("tells honestly that the topic began anew", () =>
      withServer({}, async (server) => {
        await server.hub.publish("topic", 1);
        const reader = await openReader(server, { after: "former-life.7" });
        const { gaps, events } = await readUntil(reader, 1);
        expect(gaps).toEqual([{ missed: null, reason: "epoch" }]);
        expect(events.map(({ offset }) => offset)).toEqual([1]);
        await reader.close();
      }));

    test.each([
      ["topic_not_found", { topic: "unknown" }],
      ["invalid_request", { topic: "no/topic" }],
      ["invalid_cursor", { after: "not a cursor" }],
      ["invalid_cursor", { after: "" }],
    ])("refuses at the door: %s for %j", (code, options) =>
      withServer({}, async (server) => {
        await expect(openReader(server, options)).rejects.toMatchObject({ code });
        expect(server.app.stats()).toMatchObject({ readers: 0, subscriptions: 0 });
      }),
    );

    test.skipIf(forgivesFuture)("refuses a cursor from the future at the door", () =>
      withServer({}, async (server) => {
        const cursor = await server.hub.publish("topic", 1);
        const future = cursor.replace(/\.1$/, ".2");
        const code = "invalid_cursor";
        await expect(openReader(server, { after: future })).rejects.toMatchObject({ code });
        expect(server.app.stats()).toMatchObject({ readers: 0, subscriptions: 0 });
      }),
    );

    test.runIf(forgivesFuture)("takes a cursor from the future for a gap, and goes on", () =>
      withServer({}, async (server) => {
        const cursor = await server.hub.publish("topic", 1);
        const reader = await openReader(server, { after: cursor.replace(/\.1$/, ".7") });
        const gap = { missed: null, reason: "epoch" };
        expect(await reader.next()).toEqual({ events: [], cursor, gap });
        await server.hub.publish("topic", 2);
        const { events } = await reader.next();
        expect(events.map(({ offset }) => offset)).toEqual([2]);
        await reader.close();
      }),
    );

    test("bounds a batch in bytes and still gives every event", () =>
      withServer({ limits: { batchBytes: 2_000 } }, async (server) => {
        for (let number = 1; number <= 40; number += 1) {
          await server.hub.publish("topic", "x".repeat((number * 131) % 1_500));
        }
        const reader = await openReader(server, { after: "earliest" });
        const offsets: number[] = [];
        while (offsets.length < 40) {
          const { events } = await reader.next();
          const bytes = events.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
          expect(events.length === 1 || bytes <= 2_000).toBe(true);
          offsets.push(...events.map(({ offset }) => offset));
        }
        expect(offsets).toEqual(numbers(1, 40));
        await reader.close();
      }));

    test("leaves nothing open when its client leaves", () =>
      withServer({}, async (server) => {
        const readers = await Promise.all(
          Array.from({ length: 20 }, () => openReader(server, { after: "earliest" })),
        );
        expect(server.app.stats().readers).toBe(waits === "connected" ? 20 : 0);
        await server.hub.publish("topic", 1);
        await Promise.all(readers.map((reader) => reader.next()));
        await Promise.all(readers.map((reader) => reader.close()));
        await expect
          .poll(() => server.app.stats())
          .toMatchObject({ readers: 0, subscriptions: 0, sessions: 0 });
      }));

    test.skipIf(waits === "unseen")("gives what is published in the turn of the stop", () =>
      withServer({}, async (server) => {
        const reader = await openReader(server, {});
        const next = reader.next();
        await expect.poll(() => waiting(server)).toBe(1);
        await server.hub.publish("topic", "the last word");
        const closed = server.app.close();
        expect((await next).events).toMatchObject([{ offset: 1, data: "the last word" }]);
        await expect(reader.next()).rejects.toThrow(); // in which words, the next test says
        await closed;
      }),
    );

    test("tells its client that the server stops, and when to come back", () =>
      withServer({}, async (server) => {
        const reader = await openReader(server, {});
        const next = reader.next();
        if (waits !== "unseen") await expect.poll(() => waiting(server)).toBe(1);
        const told = expect(next).rejects.toMatchObject({
          code: "shutting_down",
          message: "the server is stopping",
          retryAfterMs: 750,
        });
        await server.app.close({ graceMs: 1_000, random: () => 0.75 });
        await told;
      }));
  });
}

const PROTOTYPE = { ...Object.getOwnPropertyDescriptors(Object.prototype), toJSON: {} };

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Reads until the event with this offset. */
async function readUntil(reader: Reader, offset: number) {
  const events: Batch["events"][number][] = [];
  const gaps: NonNullable<Batch["gap"]>[] = [];
  while ((events.at(-1)?.offset ?? 0) < offset) {
    const batch = await reader.next();
    events.push(...batch.events);
    if (batch.gap) gaps.push(batch.gap);
  }
  return { events, gaps };
}

/** How many readers the server sees waiting. */
function waiting({ app }: LocalServer): number {
  const { readers, heldPolls } = app.stats();
  return readers + heldPolls;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
